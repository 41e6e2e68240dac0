"""Snapshots by revision for worker threads, and the newest revision for an event loop."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from threading import Event, Lock, Thread
from typing import Protocol

import polars as pl
import structlog

from auditstream.core.errors import RetryableError, StoreBusyError
from auditstream.reference.kinds import ENRICHING
from auditstream.reference.snapshot import Snapshot

log = structlog.get_logger(__name__)


class Snapshots(Protocol):
    """Where snapshots come from; `sinks.reference.ReferenceStore` is one."""

    def newest(self) -> int:
        """Return the newest revision; blocks."""
        ...

    def load(self, revision: int, *, kinds: Iterable[str]) -> Snapshot:
        """Return what is known at a revision; blocks."""
        ...


class SnapshotCache:
    """Implements `auditstream.core.ports.Directory`; keeps the last few revisions.

    `start` waits for the store, then a thread asks for the newest revision every `every_s`: a plan names a
    revision that is that old at most. What a revision says never changes, so nothing is ever read twice.

    Args:
        snapshots: Where snapshots come from.
        kinds: Kinds to read.
        keep: How many revisions to keep.
        every_s: Seconds between questions for the newest revision.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        *,
        kinds: Iterable[str] = ENRICHING,
        keep: int = 4,
        every_s: float = 1.0,
    ) -> None:
        self._snapshots = snapshots
        self._kinds = tuple(kinds)
        self._keep = keep
        self._every_s = every_s
        self._held: OrderedDict[int, Snapshot] = OrderedDict()
        self._newest: int | None = None
        self._lock = Lock()
        self._loading = Lock()
        self._stopping = Event()
        self._thread: Thread | None = None

    def start(self, *, timeout_s: float = 60.0) -> None:
        """Learn the newest revision, then keep it up to date; blocks until the store has answered once.

        Raises:
            RetryableError: No answer within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not self._stopping.is_set():
            try:
                self.refresh()
                break
            except RetryableError:
                if time.monotonic() >= deadline:
                    raise
                self._stopping.wait(self._every_s)
        self._thread = Thread(target=self._follow, name="reference-revisions", daemon=True)
        self._thread.start()

    def refresh(self) -> int:
        """Ask the store for the newest revision and return it; it never goes back. Blocks.

        Raises:
            RetryableError: No answer.
        """
        newest = self._snapshots.newest()
        with self._lock:
            self._newest = max(newest, self._newest or 0)
            return self._newest

    def newest(self) -> int:
        """Return the newest revision as last heard; never blocks.

        Raises:
            StoreBusyError: `start` or `refresh` has not succeeded yet.
        """
        newest = self._newest
        if newest is None:
            raise StoreBusyError("reference data: the store has not been asked for its revision yet")
        return newest

    def get(self, revision: int) -> Snapshot:
        """Return what is known at a revision; blocks when it is not kept.

        Raises:
            RetryableError: The store does not answer, or does not have the whole revision yet.
        """
        held = self._kept(revision)
        if held is not None:
            return held
        with self._loading:
            held = self._kept(revision)
            return held or self._keep_one(self._snapshots.load(revision, kinds=self._kinds))

    def intervals(self, kind: str, revision: int) -> pl.DataFrame:
        """Return what holds when, as known at a revision; see the port."""
        return self.get(revision).intervals(kind)

    def close(self) -> None:
        """Stop the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _kept(self, revision: int) -> Snapshot | None:
        with self._lock:
            held = self._held.get(revision)
            if held is not None:
                self._held.move_to_end(revision)
            return held

    def _keep_one(self, snapshot: Snapshot) -> Snapshot:
        with self._lock:
            self._held[snapshot.revision] = snapshot
            while len(self._held) > self._keep:
                self._held.popitem(last=False)
        return snapshot

    def _follow(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001  the thread outlives whatever the store answers
                log.warning("reference_revision_unknown", error=str(error), newest=self._newest)
