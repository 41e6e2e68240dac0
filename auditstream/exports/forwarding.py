"""Forwards chosen events as they are recorded, each at least once and in order, and remembers where it is.

The place is a file: by log the index that comes next. It moves on when the receiver has taken what came
before, and not earlier; so what was under way when a process or a receiver ended is sent again. A receiver
tells repeats by the event's id. Where a receiver is away, events wait in the record, which keeps them anyhow.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from auditstream.core.errors import ConfigError, RequestError
from auditstream.exports.records import Record, records_of
from auditstream.query.arrivals import Position, position_text, read_position

MOST_RECORDS = 500
"""Events of a batch: what a receiver takes in a second or two."""

_FORM = "auditstream-forward/v1"


class Follower(Protocol):
    """What is new in the record; `Arrivals` is one."""

    @property
    def position(self) -> Position:
        """Where the next look begins."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether the last look left something for the next."""
        ...

    def take(self) -> list[pa.RecordBatch]:
        """Return what is new; its rows are of `event_rows.SCHEMA`."""
        ...


class Outlet(Protocol):
    """Brings events to a receiver."""

    def deliver(self, records: Sequence[Record], batch_id: str) -> int:
        """Return how many bytes went out, once the receiver has taken all the events.

        Raises:
            RetryableError: It has not.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class PlaceFile:
    """Where a forward is, in a file that one process at a time holds.

    Args:
        path: The file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the place for the length of the block.

        Raises:
            RequestError: Another process holds it, or the folder cannot be written.
        """
        lock = self._path.with_suffix(".lock")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with lock.open("a") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise RequestError(
                        f"{self._path}: another process forwards this",
                        hint="One process forwards what is in a file of forwards; stop the other one.",
                    ) from None
                yield
        except OSError as error:
            raise RequestError(f"{self._path}: {error.strerror or error}") from error

    def read(self) -> Position | None:
        """Return the place, None where there is none yet.

        Raises:
            ConfigError: The file is not one of ours: going on from elsewhere would repeat or lose events.
        """
        try:
            document = json.loads(self._path.read_bytes())
            return read_position(document[_FORM])
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, RequestError) as error:
            hint = "Restore it, or delete it to begin anew where the forward says."
            raise ConfigError(f"{self._path}: is not the place of a forward", hint=hint) from error

    def write(self, position: Position) -> None:
        """Move the place; durable on return."""
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump({_FORM: position_text(position)}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


class Forwarding:
    """One forward under way; for one thread.

    Args:
        follower: What is new.
        outlet: Where it goes.
        place: Where it is remembered.

    Attributes:
        events: Events that were delivered.
        size_bytes: Bytes that they took.
    """

    def __init__(self, follower: Follower, outlet: Outlet, place: PlaceFile) -> None:
        self._follower = follower
        self._outlet = outlet
        self._place = place
        self._waiting: list[Record] = []
        self.events = 0
        self.size_bytes = 0
        self._written = dict(follower.position)
        place.write(self._written)  # a forward that ends before its first event begins there again

    @property
    def is_behind(self) -> bool:
        """Whether more is recorded than was looked at, though the last step delivered nothing."""
        return self._follower.is_behind

    def step(self) -> int:
        """Deliver the next batch and return how many events it had; 0 when there is nothing new.

        Raises:
            RetryableError: The store or the receiver does not answer. Nothing is lost: call it again.
        """
        if not self._waiting:
            self._waiting = [record for batch in self._follower.take() for record in records_of(batch)]
        batch = self._waiting[:MOST_RECORDS]
        if batch:
            self.size_bytes += self._outlet.deliver(batch, _batch_id(batch))
            self.events += len(batch)
            del self._waiting[: len(batch)]
        if not self._waiting and self._written != self._follower.position:
            self._written = dict(self._follower.position)
            self._place.write(self._written)
        return len(batch)


def _batch_id(records: Sequence[Record]) -> str:
    """Return a name of these events in this order, the same whenever they are sent."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(f"{record['log_id']}/{record['leaf_index']}\n".encode())
    return digest.hexdigest()[:32]
