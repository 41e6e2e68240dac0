"""Records that are not events: their columns in `events`, and their messages on the dead-letter topic."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from auditstream.core.ports import Outbound, Segment
from streams.recording.decoded import Decoded


def rejection_columns(segment: Segment, decoded: Decoded) -> pl.DataFrame:
    """Return the columns that only dead letters fill, one row a record of the segment."""
    nothing = [""] * len(segment)
    reasons, details = list(nothing), list(nothing)
    for position, rejection in decoded.rejections.items():
        reasons[position], details[position] = rejection.reason, rejection.detail
    return pl.DataFrame(
        {
            "reject_reason": reasons,
            "reject_detail": details,
            "raw_null": [value is None for value in segment.values],
        }
    )


def dead_letters(segment: Segment, decoded: Decoded, topic: str) -> Iterator[Outbound]:
    """Yield the messages of a segment's rejected records, in offset order.

    The value is the original one, a null value null. The key is the source partition; the header
    `dead_letter_id` (log and offset) is the same at every replay, so that readers can drop repeats.
    """
    log = segment.log
    for position in sorted(decoded.rejections):
        rejection = decoded.rejections[position]
        offset = segment.offsets[position]
        original = segment.headers[position] if segment.headers is not None else ()
        yield Outbound(
            topic=topic,
            key=f"{log.topic}:{log.partition}".encode(),
            value=segment.values[position],
            headers=[
                ("dead_letter_id", f"{log}/{offset}".encode()),
                ("reason", rejection.reason.encode()),
                ("detail", rejection.detail.encode()),
                ("source_topic", log.topic.encode()),
                ("source_partition", str(log.partition).encode()),
                ("source_offset", str(offset).encode()),
                ("source_timestamp_ms", str(segment.timestamps_ms[position]).encode()),
                ("source_leaf_index", str(segment.plan.first_index + position).encode()),
                *((f"original.{name}", content) for name, content in original),
            ],
        )
