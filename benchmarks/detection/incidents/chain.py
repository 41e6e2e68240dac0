"""The whole chain of detection in one process: events in, findings out, by the code of production.

Two logs are recorded segment by segment: rules and sequences see the events, usage deltas go to detection,
what was used is held against the register, and what was spent against the budgets.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from auditstream.core.ports import Block, LogId, Outbound, Plan, Segment
from auditstream.core.settings import KafkaSettings
from auditstream.demo.incident import Told
from auditstream.detection.detector import Detector
from auditstream.detection.known_detectors import watched_detectors
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
from schemas.packaged import schema_json
from schemas.records.detection import Finding
from streams.detecting.delta import DeltaReader
from streams.detecting.partition import PartitionDetection
from streams.recording.assembly import new_recorder

SLICE_US = 600_000_000
"""Ten minutes of each log are a segment: they are judged by minutes whatever their segments are, and a
segment costs some milliseconds. Budgets and assets are looked at once a slice."""

_LOGS = tuple(LogId("audit.events.v1", partition, "5ec0nd") for partition in range(2))
_ROUTE = Route("audit.events.v1", SCHEMA_ID, "http://registry/schemas/ids/1")
_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST_SLICES = 3
"""Slices without events at the end, so that the last minutes are closed."""


class Chain:
    """Detection over the events of one deployment that begins now.

    Args:
        facts: Reference data.
        detectors: Makes the detectors.
    """

    def __init__(
        self, facts: Iterable[Fact], detectors: Callable[[], Sequence[Detector]] = watched_detectors
    ) -> None:
        directory = StatedFacts(facts)
        rules, _ = read_rules(shipped_rules())
        self._kafka = KafkaSettings()
        self._recorder = new_recorder(OneSchema(), NothingRecorded(), directory, self._kafka, rules=rules)
        self._reader = DeltaReader(lambda _: schema_json("usage_delta"))
        self._detection = PartitionDetection(detectors())
        self._looks = AssetLook(directory.snapshot), BudgetLook(directory.snapshot)
        self._next = dict.fromkeys(_LOGS, 0)
        self._told: dict[str, Told] = {}
        self.findings: list[Finding] = []

    def run(self, events: Sequence[Draft]) -> list[Told]:
        """Return what is found in events, each finding as it was first told.

        Args:
            events: Drafts in the order of time, which is when the broker gets them.
        """
        self._hear([self._recorder.heartbeat(log, 0, 0) for log in _LOGS], events[0]["event_time"])
        end_us = events[0]["event_time"] // SLICE_US * SLICE_US
        for end_us, of_slice in _slices(events):
            self._slice(of_slice, end_us)
        for number in range(1, _LAST_SLICES + 1):
            self._slice([], end_us + number * SLICE_US)
        return list(self._told.values())

    def _slice(self, events: Sequence[Draft], end_us: int) -> None:
        blocks = list(self._recorded(events))
        for block in blocks:
            self._tell(_finding(row) for row in block.findings)
            self._hear([each for each in block.outbound if each.topic == self._kafka.usage_topic], end_us)
        beats = [self._recorder.heartbeat(log, self._next[log], end_us) for log in _LOGS]
        self._hear(beats, end_us)
        at = _EPOCH + timedelta(microseconds=end_us)
        for look in self._looks:
            for block in blocks:
                look.take(block.frame)
            self._tell(look.news(at))

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

    def _hear(self, messages: Iterable[Outbound], at_us: int) -> None:
        for message in messages:
            delta = self._reader.read(message.value, message.headers, at_us // 1_000)
            self._tell(self._detection.apply(delta))

    def _tell(self, findings: Iterable[Finding]) -> None:
        for each in findings:
            self.findings.append(each)
            told = Told(
                finding_id=each.finding_id,
                rule=each.rule_id,
                tenant=each.tenant_id,
                scope=each.scope,
                known=each.window_end,
                suppressed_by=each.suppressed_by or "",
            )
            known = self._told.setdefault(each.finding_id, told)
            if told.is_child and not known.is_child:  # a parent that came for it later
                self._told[each.finding_id] = replace(known, suppressed_by=told.suppressed_by)


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
