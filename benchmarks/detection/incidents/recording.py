"""What recording makes of events: usage for detection, and the findings that are none of a detector's.

Two logs are recorded segment by segment: rules and sequences see the events, usage deltas go to detection,
what was used is held against the register, and what was spent against the budgets.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from auditstream.core.ports import Block, LogId, Outbound, Plan, Segment
from auditstream.core.settings import KafkaSettings
from auditstream.detection.rules.packaged import shipped_rules
from auditstream.detection.rules.reading import read_rules
from auditstream.emit.message import Route, key_of, message_of
from auditstream.reference.fact import Fact
from benchmarks.detection.incidents.assets import AssetLook
from benchmarks.detection.incidents.budgets import BudgetLook
from benchmarks.detection.incidents.quiet import Draft
from benchmarks.events import SCHEMA_ID
from benchmarks.without_services import NothingRecorded, OneSchema, StatedFacts
from schemas.intake import datum_of
from schemas.records.detection import Finding
from streams.recording.assembly import new_recorder

SLICE_US = 600_000_000
"""Ten minutes of each log are a segment: they are judged by minutes whatever their segments are, and a
segment costs some milliseconds. Budgets and assets are looked at once a slice."""

_LOGS = tuple(LogId("audit.events.v1", partition, "5ec0nd") for partition in range(2))
_ROUTE = Route("audit.events.v1", SCHEMA_ID, "http://registry/schemas/ids/1")
_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST_SLICES = 3
"""Slices without events at the end, so that the last minutes are closed."""


class Slice(msgspec.Struct, frozen=True):
    """What comes of ten minutes.

    Attributes:
        end_us: Their end.
        usage: Messages for detection, in order.
        flagged: Findings of rules and sequences.
        news: Findings of the looks at assets and budgets, at the end.
    """

    end_us: int
    usage: list[Outbound]
    flagged: list[Finding] = []
    news: list[Finding] = []


class Recording:
    """Recording of one deployment that begins now.

    Args:
        facts: Reference data.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        directory = StatedFacts(facts)
        rules, _ = read_rules(shipped_rules())
        self._kafka = KafkaSettings()
        self._recorder = new_recorder(OneSchema(), NothingRecorded(), directory, self._kafka, rules=rules)
        self._looks = AssetLook(directory.snapshot), BudgetLook(directory.snapshot)
        self._next = dict.fromkeys(_LOGS, 0)

    def slices(self, events: Sequence[Draft]) -> Iterator[Slice]:
        """Yield what comes of events, ten minutes at a time; minutes without any too.

        Args:
            events: Drafts in the order of time, which is when the broker gets them.
        """
        yield Slice(events[0]["event_time"], self._beats(0))
        end_us = events[0]["event_time"] // SLICE_US * SLICE_US
        for end_us, of_slice in _slices(events):
            yield self._slice(of_slice, end_us)
        for number in range(1, _LAST_SLICES + 1):
            yield self._slice([], end_us + number * SLICE_US)

    def _slice(self, events: Sequence[Draft], end_us: int) -> Slice:
        blocks = list(self._recorded(events))
        usage = [each for block in blocks for each in block.outbound if each.topic == self._kafka.usage_topic]
        at = _EPOCH + timedelta(microseconds=end_us)
        news: list[Finding] = []
        for look in self._looks:
            for block in blocks:
                look.take(block.frame)
            news += look.news(at)
        flagged = [_finding(row) for block in blocks for row in block.findings]
        return Slice(end_us, usage + self._beats(end_us), flagged, news)

    def _beats(self, at_us: int) -> list[Outbound]:
        return [each for log in _LOGS for each in [self._recorder.heartbeat(log, self._next[log], at_us)]]

    def _recorded(self, events: Sequence[Draft]) -> Iterator[Block]:
        by_log: dict[LogId, list[Draft]] = {}
        for event in events:
            datum = datum_of(event, "audit_event")
            by_log.setdefault(_LOGS[zlib.crc32(key_of(datum)) % len(_LOGS)], []).append(datum)
        for log, datums in sorted(by_log.items(), key=lambda each: each[0].partition):
            first, count = self._next[log], len(datums)
            stamps = [_ms(datum["event_time"]) for datum in datums]
            day = datetime.fromtimestamp(stamps[-1] / 1_000, UTC).date()
            plan = Plan(first, first + count - 1, first, day, reference_revision=StatedFacts.REVISION)
            values = [message_of(datum, _ROUTE).value for datum in datums]
            yield self._recorder.build(Segment(log, plan, range(first, first + count), values, stamps))
            self._next[log] = first + count


def _slices(events: Sequence[Draft]) -> Iterator[tuple[int, Sequence[Draft]]]:
    """Yield the end of each slice, and its events; slices without any too."""
    end_us = (events[0]["event_time"] // SLICE_US + 1) * SLICE_US
    begin = 0
    for place, event in enumerate(events):
        while event["event_time"] >= end_us:
            yield end_us, events[begin:place]
            begin, end_us = place, end_us + SLICE_US
    yield end_us, events[begin:]


def _finding(row: Mapping[str, Any]) -> Finding:
    return Finding(**row)


def _ms(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)
