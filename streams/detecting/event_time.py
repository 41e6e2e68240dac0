"""How far event time is, when a minute is over, and what of it came in time.

A minute has passed when the first event of a later one is recorded in any log, or a minute of broker time
after the first event of its own. It stays open for a minute of broker time after that, and is closed once
every log is recorded up to there: a log that lags is waited for; one that has nothing says by its heartbeats
up to when it had nothing. Grace is counted in broker time, for that is what events are late in: a producer
that sends an hour at once is as little late with any of it as it would have been at the time.

What counts in a minute follows from what the logs say alone, whatever the order in which they are heard.
Nothing here reads a clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MINUTE_US = 60_000_000

GRACE_US = 60_000_000
"""How much later than the first event behind its minute an event may come and still count, in broker time."""

_HOLD_US = 6 * 60 * MINUTE_US
"""How far behind the first log another one is waited for: what is between is held in memory."""

_SILENT_US = 60 * MINUTE_US
"""After how long without a message a log is not waited for: heartbeats come every few seconds, and a worker's
partitions go to another one within a minute; a topic that was deleted is silent for ever."""

_BEGIN_US = 10_000_000
"""How long nothing is closed where nothing is known: every log tells within seconds that it is there."""

NEVER = -(2**62)


@dataclass(slots=True)
class _Log:
    recorded_us: int = NEVER
    heard_us: int = NEVER


class EventTime:
    """The event time of one partition of the usage topic; in microseconds."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        # Starts of minutes, and when, by the broker's clock, the first event came that is not before one.
        self._starts_us: list[int] = []
        self._when_us: list[int] = []
        self._began_us = self._heard_us = NEVER

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
        """Note that a segment of a log is finished, and the highest event time in it."""
        self.record(log_id, recorded_until_us)
        self._mark(watermark_us // MINUTE_US * MINUTE_US, recorded_until_us)

    def record(self, log_id: str, until_us: int) -> None:
        """Note that all of a log is recorded that Kafka had at a moment."""
        log = self._logs[log_id]
        log.recorded_us = max(log.recorded_us, until_us)

    def now_us(self) -> int:
        """Return the event time before which everything is over; `NEVER` before anything is."""
        if not self._starts_us or self._heard_us < self._began_us + _BEGIN_US:
            return NEVER
        first_us = max(each.recorded_us for each in self._logs.values())
        waited_for = [each for each in self._logs.values() if each.heard_us > self._heard_us - _SILENT_US]
        recorded_us = max(min(each.recorded_us for each in waited_for), first_us - _HOLD_US)
        known = bisect_right(self._when_us, recorded_us - GRACE_US)
        if not known:
            return NEVER
        now_us = self._starts_us[known - 1]
        if self._when_us[known - 1] + MINUTE_US <= recorded_us - GRACE_US:
            now_us += MINUTE_US
        return now_us

    def deadline_us(self, minute: int) -> int:
        """Return the broker time after which a segment begins too late for a minute that is over."""
        start_us = minute * MINUTE_US
        later = bisect_left(self._starts_us, start_us + MINUTE_US)
        passed = self._when_us[later : later + 1]
        if later and self._starts_us[later - 1] == start_us:
            passed.append(self._when_us[later - 1] + MINUTE_US)
        return min(passed, default=-NEVER) + GRACE_US

    def forget(self, until_us: int) -> None:
        """Forget what is needed only for minutes that begin before an event time."""
        past = bisect_left(self._starts_us, until_us)
        del self._starts_us[:past], self._when_us[:past]

    def state(self) -> dict[str, Any]:
        """Return everything that is remembered, as JSON takes it."""
        return {
            "logs": {name: [each.recorded_us, each.heard_us] for name, each in sorted(self._logs.items())},
            "starts": list(self._starts_us),
            "when": list(self._when_us),
            "heard": [self._began_us, self._heard_us],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self._logs = {name: _Log(*each) for name, each in state["logs"].items()}
        self._starts_us, self._when_us = list(state["starts"]), list(state["when"])
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

    def _mark(self, start_us: int, when_us: int) -> None:
        """Note when a minute was reached; of several logs the first one counts, whichever is heard first."""
        place = bisect_left(self._starts_us, start_us)
        if place < len(self._starts_us) and self._when_us[place] <= when_us:
            return  # this minute, or a later one, was reached before
        end = place + (place < len(self._starts_us) and self._starts_us[place] == start_us)
        begin = bisect_left(self._when_us, when_us, 0, place)
        self._starts_us[begin:end], self._when_us[begin:end] = [start_us], [when_us]
