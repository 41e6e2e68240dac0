"""A log's files in a bucket of an S3-style object store, and a register in one: by conditional writes.

The store must heed `If-None-Match: *` and `If-Match` on PUT, as S3 does since 2024. One that does not would
let two sealers fork a log: `require_conditional_writes` finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from auditstream.core.errors import ConfigError
from auditstream.ledger.tiles import CHECKPOINT, parse_tile_path
from auditstream.sealer.tile_store import MovedError, OtherBytesError, StoreDownError

if TYPE_CHECKING:
    from obstore import PutMode

# Requests under way at once: a store answers one in tens of milliseconds, and a page has hundreds of files.
_AT_ONCE = 16
_REFUSED = (AlreadyExistsError, PreconditionError)


class ObjectRegister:
    """A value in one object; see the port `Register`."""

    def __init__(self, store: S3Store, key: str) -> None:
        self._store = store
        self._key = key

    def read(self) -> bytes | None:
        """Return the value, None before the first; see the port."""
        found = _found(self._store, self._key)
        return None if found is None else found[0]

    def replace(self, former: bytes | None, new: bytes) -> None:
        """Set the value if it still is the former one; see the port."""
        found = _found(self._store, self._key)
        if (None if found is None else found[0]) == former:
            try:
                with _answering(self._key):
                    obstore.put(
                        self._store, self._key, new, mode="create" if found is None else {"e_tag": found[1]}
                    )
                return
            except _REFUSED:
                # Refused: by another process's value, or by our own of a request whose answer was lost.
                if self.read() == new:
                    return
        raise MovedError(f"{self._key} was replaced by another process")


class ObjectStore:
    """A log's files under a prefix of a bucket; see the port `TileStore`.

    Args:
        store: The bucket.
        prefix: Where the log's files are in it, as `evidence/audit.events.v1/0/0a1b2c3d/`; "" for its top.
    """

    def __init__(self, store: S3Store, prefix: str = "") -> None:
        self._store = store
        self._prefix = prefix
        self._checkpoint = ObjectRegister(store, prefix + CHECKPOINT)

    def read(self, name: str) -> bytes | None:
        """Return a whole file; see the port."""
        found = _found(self._store, self._key(name))
        return None if found is None else found[0]

    def write_once(self, files: Mapping[str, bytes]) -> None:
        """Make files durable that never change; see the port."""
        for name in files:
            parse_tile_path(name)
        _at_once(partial(self._add, name, data) for name, data in files.items())

    def replace_checkpoint(self, former: bytes | None, new: bytes) -> None:
        """Set the checkpoint if it still is the former one; see the port."""
        self._checkpoint.replace(former, new)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; see the port."""
        _at_once(partial(self._remove, self._key(name)) for name in names)

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the names under a folder; see the port."""
        with _answering(self._prefix + prefix):
            for page in obstore.list(self._store, prefix=self._prefix + prefix):
                yield from (entry["path"].removeprefix(self._prefix) for entry in page)

    def _key(self, name: str) -> str:
        if name != CHECKPOINT:
            parse_tile_path(name)
        return self._prefix + name

    def _add(self, name: str, data: bytes) -> None:
        key = self._key(name)
        try:
            with _answering(key):
                obstore.put(self._store, key, data, mode="create")
        except _REFUSED as error:
            present = self.read(name)
            if present is None:  # S3 refuses also while another such request is under way
                raise StoreDownError(f"{key}: another write is under way") from error
            if present != data:
                raise OtherBytesError(f"{key} holds other bytes than the log gives") from error

    def _remove(self, key: str) -> None:
        with _answering(key), suppress(FileNotFoundError):
            obstore.delete(self._store, key)


def require_conditional_writes(store: S3Store, key: str) -> None:
    """Check that a store refuses what it is asked to refuse, by writing to a key that nothing else uses.

    Raises:
        ConfigError: It overwrote an object that a condition protected.
        StoreDownError: It does not answer.
    """
    with _answering(key):
        obstore.put(store, key, b"probe")
        modes: list[PutMode] = ["create", {"e_tag": '"00000000000000000000000000000000"'}]
        for mode in modes:
            with suppress(*_REFUSED):
                obstore.put(store, key, b"overwritten", mode=mode)
                raise ConfigError(
                    f"the object store overwrote {key} against the condition of the request",
                    hint="Use a store with conditional writes (If-None-Match and If-Match on PUT).",
                )


def _found(store: S3Store, key: str) -> tuple[bytes, str | None] | None:
    """Return an object's bytes and the tag by which it is replaced."""
    with _answering(key):
        try:
            answer = obstore.get(store, key)
        except FileNotFoundError:
            return None
        return bytes(answer.bytes()), answer.meta["e_tag"]


def _at_once(calls: Iterable[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for done in [threads.submit(call) for call in calls]:
            done.result()


@contextmanager
def _answering(key: str) -> Iterator[None]:
    """Translate a store that does not answer; a condition that is not met goes through."""
    try:
        yield
    except _REFUSED:
        raise
    except (BaseError, OSError) as error:  # some of its errors are Python's own
        raise StoreDownError(f"{key}: {str(error).splitlines()[0]}") from error
