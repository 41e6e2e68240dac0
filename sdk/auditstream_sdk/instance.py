"""One run of a client in one process: queue, log, and the background thread between callers and gateway.

An event takes the next number in the queue, is encoded and written to the log by the thread, and sent from
there. When the queue is full, a caller writes it to the log itself: it waits for the local disk, and only for
so long, never for the gateway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic, sleep, time_ns
from typing import Any

from auditstream_sdk.adoption import adopted, report, report_damage, reporter_of
from auditstream_sdk.answers import Outcome, Refusal
from auditstream_sdk.delivery import Delivery
from auditstream_sdk.encoding import Protect
from auditstream_sdk.errors import NotAcknowledgedError, RefusedError
from auditstream_sdk.gateway import Transport
from auditstream_sdk.ids import new_id
from auditstream_sdk.logs import Log, MemoryLog
from auditstream_sdk.notices import LOGGER, Notices
from auditstream_sdk.pending import Gap, Pending, Waiter
from auditstream_sdk.recording import Captured
from auditstream_sdk.records import Kind, Record
from auditstream_sdk.reports import Reporter
from auditstream_sdk.settings import Settings
from auditstream_sdk.spool import SpoolLog, own_log
from auditstream_sdk.state_page import Facts, current_boot
from auditstream_sdk.writing import Writer, fail

_ADOPT_EVERY_S = 30.0
_SYNC_EVERY_S = 1.0
_LONGEST_WAIT_S = 5.0
_SHORTEST_WAIT_S = 0.005
_AFTER_FAULT_S = 1.0
_ROOM_POLL_S = 0.001


class Instance:
    """A client's run.

    Args:
        settings: Its settings.
        transport: Where events go.
        defaults: Envelope fields that all its events have.
        protect: What every event goes through before it is written down.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        defaults: Mapping[str, Any],
        protect: Protect | None = None,
    ) -> None:
        started_ms = time_ns() // 1_000_000
        self.id = new_id(started_ms)
        self._settings = settings
        self._transport = transport
        self._notices = Notices()
        self._log = self._own_log(started_ms)
        self._pending = Pending(settings.queue_events, settings.queue_bytes, self._on_recorded())
        reporter = Reporter(settings.source, self.id, started_ms, settings.heartbeat_s, defaults, protect)
        self._writer = Writer(
            settings,
            self._log,
            self._pending,
            reporter=reporter,
            defaults=defaults,
            notices=self._notices,
            protect=protect,
        )
        self._is_protecting = protect is not None
        self._delivery = Delivery(
            settings,
            transport,
            self._notices,
            lock=self._writer.lock,
            refused=self._report_refused,
            told=self._tell,
            settled=self._on_settled,
        )
        self._delivery.logs.append(self._log)
        self._settled = 0
        self._progress = threading.Condition()
        self._flushes = 0
        self._close_by: float | None = None
        self._is_ended = False
        self._bell = threading.Event()
        self._is_asleep = False
        self._beat_at = monotonic() + settings.heartbeat_s
        self._adopt_at = 0.0
        self._sync_at = 0.0
        self._half = max(1, settings.queue_events // 2)
        self._thread = threading.Thread(target=self._run, name="auditstream-sdk", daemon=True)
        self._thread.start()

    def _own_log(self, started_ms: int) -> Log:
        settings, folder = self._settings, self._settings.spool_folder
        if folder is not None:
            facts = Facts(
                self.id,
                settings.source,
                settings.tenant,
                settings.key_fingerprint,
                current_boot(),
                started_ms,
            )
            try:
                log = own_log(folder, facts, settings.spool_bytes)
            except (OSError, ValueError) as error:
                self._notices.error(
                    "spool", "no spool: %s; events that are not sent are lost with the process", error
                )
            else:
                return log
        return MemoryLog(self.id, settings.queue_bytes)

    def _on_recorded(self) -> Callable[[int], object]:
        return self._log.page.set_recorded if isinstance(self._log, SpoolLog) else lambda _: None

    # What callers do.

    def put(self, captured: Captured, waiter: Waiter | None = None) -> bool:
        """Queue an event; False when it was dropped, which is counted and will be told of.

        Raises:
            ClosedError: The client was closed.
        """
        if not self._pending.put(captured, waiter) and not self._put_after_help(captured, waiter):
            self._pending.drop("spool_full" if self._writer.is_stalled else "queue_full")
            return False
        if waiter is not None:
            self._bell.set()
        elif self._is_asleep or len(self._pending) == self._half:
            self._is_asleep = False
            self._bell.set()
        return True

    def _put_after_help(self, captured: Captured, waiter: Waiter | None) -> bool:
        if self._is_protecting:  # it may ask the gateway for keys: no caller waits for those
            return self._put_after_wait(captured, waiter)
        if self._writer.lock.acquire(timeout=self._settings.queue_wait_s):
            try:
                self._writer.drain()
            except OSError as error:
                self._complain(error)
            finally:
                self._writer.lock.release()
        return self._pending.put(captured, waiter)

    def _put_after_wait(self, captured: Captured, waiter: Waiter | None) -> bool:
        until = monotonic() + self._settings.queue_wait_s
        while monotonic() < until:
            self._bell.set()
            sleep(_ROOM_POLL_S)
            if self._pending.put(captured, waiter):
                return True
        return False

    def withdraw(self, captured: Captured) -> None:
        """Forget who waits for an event."""
        self._pending.waiters.pop(captured.sequence, None)

    def flush(self, deadline_s: float) -> bool:
        """Wait until all that was recorded so far is acknowledged, or refused and told of; whether it is."""
        target, until = self._pending.last, monotonic() + deadline_s
        with self._progress:
            self._flushes += 1
            self._delivery.pacing.hurry()
            self._bell.set()
            try:
                while self._settled < target and not self._is_ended:
                    left = until - monotonic()
                    if left <= 0:
                        break
                    self._progress.wait(left)
            finally:
                self._flushes -= 1
        return self._settled >= target

    def close(self, deadline_s: float) -> bool:
        """Send what there is within a deadline, write down the rest, and end; whether all was sent."""
        if self._close_by is None:
            self._close_by = monotonic() + deadline_s
            self._delivery.pacing.hurry()
        self._bell.set()
        self._thread.join(deadline_s + 0.5)
        if self._thread.is_alive():  # in a request that outlasts the deadline: it ends with the process
            self._write_down()
        left = self._pending.last - self._settled
        if left > 0 and isinstance(self._log, MemoryLog):
            LOGGER.error("%d events were not sent and had no spool: they are lost", left)
        return left <= 0

    def abandon(self) -> None:
        """Forget everything without touching it: in a forked child it is the parent's."""
        for log in self._delivery.logs:
            if isinstance(log, SpoolLog):
                log.abandon()
        self._transport.abandon()

    @property
    def dropped(self) -> int:
        """Events lost so far that were told of."""
        return self._writer.dropped

    @property
    def unsettled(self) -> int:
        """Events recorded that are not acknowledged, refused or dropped."""
        return self._pending.last - self._settled

    # What the thread does.

    def _run(self) -> None:
        while not self._is_ended:
            try:
                is_busy = self._work()
            except OSError as error:
                self._complain(error)
                is_busy = False
            except Exception:  # noqa: BLE001
                # A fault of ours must not end the thread: events would pile up without a word.
                LOGGER.exception("a fault in the background thread; it goes on")
                self._bell.wait(_AFTER_FAULT_S)
                is_busy = False
            if self._close_by is not None and self._may_end():
                self._end()
            elif not is_busy:
                self._wait()

    def _work(self) -> bool:
        with self._writer.lock:
            self._writer.drain()
        self._beat()
        self._adopt()
        self._sync()
        return self._is_due() and self._delivery.step(self._drain_meanwhile)

    def _drain_meanwhile(self) -> None:
        if len(self._pending):
            try:
                with self._writer.lock:
                    self._writer.drain()
            except OSError as error:
                self._complain(error)

    def _report_refused(self, log: Log, gap: Gap) -> None:
        with self._writer.lock:
            if log is self._log:
                self._writer.report_loss(gap)
            elif isinstance(log, SpoolLog):
                report(log, reporter_of(log, self._settings), gap)

    def _tell(self, record: Record, outcome: Outcome | None) -> None:
        waiter = self._pending.waiters.pop(record.number, None) if record.kind is Kind.EVENT else None
        if waiter is None:
            return
        event_id = record.event_id
        if isinstance(outcome, Refusal):
            message = f"{outcome.code}: {outcome.detail}"
            fail(waiter, RefusedError(message, event_id=event_id, reason=outcome.code))
        elif outcome is None:
            held = self._delivery.held
            why = f"refuses this client ({held.code}: {held.detail})" if held else "gives no acknowledgement"
            message = f"the gateway {why}; the event waits in the spool"
            fail(waiter, NotAcknowledgedError(message, event_id=event_id))
        else:
            waiter.set_result(outcome) if waiter.set_running_or_notify_cancel() else None

    def _on_settled(self, log: Log, number: int) -> None:
        if log is not self._log:
            return
        self._writer.settled(number)
        with self._progress:
            self._settled = number
            self._progress.notify_all()

    def _is_due(self) -> bool:
        if (
            self._flushes
            or self._close_by is not None
            or self._pending.waiters
            or len(self._delivery.logs) > 1
        ):
            return True
        unsent, settings = self._writer.unsent, self._settings
        if not unsent:
            return False
        return (
            time_ns() - unsent[0].written_ns >= settings.batch_age_s * 1e9
            or sum(each.count for each in unsent) >= settings.batch_events
            or sum(each.size_bytes for each in unsent) >= settings.batch_bytes
        )

    def _beat(self) -> None:
        if self._settings.heartbeat_s and monotonic() >= self._beat_at:
            self._beat_at = monotonic() + self._settings.heartbeat_s
            with self._writer.lock:
                self._writer.write_heartbeat()

    def _adopt(self) -> None:
        logs, folder = self._delivery.logs, self._settings.spool_folder
        for log in list(logs):
            if not isinstance(log, SpoolLog):
                continue
            if log.damages:
                with self._writer.lock:
                    report_damage(log, reporter_of(log, self._settings))
            if log is not self._log and log.is_settled:
                self._delivery.forget(log)
                log.close()
                self._adopt_at = 0.0  # there may be more of them than are sent at once
        if folder is not None and isinstance(self._log, SpoolLog) and monotonic() >= self._adopt_at:
            found = adopted(self._settings, folder, {log.instance for log in logs}, self._notices)
            if found is not None:
                logs.append(found)  # and look for another one at the next turn
            else:
                self._adopt_at = monotonic() + _ADOPT_EVERY_S

    def _sync(self) -> None:
        policy = self._settings.fsync
        if (
            self._writer.is_unsynced
            and policy != "never"
            and (policy == "always" or monotonic() >= self._sync_at)
        ):
            self._sync_at = monotonic() + _SYNC_EVERY_S
            self._writer.is_unsynced = False
            self._log.sync()

    @property
    def _is_pressed(self) -> bool:
        """Whether somebody waits for what was recorded."""
        return bool(self._flushes or self._close_by is not None or self._pending.waiters)

    def _wait(self) -> None:
        """Wait for something to do; after being woken, a moment more, so that events come together.

        Who rings changes what is looked at here first, and the bell is cleared before that is looked at: so
        no ring is missed.
        """
        self._bell.clear()
        if self._is_pressed:  # but nothing can be done now: the gateway is away, or the spool is full
            pause_s = min(self._delivery.pacing.wait_s, self._settings.linger_s)
            self._bell.wait(max(pause_s, _SHORTEST_WAIT_S))
            return
        self._is_asleep = True
        if not len(self._pending) and not self._is_pressed:
            self._bell.wait(self._idle_s())
        self._is_asleep = False
        self._bell.clear()
        if not self._is_pressed:
            self._bell.wait(self._settings.linger_s)

    def _idle_s(self) -> float:
        waits = [_LONGEST_WAIT_S]
        if self._settings.heartbeat_s:
            waits.append(self._beat_at - monotonic())
        unsent = self._writer.unsent
        if unsent:
            age_s = (time_ns() - unsent[0].written_ns) / 1e9
            waits.append(max(self._settings.batch_age_s - age_s, self._delivery.pacing.wait_s))
        return max(0.0, min(waits))

    def _may_end(self) -> bool:
        is_over = monotonic() >= (self._close_by or 0.0)
        is_sent = self._settled >= self._pending.last and not len(self._pending) and not self._writer.unsent
        return is_over or is_sent or self._delivery.held is not None

    def _end(self) -> None:
        self._write_down()
        with suppress(OSError):  # a last attempt for the last heartbeat, if there is time
            for _ in self._delivery.logs:
                if monotonic() < (self._close_by or 0.0) and self._delivery.held is None:
                    self._delivery.pacing.hurry()
                    self._delivery.step(lambda: None)
        with self._writer.lock:
            self._writer.is_ended = True
            for log in self._delivery.logs:
                log.close()
        self._transport.close()
        with self._progress:
            self._is_ended = True
            self._progress.notify_all()

    def _write_down(self) -> None:
        """Write everything in memory to the log, with a last heartbeat, and say that it is complete.

        Who closes and the thread may both come here; who comes when the thread has let go of the log finds
        it written.
        """
        self._pending.close()
        with self._writer.lock:
            if self._writer.is_ended:
                return
            try:
                self._write_last()
            except OSError as error:
                self._complain(error)

    def _write_last(self) -> None:
        self._writer.drain()
        if self._settings.heartbeat_s and self._pending.last:
            self._writer.write_heartbeat()
        if isinstance(self._log, SpoolLog) and not self._writer.is_stalled:
            if self._settings.fsync != "never":
                self._log.sync()
            self._log.page.set_complete()

    def _complain(self, error: OSError) -> None:
        self._notices.error(
            "disk", "the spool cannot be used: %s; what the queue cannot hold is dropped", error
        )
