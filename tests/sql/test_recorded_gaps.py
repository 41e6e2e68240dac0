"""The row of lost offsets, read back and made again as a deep verification does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from auditstream.core.ports import Block, Lost, Plan, Segment
from auditstream.evidence.derived import differing
from sinks.clients import ClientPool
from sinks.recorded_segments import RecordedSegments
from streams.lost_offsets import lost_batch
from tests.support.recorders import LOG, recorder_of
from tests.support.stores import ClickHouseStore, OpenClient

PLAN = Plan(5, 11, 3, date(2026, 3, 1), lost=Lost("never_written", 1_772_323_200_001))


@pytest.fixture
def segments(engine: OpenClient, store: ClickHouseStore) -> Iterator[RecordedSegments]:
    clients = ClientPool(lambda: engine(str(store.client.database)))
    yield RecordedSegments(clients)
    clients.close()


def block() -> Block:
    batch = lost_batch(LOG, PLAN)
    return recorder_of().build(Segment(LOG, PLAN, batch.offsets, batch.values, batch.timestamps_ms))


def differences(segments: RecordedSegments, segment_id: str) -> set[str]:
    recorded = segments.read(LOG, segment_id, PLAN.first_index)
    assert recorded is not None
    made = recorder_of().build(recorded.segment, recorded.refused).frame
    return {each.what for each in differing("origin", made, recorded, segments.nullable())}


def test_it_gives_its_plan_and_every_column_again(segments: RecordedSegments, store: ClickHouseStore) -> None:
    store.insert(block())

    recorded = segments.read(LOG, f"{LOG}/5-11", 3)

    assert recorded is not None
    assert recorded.segment.plan == PLAN
    assert differences(segments, f"{LOG}/5-11") == set()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("raw", b"auditstream-gap/v1\nx\n5\n6\nnever_written\n"),
        ("reject_detail", "nothing was lost"),
        ("kafka_offset", 6),
        ("tenant_id", "acme"),
    ],
)
def test_another_value_in_a_column_is_found(
    segments: RecordedSegments, store: ClickHouseStore, column: str, value: object
) -> None:
    honest = block()
    forged = pl.Series(column, [value], dtype=honest.frame.schema.get(column, pl.String()))
    store.insert(replace(honest, frame=honest.frame.with_columns(forged)))

    assert column in differences(segments, f"{LOG}/5-11")


def test_a_range_that_its_segment_does_not_name_is_found(
    segments: RecordedSegments, store: ClickHouseStore
) -> None:
    honest, other = block(), f"{LOG}/5-30"
    frame = honest.frame.with_columns(segment_id=pl.lit(other))
    store.insert(replace(honest, segment_id=other, frame=frame))

    assert {"raw", "leaf_hash"} <= differences(segments, other)
