"""From the queue to the log: events are encoded, and what cannot be sent becomes the report of its loss."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from time import time_ns
from typing import Any

from auditstream_sdk.encoding import Protect, UnencodableError, encoded
from auditstream_sdk.errors import RefusedError
from auditstream_sdk.logs import Log
from auditstream_sdk.notices import Notices
from auditstream_sdk.pending import Gap, Pending, Waiter
from auditstream_sdk.recording import Captured
from auditstream_sdk.records import Kind, Record
from auditstream_sdk.reports import Reporter
from auditstream_sdk.settings import Settings
from auditstream_sdk.spool import SpoolLog

_CHUNK = 500
"""Events that are encoded and written at once: some milliseconds."""

RESERVED = 1 << 16
"""Numbers reserved ahead on disk: the page is synced once for half as many events."""


class _UnfitError(Exception):
    """An event cannot be sent: the reason, and what else is known without its words."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass
class Unsent:
    """Events that were written to the log together.

    Attributes:
        number: Highest number among them.
        count: How many records.
        size_bytes: Their size.
        written_ns: When.
    """

    number: int
    count: int
    size_bytes: int
    written_ns: int


class Writer:
    """Moves what callers queued to the instance's log; any thread may, one at a time.

    Args:
        settings: The client's settings.
        log: The instance's log.
        pending: The queue.
        reporter: Writes reports of losses.
        defaults: Envelope fields that all events have.
        notices: What is said once.
        protect: What every event goes through before it is written to the log.

    Attributes:
        lock: Held by whoever writes, reads or settles a log.
        dropped: Events that were lost and told of.
        is_unsynced: Whether something was written since it was last set to False.
        is_ended: Whether the log was let go: nothing may be written to it. Set with the lock held.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        pending: Pending,
        *,
        reporter: Reporter,
        defaults: Mapping[str, Any],
        notices: Notices,
        protect: Protect | None = None,
    ) -> None:
        self.lock = Lock()
        self.dropped = 0
        self.is_unsynced = False
        self.is_ended = False
        self._settings = settings
        self._log = log
        self._pending = pending
        self._reporter = reporter
        self._defaults = defaults
        self._notices = notices
        self._protect = protect
        self._stalled: list[Record] = []
        self._unsent: deque[Unsent] = deque()
        if isinstance(log, SpoolLog):
            self._reserve(log, RESERVED)

    @property
    def is_stalled(self) -> bool:
        """Whether the log had no room for what was taken from the queue."""
        return bool(self._stalled)

    @property
    def unsent(self) -> tuple[Unsent, ...]:
        """What was written and is not settled, oldest first."""
        return tuple(self._unsent)

    def settled(self, number: int) -> None:
        """Forget what was written up to a number."""
        while self._unsent and self._unsent[0].number <= number:
            self._unsent.popleft()

    def drain(self) -> None:
        """Write the queue to the log; what does not fit stays, and callers drop once the queue is full.

        Called with the lock held. Who waited for it while the log was let go finds nothing to do.

        Raises:
            OSError: The disk does not take it; nothing is lost by that.
        """
        if self.is_ended:
            return
        while True:
            if not self._stalled:
                items = self._pending.take(_CHUNK)
                if not items:
                    break
                self._stalled = [self._record_of(item) for item in items]
            count = self._log.append(self._stalled)
            if count:
                self._note(self._stalled[:count])
                self._stalled = self._stalled[count:]
            if self._stalled:
                self._notices.warning("full", "the spool is full: what does not fit is dropped and told of")
                return
        self._notices.over("full", "the spool has room again")
        log = self._log
        if isinstance(log, SpoolLog) and log.page.recorded > log.page.reserved - RESERVED // 2:
            self._reserve(log, log.page.recorded + RESERVED)

    def report_loss(self, gap: Gap) -> None:
        """Write the report of events that are in the log and will not be acknowledged; with the lock held."""
        self._append(self._loss(gap, self._log.number))

    def write_heartbeat(self) -> None:
        """Write a heartbeat; with the lock held."""
        now_ns = time_ns()
        unsent = self.unsent
        oldest_ns = unsent[0].written_ns if unsent else self._pending.oldest_ns or now_ns
        self._append(
            self._reporter.heartbeat(
                now_ns,
                last=self._pending.last,
                dropped=self.dropped,
                lag_us=max(0, now_ns - oldest_ns) // 1000,
                number=self._log.number,
            )
        )

    def _append(self, record: Record) -> None:
        if self._log.append([record]):
            self._note([record])

    def _note(self, records: list[Record]) -> None:
        size = sum(record.size_bytes for record in records)
        self._unsent.append(Unsent(records[-1].number, len(records), size, time_ns()))
        self.is_unsynced = True

    def _reserve(self, log: SpoolLog, number: int) -> None:
        if self._settings.fsync != "never":
            log.page.reserve(number)

    def _record_of(self, item: Captured | Gap) -> Record:
        if isinstance(item, Gap):
            return self._loss(item, item.last)
        number = item.sequence
        try:
            return Record(Kind.EVENT, number, self._line_of(item, number))
        except _UnfitError as error:
            return self._unfit(number, error.reason, error.detail)

    def _line_of(self, item: Captured, number: int) -> bytes:
        """Return an event as it leaves the process.

        Raises:
            _UnfitError: It cannot leave.
        """
        try:
            event = item.event(self._settings.source, self._log.instance, number, self._defaults)
        except Exception as error:  # noqa: BLE001  whatever a caller put in: it must not cost other events
            raise _UnfitError("unencodable", type(error).__name__) from None
        try:
            given = event if self._protect is None else self._protect(event)
        except Exception as error:  # noqa: BLE001  what cannot be hidden does not leave; nor do its words
            raise _UnfitError("unprotected", type(error).__name__) from None
        try:
            line = encoded(given)
        except UnencodableError as error:
            raise _UnfitError("unencodable", str(error)) from None
        except Exception as error:  # noqa: BLE001
            raise _UnfitError("unencodable", type(error).__name__) from None
        if len(line) > self._settings.max_event_bytes:
            raise _UnfitError("too_large", f"{len(line)} bytes")
        return line

    def _unfit(self, number: int, reason: str, detail: str) -> Record:
        self._notices.error(reason, "an event cannot be sent: %s: %s", reason, detail)
        waiter = self._pending.waiters.pop(number, None)
        if waiter is not None:
            fail(waiter, RefusedError(f"{reason}: {detail}", reason=reason))
        return self._loss(Gap(number, number, reason, time_ns(), detail), number)

    def _loss(self, gap: Gap, number: int) -> Record:
        self.dropped += gap.count
        return self._reporter.loss(gap, dropped=self.dropped, number=number)


def fail(waiter: Waiter, error: Exception) -> None:
    """Tell who waits that there is no acknowledgement, unless they went away."""
    if waiter.set_running_or_notify_cancel():
        waiter.set_exception(error)
