"""Where a row comes from and what it commits to: log, segment, leaf, Kafka coordinates, raw bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.core.ports import Segment
from auditstream.ledger.leaves import NO_EVENT_ID, LeafKind, LeafRun, value_hash_rows
from schemas.byte_rows import Rows, rows_of, series_of
from streams.recording.decoded import Decoded

_Numbers = NDArray[np.int64]


def provenance(segment: Segment, decoded: Decoded) -> pl.DataFrame:
    """Return the provenance columns of `events`, one row a record of the segment."""
    count = len(segment)
    plan = segment.plan
    kinds = np.full(count, int(LeafKind.EVENT if plan.lost is None else LeafKind.GAP), dtype=np.uint8)
    kinds[list(decoded.rejections)] = int(LeafKind.DEAD_LETTER)
    offsets, stamps = _numbers(segment.offsets), _numbers(segment.timestamps_ms)
    return pl.DataFrame(
        {
            "leaf_index": np.arange(plan.first_index, plan.first_index + count, dtype=np.uint64),
            "leaf_kind": kinds,
            "leaf_hash": _leaf_hashes(segment, decoded, kinds, offsets, stamps),
            "kafka_offset": offsets,
            "kafka_timestamp": pl.Series(stamps).cast(pl.Datetime("ms", "UTC")),
            "schema_id": pl.Series(decoded.schema_ids, dtype=pl.String),
            "raw": pl.Series([value or b"" for value in segment.values], dtype=pl.Binary),
        }
    ).with_columns(
        log_id=pl.lit(str(segment.log)),
        segment_id=pl.lit(segment.id),
        kafka_topic=pl.lit(segment.log.topic),
        kafka_partition=pl.lit(segment.log.partition, dtype=pl.Int32),
        ingest_day=pl.lit(plan.day),
        reference_revision=pl.lit(plan.reference_revision, dtype=pl.UInt64),
        enricher_version=pl.lit(plan.enricher_version, dtype=pl.UInt32),
    )


def _numbers(numbers: Sequence[int]) -> _Numbers:
    if isinstance(numbers, range):
        return np.arange(numbers.start, numbers.stop, numbers.step)
    return np.asarray(numbers, np.int64)


def _leaf_hashes(
    segment: Segment, decoded: Decoded, kinds: NDArray[np.uint8], offsets: _Numbers, stamps: _Numbers
) -> pl.Series:
    run = LeafRun(
        kinds=kinds,
        first_index=segment.plan.first_index,
        offsets=offsets,
        timestamps_ms=stamps,
        event_ids=_event_ids(decoded, len(segment)),
        value_sha256=value_hash_rows(segment.values),
    )
    return series_of("leaf_hash", run.hash_rows())


def _event_ids(decoded: Decoded, count: int) -> Rows:
    """Return the id of each record's event, a row each; zeros where it is none."""
    width = len(NO_EVENT_ID)
    known = rows_of(decoded.events.get_column("event_id"), width)
    if len(known) == count:
        return known
    event_ids = np.zeros((count, width), np.uint8)
    event_ids[list(decoded.positions)] = known
    return event_ids
