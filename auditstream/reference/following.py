"""Reference data kept in memory and up to date: a thread asks for the newest revision, again and again.

While the store is away, what was known last goes on to count: its age is there to be measured.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from auditstream.core.errors import RetryableError
from auditstream.core.logs import get_logger
from auditstream.reference.snapshot import Snapshot

log = get_logger(__name__)

Known = TypeVar("Known")


class Snapshots(Protocol):
    """Where reference data comes from; `sinks.reference.ReferenceStore` is one. Both methods block."""

    def newest(self) -> int:
        """Return the newest revision.

        Raises:
            RetryableError: No answer.
        """
        ...

    def load(self, revision: int, *, kinds: Iterable[str]) -> Snapshot:
        """Return what is known at a revision.

        Raises:
            RetryableError: No answer.
        """
        ...


class Following(Generic[Known]):
    """The newest state of some kinds that the store told of.

    Args:
        snapshots: The store.
        kinds: Names of the kinds.
        make: Makes of a snapshot what is asked later.
        every_s: Time between looks.
        name: What logs and the thread call it.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        kinds: Iterable[str],
        make: Callable[[Snapshot], Known],
        *,
        every_s: float,
        name: str,
    ) -> None:
        self._snapshots = snapshots
        self._kinds = tuple(kinds)
        self._make = make
        self._name = name
        self.every_s = every_s
        self._revision = -1
        self._known: Known | None = None
        self._heard_s: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=name, daemon=True)

    @property
    def known(self) -> Known | None:
        """The newest state; None before the store has answered."""
        return self._known

    @property
    def age_s(self) -> float:
        """Seconds since what is known was known to be the newest; infinite before the first answer."""
        return float("inf") if self._heard_s is None else time.monotonic() - self._heard_s

    def start(self) -> None:
        """Ask the store from now on; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; returns when the last question has been answered."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def refresh(self) -> None:
        """Ask the store once; blocks.

        Raises:
            RetryableError: No answer.
        """
        asked_s = time.monotonic()
        newest = self._snapshots.newest()
        if newest > self._revision:
            self._known = self._make(self._snapshots.load(newest, kinds=self._kinds))
            self._revision = newest
            log.info(f"{self._name}_known", revision=newest)
        self._heard_s = asked_s

    def _follow(self) -> None:
        is_away = False
        while True:
            try:
                self.refresh()
                is_away = False
            except Exception as error:  # noqa: BLE001  the thread outlives whatever the store answers
                if not is_away:
                    kind = "store_away" if isinstance(error, RetryableError) else f"{self._name}_unread"
                    log.warning(kind, error=str(error)[:300])
                is_away = True
            if self._stopping.wait(self.every_s):
                return
