"""How far event time is: the minimum over the source logs, none of which is waited for when it has nothing.

A log's own watermark is the highest event time of its finished segments. A log without traffic has none to
go on, but its heartbeats say until when, by the broker's clock, nothing came. So it is taken to be as far in
event time as the first log was at that moment of broker time: what might still come of it was written later.
Nothing here reads a clock, so a replay of the same messages tells the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINUTE_US = 60_000_000

GRACE_US = 60_000_000
"""How much later than the highest event time of its log an event may come and still count."""

_FLOW_US = GRACE_US + MINUTE_US
"""How far event time goes on where all logs are quiet: enough to close the last minute, and no more, for what
comes next may be of an hour before."""

_HOLD_US = 6 * 60 * MINUTE_US
"""How far behind the first log another one is waited for: what is between is held in memory."""

_SILENT_US = 60 * MINUTE_US
"""After how long without a message a log is not waited for: heartbeats come every few seconds, and a worker's
partitions go to another one within a minute; a topic that was deleted is silent for ever."""

_BEGIN_US = 10_000_000
"""How long nothing is closed where nothing is known: every log tells within seconds that it is there."""

_STEP_US = 1_000_000
"""Marks of the first log's way are at least so far apart."""

NEVER = -(2**62)


@dataclass(slots=True)
class _Log:
    watermark_us: int = NEVER
    quiet_until_us: int = NEVER
    heard_us: int = NEVER


class EventTime:
    """The event time of one partition of the usage topic; in microseconds."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        # When, by the broker's clock, the first log came how far; both ascend.
        self._marks_us: list[int] = []
        self._when_us: list[int] = []
        self._began_us = self._heard_us = NEVER

    def watermark_of(self, log_id: str) -> int:
        """Return the watermark of a log; `NEVER` of one without a finished segment."""
        log = self._logs.get(log_id)
        return NEVER if log is None else log.watermark_us

    def hear(self, log_id: str, written_us: int) -> None:
        """Note that a log told something, be it that it is there."""
        log = self._logs.get(log_id)
        if log is None:
            log = self._logs[log_id] = self._begun(log_id)
        log.heard_us = max(log.heard_us, written_us)
        if self._began_us == NEVER:
            self._began_us = written_us
        self._heard_us = max(self._heard_us, written_us)

    def advance(self, log_id: str, watermark_us: int, recorded_until_us: int) -> None:
        """Note that a segment of a log is finished."""
        log = self._logs[log_id]
        log.watermark_us = max(log.watermark_us, watermark_us)
        if not self._marks_us or watermark_us >= self._marks_us[-1] + _STEP_US:
            self._marks_us.append(watermark_us)
            self._when_us.append(max(recorded_until_us, self._when_us[-1] if self._when_us else NEVER))

    def rest(self, log_id: str, quiet_until_us: int) -> None:
        """Note that all of a log is recorded that Kafka had at a moment."""
        log = self._logs[log_id]
        log.quiet_until_us = max(log.quiet_until_us, quiet_until_us)

    def now_us(self) -> int:
        """Return how far event time is; `NEVER` before anything is known."""
        if not self._marks_us or self._heard_us < self._began_us + _BEGIN_US:
            return NEVER
        first_us = self._marks_us[-1]
        waited_for = [each for each in self._logs.values() if each.heard_us > self._heard_us - _SILENT_US]
        now_us = min((self._reached(each) for each in waited_for), default=NEVER)
        now_us = max(now_us, first_us - _HOLD_US)
        self._forget_marks(now_us)
        return now_us

    def state(self) -> dict[str, Any]:
        """Return everything that is remembered, as JSON takes it."""
        return {
            "logs": {
                name: [each.watermark_us, each.quiet_until_us, each.heard_us]
                for name, each in sorted(self._logs.items())
            },
            "marks": list(self._marks_us),
            "when": list(self._when_us),
            "heard": [self._began_us, self._heard_us],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self._logs = {name: _Log(*each) for name, each in state["logs"].items()}
        self._marks_us, self._when_us = list(state["marks"]), list(state["when"])
        self._began_us, self._heard_us = state["heard"]

    @property
    def logs(self) -> int:
        """How many logs are known."""
        return len(self._logs)

    def _begun(self, log_id: str) -> _Log:
        """Return a new log; an earlier incarnation of its topic has ended."""
        place = log_id.rpartition("/")[0]
        for other in [name for name in self._logs if name.rpartition("/")[0] == place]:
            del self._logs[other]
        return _Log()

    def _reached(self, log: _Log) -> int:
        """Return how far a log is, or was certainly quiet."""
        known = bisect_right(self._when_us, log.quiet_until_us)
        if not known:
            return log.watermark_us
        quiet_us = self._marks_us[known - 1]
        if known == len(self._when_us):
            quiet_us += min(log.quiet_until_us - self._when_us[-1], _FLOW_US)
        return max(log.watermark_us, quiet_us)

    def _forget_marks(self, now_us: int) -> None:
        """Forget marks that nobody is held against any more; the last one before now stays."""
        past = max(bisect_right(self._marks_us, now_us) - 1, 0)
        del self._marks_us[:past], self._when_us[:past]
