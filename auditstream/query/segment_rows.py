"""Segments as rows tell them: dense, one behind the other, in the range of offsets that their id names."""

from __future__ import annotations

from dataclasses import dataclass

from auditstream.query.reader import Reader

# What rows themselves say, not what a projection keeps of them.
_AS_STORED = "SETTINGS optimize_use_projections = 0"
_SEGMENTS = f"""
SELECT segment_id, min(leaf_index) AS first_index, max(leaf_index) AS last_index, count() AS leaves,
    min(kafka_offset) AS first_offset, max(kafka_offset) AS last_offset,
    countIf(kafka_topic != {{topic:String}} OR kafka_partition != {{partition:Int32}}) AS elsewhere,
    uniqExact(e.ingest_day) AS days, countIf(leaf_index < {{size:UInt64}}) AS below,
    toInt64(toUnixTimestamp64Milli(now64(3))) - toInt64(toUnixTimestamp64Milli(min(e.inserted_at))) AS age_ms
FROM events AS e WHERE log_id = {{log:String}}
GROUP BY segment_id ORDER BY first_index, segment_id {_AS_STORED}"""


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """The rows of one segment.

    Attributes:
        segment_id: Its id, as rows have it.
        first_index: Lowest leaf index.
        last_index: Highest leaf index.
        rows: How many there are.
        first_offset: Lowest Kafka offset.
        last_offset: Highest Kafka offset.
        elsewhere: Rows that name another topic or partition than their log.
        days: Table partitions that they are in.
        below: Rows with an index below the size that was asked about.
        age_s: Seconds since the oldest was inserted, by the store's clock.
    """

    segment_id: str
    first_index: int
    last_index: int
    rows: int
    first_offset: int
    last_offset: int
    elsewhere: int
    days: int
    below: int
    age_s: float


def segment_rows(reader: Reader, log_id: str, size: int = 0) -> list[SegmentRows]:
    """Return the segments of a log in the order of leaves, however they are stored.

    Args:
        reader: What asks the store.
        log_id: The log, as `topic/partition/epoch`.
        size: Leaves of which a checkpoint tells.

    Raises:
        RetryableError: No answer.
    """
    topic, partition, _ = log_id.split("/")
    asked = {"log": log_id, "topic": topic, "partition": int(partition), "size": size}
    found = reader.table(_SEGMENTS, asked, doing=f"segments of {log_id}")
    return [
        SegmentRows(
            segment_id=str(row["segment_id"]),
            first_index=int(row["first_index"]),
            last_index=int(row["last_index"]),
            rows=int(row["leaves"]),
            first_offset=int(row["first_offset"]),
            last_offset=int(row["last_offset"]),
            elsewhere=int(row["elsewhere"]),
            days=int(row["days"]),
            below=int(row["below"]),
            age_s=int(row["age_ms"]) / 1000,
        )
        for row in found.records()
    ]
