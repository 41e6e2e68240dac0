"""Segments as rows tell them: dense, one behind the other, in the range of offsets that their id names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from auditstream.query.reader import Reader

# What rows themselves say, not what a projection keeps of them. All logs in one pass: a statement for each
# would read the rows of all, since they lie in one another.
_SEGMENTS = """
SELECT log_id, segment_id, min(leaf_index) AS first_index, max(leaf_index) AS last_index, count() AS leaves,
    min(kafka_offset) AS first_offset, max(kafka_offset) AS last_offset,
    countIf(kafka_topic != transform(log_id, {logs:Array(String)}, {topics:Array(String)}, '')
        OR kafka_partition != transform(log_id, {logs:Array(String)}, {partitions:Array(Int64)}, toInt64(-1))
    ) AS elsewhere,
    groupUniqArray(e.ingest_day) AS days,
    countIf(
        leaf_index < transform(log_id, {logs:Array(String)}, {sizes:Array(UInt64)}, toUInt64(0))) AS below,
    toInt64(toUnixTimestamp64Milli(now64(3))) - toInt64(toUnixTimestamp64Milli(min(e.inserted_at))) AS age_ms
FROM events AS e WHERE <which>
GROUP BY log_id, segment_id ORDER BY log_id, first_index, segment_id SETTINGS optimize_use_projections = 0"""
_THESE_LOGS = "log_id IN {logs:Array(String)}"
_ALL_LOGS = "1"

_MOST_DIGITS = 18  # of a number that an Int64 always holds


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
        days: Table partitions that they are in, in order.
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
    days: tuple[date, ...]
    below: int
    age_s: float


def segment_rows(
    reader: Reader, sizes: Mapping[str, int], *, others: bool = False
) -> dict[str, list[SegmentRows]]:
    """Return the segments of some logs in the order of leaves, however they are stored; all in one pass.

    Args:
        reader: What asks the store.
        sizes: The logs, as `topic/partition/epoch`, and how many leaves of each a checkpoint tells of.
        others: Whether also those of every other log that rows name, as of size 0.

    Returns:
        The segments of each log that was asked for, none where there are no rows; then those of others.

    Raises:
        RetryableError: No answer.
    """
    named = [log_id.split("/") for log_id in sizes]
    asked = {
        "logs": list(sizes),
        "topics": [topic for topic, _, _ in named],
        "partitions": [_number(partition) for _, partition, _ in named],
        "sizes": list(sizes.values()),
    }
    sql = _SEGMENTS.replace("<which>", _ALL_LOGS if others else _THESE_LOGS)
    found = reader.table(sql, asked, doing="segments of the logs")
    segments: dict[str, list[SegmentRows]] = {log_id: [] for log_id in sizes}
    for row in found.records():
        segments.setdefault(str(row["log_id"]), []).append(
            SegmentRows(
                segment_id=str(row["segment_id"]),
                first_index=int(row["first_index"]),
                last_index=int(row["last_index"]),
                rows=int(row["leaves"]),
                first_offset=int(row["first_offset"]),
                last_offset=int(row["last_offset"]),
                elsewhere=int(row["elsewhere"]),
                days=tuple(sorted(row["days"])),
                below=int(row["below"]),
                age_s=int(row["age_ms"]) / 1000,
            )
        )
    return segments


def _number(partition: str) -> int:
    """Return the number of a partition; -1, which no row has, where a folder is called otherwise."""
    return int(partition) if partition.isdecimal() and len(partition) <= _MOST_DIGITS else -1
