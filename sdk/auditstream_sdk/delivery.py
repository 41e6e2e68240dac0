"""Batches from the logs to the transport: acknowledged events are settled, refused ones told of first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from time import time_ns

from auditstream_sdk.answers import Answer, Course, Outcome, Refusal
from auditstream_sdk.gateway import Transport
from auditstream_sdk.logs import Log
from auditstream_sdk.notices import Notices
from auditstream_sdk.pacing import Pacing
from auditstream_sdk.pending import Gap
from auditstream_sdk.records import Kind, Record
from auditstream_sdk.settings import Settings

Refused = Callable[[Log, Gap], None]
Told = Callable[[Record, Outcome | None], None]
Settled = Callable[[Log, int], None]


@dataclass
class _Batch:
    """What was read of a log and is not settled.

    Attributes:
        log: The log.
        records: The records, in order.
        open: Places of those without an outcome.
        width: How many may be sent at once.
    """

    log: Log
    records: list[Record]
    open: list[int] = field(default_factory=list)
    width: int = 0

    def __post_init__(self) -> None:
        self.open = list(range(len(self.records)))
        self.width = len(self.records)


class Delivery:
    """Sends what the logs hold, one batch at a time.

    Args:
        settings: Sizes and pauses.
        transport: Where to.
        notices: What is said once.
        lock: Held while a log is read or settled, never while something is sent.
        refused: Writes the report of refused events to a log; they are settled after it returned.
        told: Is told of the outcome of each event of the first log; None when nobody will tell soon.
        settled: Is told up to which number a log is settled.

    Attributes:
        pacing: When the next request may go out.
        logs: What is sent: the instance's own log first, then adopted ones.
        held: Why the gateway refused key or address at the last attempt; None when it did not.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        notices: Notices,
        *,
        lock: Lock,
        refused: Refused,
        told: Told,
        settled: Settled,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._notices = notices
        self._lock = lock
        self._refused = refused
        self._told = told
        self._settled = settled
        self.held: Refusal | None = None
        self._batch: _Batch | None = None
        self._turn = 0
        self._is_own_turn = False
        self.pacing = Pacing(settings.retry_first_s, settings.retry_most_s)
        self.logs: list[Log] = []

    def step(self, idle: Callable[[], None]) -> bool:
        """Send one request if there is anything to send and now is the time; whether one was sent.

        Raises:
            OSError: A log cannot be read or written.
        """
        if self.pacing.wait_s > 0:
            return False
        batch = self._batch or self._next_batch()
        if batch is None:
            return False
        self._batch = batch
        places = batch.open[: batch.width]
        sent = [batch.records[place] for place in places]
        self._take(batch, places, sent, self._transport.send(sent, idle))
        if not batch.open:
            with self._lock:
                batch.log.settle(len(batch.records))
            self._batch = None
            self._settled(batch.log, batch.records[-1].number)
        return True

    def _next_batch(self) -> _Batch | None:
        """Return the next records: every other batch is the own log's, adopted logs take turns in between."""
        own, *others = self.logs
        self._is_own_turn = not self._is_own_turn
        if others:
            self._turn = (self._turn + 1) % len(others)
            others = others[self._turn :] + others[: self._turn]
        for log in (own, *others) if self._is_own_turn else (*others, own):
            with self._lock:
                records = log.read(self._settings.batch_events, self._settings.batch_bytes)
            if records:
                return _Batch(log, records)
        return None

    def forget(self, log: Log) -> None:
        """Leave a log out from now on."""
        self.logs.remove(log)
        if self._batch is not None and self._batch.log is log:
            self._batch = None

    def _take(self, batch: _Batch, places: Sequence[int], sent: Sequence[Record], answer: Answer) -> None:
        if answer.course is Course.SPLIT and len(sent) == 1:
            answer = Answer(Course.SETTLED, {0: answer.reason})
        if answer.course is Course.SETTLED:
            self._settle(batch, places, answer)
        elif answer.course is Course.SPLIT:
            batch.width = len(sent) // 2
        elif answer.course is Course.AGAIN:
            self.pacing.failed(answer.retry_after_s)
            self._notices.warning(
                "away", "the gateway does not take events: %s; they wait in the spool", answer.reason.detail
            )
        else:
            self.held = answer.reason
            self.pacing.held(max(self._settings.held_retry_s, answer.retry_after_s or 0.0))
            self._notices.error(
                "held",
                "the gateway refuses this client (%s: %s); events wait in the spool until key or address "
                "are corrected",
                answer.reason.code,
                answer.reason.detail,
            )
            for record in batch.records if batch.log is self.logs[0] else ():
                self._told(record, None)

    def _settle(self, batch: _Batch, places: Sequence[int], answer: Answer) -> None:
        outcomes = {places[index]: outcome for index, outcome in answer.outcomes.items()}
        self._report(batch, {k: v for k, v in outcomes.items() if isinstance(v, Refusal)})
        for place, outcome in outcomes.items():
            if batch.log is self.logs[0]:
                is_word = isinstance(outcome, Refusal) or not answer.is_queued_only
                self._told(batch.records[place], outcome if is_word else None)
        batch.open = [place for place in batch.open if place not in outcomes]
        batch.width = min(max(batch.width, 1) * 2, len(batch.records))
        if not outcomes:
            self.pacing.failed()
            self._notices.warning("silent", "the gateway's answer tells of no event (%s)", answer.reason.code)
            return
        self.pacing.succeeded()
        self.held = None
        self._notices.over("away", "the gateway takes events again")
        self._notices.over("held", "the gateway takes events of this client again")
        if answer.is_queued_only:
            self._notices.warning(
                "queued", "the gateway's route answers before Kafka does: what its queue loses, it tells of"
            )

    def _report(self, batch: _Batch, refusals: dict[int, Refusal]) -> None:
        """Write a report for every run of events that were refused for the same reason."""
        gap: Gap | None = None
        for place, refusal in sorted(refusals.items()):
            record = batch.records[place]
            self._notices.error(
                f"refused {refusal.code}",
                "the gateway refused an event: %s %s",
                refusal.code,
                refusal.field,
            )
            if record.kind is not Kind.EVENT:
                continue  # a report that is refused is not reported: that would never end
            reason = f"refused:{refusal.code}"
            if gap is not None and gap.last == record.number - 1 and gap.reason == reason:
                gap.last = record.number
                continue
            if gap is not None:
                self._refused(batch.log, gap)
            gap = Gap(record.number, record.number, reason, time_ns(), refusal.field)
        if gap is not None:
            self._refused(batch.log, gap)
