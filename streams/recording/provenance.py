"""Where a row comes from and what it commits to: log, segment, leaf, Kafka coordinates, raw bytes."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditstream.core.ports import Segment
from auditstream.ledger.leaves import NO_EVENT_ID, LeafKind, LeafRun, value_hashes
from streams.recording.decoded import Decoded


def provenance(segment: Segment, decoded: Decoded) -> pl.DataFrame:
    """Return the provenance columns of `events`, one row a record of the segment."""
    count = len(segment)
    plan = segment.plan
    kinds = np.full(count, int(LeafKind.EVENT if plan.lost is None else LeafKind.GAP), dtype=np.uint8)
    kinds[list(decoded.rejections)] = int(LeafKind.DEAD_LETTER)
    indexes = range(plan.first_index, plan.first_index + count)
    stamps = pl.Series(segment.timestamps_ms, dtype=pl.Int64)
    return pl.DataFrame(
        {
            "leaf_index": pl.Series(indexes, dtype=pl.UInt64),
            "leaf_kind": kinds,
            "leaf_hash": _leaf_hashes(segment, decoded, kinds),
            "kafka_offset": pl.Series(segment.offsets, dtype=pl.Int64),
            "kafka_timestamp": stamps.cast(pl.Datetime("ms", "UTC")),
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


def _leaf_hashes(segment: Segment, decoded: Decoded, kinds: np.ndarray) -> pl.Series:
    event_ids = decoded.events["event_id"].to_list()
    if len(event_ids) < len(segment):
        known = dict(zip(decoded.positions, event_ids, strict=True))
        event_ids = [known.get(position, NO_EVENT_ID) for position in range(len(segment))]
    run = LeafRun(
        kinds=kinds,
        first_index=segment.plan.first_index,
        offsets=np.fromiter(segment.offsets, np.uint64, len(segment)),
        timestamps_ms=np.fromiter(segment.timestamps_ms, np.uint64, len(segment)),
        event_ids=event_ids,
        value_sha256=value_hashes(segment.values),
    )
    return pl.Series(run.hashes(), dtype=pl.Binary)
