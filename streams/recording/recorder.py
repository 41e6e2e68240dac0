"""The recorder: one segment in, one block out, the same every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np
import polars as pl

from auditstream.attribution.attributor import DISPUTE, UNATTRIBUTED
from auditstream.core.ports import NOTHING_REFUSED, Block, LogId, Outbound, Segment, Trip
from auditstream.ledger.leaves import NO_EVENT_ID
from schemas.container_reading import abandoned_decodes
from schemas.records.detection import Finding
from streams.recording.dead_letters import dead_letters, rejection_columns
from streams.recording.decoded import Decoded
from streams.recording.disputes import disputes
from streams.recording.duplicates import DuplicateMarker
from streams.recording.gaps import gap_block
from streams.recording.outlets import Outlets, finding_row
from streams.recording.pauses import pause_of
from streams.recording.provenance import provenance
from streams.recording.rule_findings import RuleStage
from streams.recording.same_calls import SameCallMarker, settled
from streams.recording.sequences import SequenceRules
from streams.recording.usage_deltas import usage_deltas, usage_heartbeat


class Decoder(Protocol):
    """Decodes the records of a segment."""

    def decode(self, segment: Segment) -> Decoded:
        """Return the segment's events and rejections; together they are all of its records.

        Raises:
            RetryableError: The registry does not answer.
        """
        ...


class Attributor(Protocol):
    """Says whose events are."""

    def attribute(self, events: pl.DataFrame, *, topic: str, revision: int) -> pl.DataFrame:
        """Return the events with their owners, row for row; pure in what it is given.

        Raises:
            RetryableError: The reference data cannot be read now.
        """
        ...


class Pricer(Protocol):
    """Says what events cost."""

    def price(self, events: pl.DataFrame, *, revision: int) -> pl.DataFrame:
        """Return the events with their costs, row for row; pure in what it is given."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """What a recorder is made of, in the order of the work.

    Attributes:
        decoder: Decodes values.
        attributor: Establishes owners.
        pricer: Computes costs.
        marker: Finds repeats of events that were recorded before.
        calls: Finds further reports of a model call.
        sequences: Finds sequences of events that rules tell of; None makes rows alone.
        rules: Asks the rules; None where nobody would read what they find.
    """

    decoder: Decoder
    attributor: Attributor
    pricer: Pricer
    marker: DuplicateMarker
    calls: SameCallMarker
    sequences: SequenceRules | None = None
    rules: RuleStage | None = None


class SegmentRecorder:
    """Builds blocks for `events`; implements `core.ports.Recorder`.

    Args:
        stages: What it is made of.
        outlets: Where its messages go.
    """

    def __init__(self, stages: Stages, outlets: Outlets) -> None:
        self._stages = stages
        self._outlets = outlets

    def build(self, segment: Segment, refused: Mapping[int, str] = NOTHING_REFUSED) -> Block:
        """Return the segment's block, one row a record; lost offsets are one row.

        Args:
            segment: What to build from.
            refused: By position, events that the store does not take as data, and what it said of each.

        Raises:
            RetryableError: The registry or the store does not answer; the segment waits.
        """
        if segment.plan.lost is not None:
            return gap_block(segment, self._outlets)
        stages, revision = self._stages, segment.plan.reference_revision
        segment = _with_stamps_at_hand(segment)
        decoded = stages.decoder.decode(segment).without(refused)
        marks = stages.marker.mark(segment, decoded)
        events = stages.attributor.attribute(decoded.events, topic=segment.log.topic, revision=revision)
        events = stages.pricer.price(events, revision=revision).with_columns(marks)
        calls = stages.calls.mark(segment, events, list(decoded.positions))
        events = settled(events.with_columns(calls))
        decoded = replace(decoded, events=events)
        seen = list(self._noticed(segment, decoded))
        by_rules: list[Finding] = []
        if stages.rules is not None:
            by_rules += stages.rules.findings(segment, events, list(decoded.positions))
        seen += by_rules
        outbound = [*self._outbound(segment, decoded), *map(self._outlets.finding, seen)]
        decoded = replace(decoded, events=decoded.events.drop(DISPUTE))
        columns = [_spread(decoded, len(segment)), provenance(segment, decoded)]
        if decoded.rejections:
            columns.append(rejection_columns(segment, decoded))
        return Block(
            segment_id=segment.id,
            frame=pl.concat(columns, how="horizontal"),
            outbound=outbound,
            findings=[finding_row(each) for each in seen],
            dead_letters=len(decoded.rejections),
            duplicates=len(marks) - marks.null_count(),
            same_calls=len(calls) - calls.null_count(),
            unpriced=_count(events, "cost_status", "unpriced"),
            unattributed=_count(events, "tenant_id", UNATTRIBUTED),
            rule_findings=Counter(each.rule_id for each in by_rules),
        )

    def pause_finding(self, log: LogId, trip: Trip) -> Outbound:
        """Return the message that says that a partition is paused.

        Raises:
            RetryableError: The registry does not answer.
        """
        return self._outlets.finding(pause_of(log, trip))

    def heartbeat(self, log: LogId, next_index: int, quiet_until_us: int) -> Outbound:
        """Return the message that says how far a log is recorded. Blocks, as `build` does.

        Raises:
            RegistryDownError: The registry does not answer.
        """
        outlets = self._outlets
        return usage_heartbeat(
            log, next_index, quiet_until_us, topic=outlets.usage, prefix=outlets.usage_prefix()
        )

    def _outbound(self, segment: Segment, decoded: Decoded) -> Iterator[Outbound]:
        """Yield what is published once the rows are durable, in the order of the steps."""
        outlets, events = self._outlets, decoded.events
        yield from dead_letters(segment, decoded, outlets.dead_letters)
        if events.get_column("duplicate_of").null_count():
            yield from usage_deltas(segment, decoded, topic=outlets.usage, prefix=outlets.usage_prefix())

    def _noticed(self, segment: Segment, decoded: Decoded) -> Iterator[Finding]:
        """Yield what attribution and rules about sequences found; repeats alone are nothing new."""
        events = decoded.events
        if not events.get_column("duplicate_of").null_count():
            return
        yield from disputes(segment, events)
        if self._stages.sequences is not None:
            yield from self._stages.sequences.findings(segment, events, decoded.positions)

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Forget what the stages remember of other logs, some 100 MB each."""
        stages = self._stages
        for each in (stages.marker, stages.calls, stages.sequences, stages.rules):
            if each is not None:
                each.keep_only(logs)

    def worn_out(self) -> str | None:
        """Return why the process should be replaced: decodes that were abandoned keep cores busy."""
        abandoned = abandoned_decodes()
        return f"{abandoned} decodes were abandoned, each keeps a core busy" if abandoned else None


def _with_stamps_at_hand(segment: Segment) -> Segment:
    """Return the segment with its timestamps as an array: four steps need one, and a list takes its time."""
    stamps = np.fromiter(segment.timestamps_ms, np.int64, len(segment))
    return replace(segment, timestamps_ms=cast("Sequence[int]", stamps))


def _count(events: pl.DataFrame, column: str, value: str) -> int:
    return int(events.get_column(column).eq(value).sum())


def _spread(decoded: Decoded, count: int) -> pl.DataFrame:
    """Return the events' columns with an empty row where a record is not an event."""
    if not decoded.rejections:
        return decoded.events
    row_of: list[int | None] = [None] * count
    for row, position in enumerate(decoded.positions):
        row_of[position] = row
    spread = decoded.events.select(pl.all().gather(pl.Series(row_of, dtype=pl.UInt32)))
    return spread.with_columns(pl.col("event_id").fill_null(NO_EVENT_ID))
