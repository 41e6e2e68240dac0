"""Usage deltas: what a segment adds to each tenant's usage, by the minute of event time.

Events count as in the rollup `usage_1m`: what is no repeat and no further report of a call, gross, with null
as nothing. A replay makes the same bytes: nothing but the segment goes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.core.ports import LogId, Outbound, Segment
from schemas.codec import encode_prepared
from schemas.column_encoder import AtMostOne, encoded_rows
from schemas.encoder import writer_of
from schemas.packaged import schema_json
from streams.recording.credential_entities import credential_entities_of
from streams.recording.decoded import Decoded
from streams.recording.usage_entities import entities_of
from streams.recording.usage_lines import Lines, lines_of

_MOST_LINES = 128
"""Lines of one message. With every text at its longest a line has 6.5 kB, so that a message stays below the
1 MB that a topic takes unless told otherwise; usually a line has 150 bytes."""

_NO_LINES = b"\x00"
"""An array without items in Avro; also the end of one."""


def usage_deltas(segment: Segment, decoded: Decoded, *, topic: str, prefix: bytes) -> Iterator[Outbound]:
    """Yield the messages of a segment's events, by tenant and part.

    The key is the tenant; the header `usage_delta_id` (segment, part, tenant) is the same at every replay, so
    that readers can drop repeats.

    Args:
        segment: The segment.
        decoded: Its events: attributed, priced, and marked with `duplicate_of` and `same_call_as`.
        topic: Topic of usage deltas.
        prefix: What goes before a datum.
    """
    events = _counted(decoded.events)
    if events.is_empty():
        return
    lines = lines_of(events)
    written = _Written.of(lines)
    entities = entities_of(events)
    of_credentials = credential_entities_of(events, segment.plan.first_index)
    watermark, recorded_from, recorded_until = _times(segment, decoded)
    for tenant, numbers in lines.tenants():
        named = [*entities.get(tenant, []), *of_credentials.get(tenant, [])]
        parts = [numbers[start : start + _MOST_LINES] for start in range(0, len(numbers), _MOST_LINES)]
        for part, of_part in enumerate(parts):
            datum = {
                "log_id": str(segment.log),
                "segment_id": segment.id,
                "segment_index": segment.plan.first_index,
                "part": part,
                "parts": len(parts),
                "tenant_id": tenant,
                "watermark": watermark,
                "reference_revision": segment.plan.reference_revision,
                "recorded_from": recorded_from,
                "recorded_until": recorded_until,
                "entities": named if part == 0 else [],
            }
            head = encode_prepared(datum, "usage_delta").removesuffix(_NO_LINES)
            yield Outbound(
                topic=topic,
                key=tenant.encode(),
                value=prefix + head + written.array(of_part),
                headers=[("usage_delta_id", f"{segment.id}/{part}/{tenant}".encode())],
            )


def usage_heartbeat(
    log: LogId, next_index: int, quiet_until_us: int, *, topic: str, prefix: bytes
) -> Outbound:
    """Return the heartbeat of a log, which goes to every partition.

    Args:
        log: The log.
        next_index: Leaf index that its next segment begins with: what is below it has been published.
        quiet_until_us: Broker time until when nothing more came; 0 where something may be left.
        topic: Topic of usage deltas.
        prefix: What goes before a datum.
    """
    datum = {
        "log_id": str(log),
        "segment_id": "",
        "segment_index": next_index,
        "tenant_id": "",
        "watermark": 0,
        "recorded_until": quiet_until_us,
    }
    return Outbound(topic=topic, key=b"", value=prefix + encode_prepared(datum, "usage_delta"))


def _counted(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events that count; most often all do, and a filter copies every column."""
    marks = ("duplicate_of", "same_call_as")
    if all(events.get_column(name).null_count() == events.height for name in marks):
        return events
    return events.filter(pl.col(name).is_null() for name in marks)


def _times(segment: Segment, decoded: Decoded) -> tuple[int, int, int]:
    """Return the segment's watermark, and the broker times of its first and last record, in microseconds.

    The watermark is the highest event time, none taken as later than its broker time: a producer's clock that
    is ahead would otherwise close minutes that are not over.
    """
    times = decoded.events.get_column("event_time").to_physical().to_numpy()
    stamps = np.asarray(segment.timestamps_ms, np.int64)
    recorded_from, recorded_until = int(stamps.min()) * 1_000, int(stamps.max()) * 1_000
    if len(times) < len(segment):
        stamps = stamps[np.asarray(decoded.positions)]
    return int(np.minimum(times, stamps * 1_000).max()), recorded_from, recorded_until


@dataclass(frozen=True, slots=True)
class _Written:
    """Lines as Avro, one after the other."""

    data: memoryview
    borders: NDArray[np.int32]

    @classmethod
    def of(cls, lines: Lines) -> _Written:
        currency = lines.dimensions["currency"]
        is_priced = (currency != "").to_numpy() if isinstance(currency, pl.Series) else bool(currency)
        columns = {
            **lines.dimensions,
            **lines.counts,
            "latency_bins": lines.durations,
            "latency_counts": lines.duration_counts,
            "costs": AtMostOne(is_priced, {"currency": currency, **lines.amounts}),
        }
        encoded = encoded_rows(_line_schema(), columns, len(lines))
        _, borders, data = encoded.buffers()
        return cls(memoryview(data), np.frombuffer(borders, np.int32, len(lines) + 1))

    def array(self, numbers: range) -> bytes:
        """Return some lines as an array, with its end."""
        lines = self.data[self.borders[numbers.start] : self.borders[numbers.stop]]
        return b"".join((writer_of("long")(len(numbers)), lines, _NO_LINES))


@cache
def _line_schema() -> Any:
    """Return the schema of lines, which are a delta's last field: they go behind the rest of it."""
    last = schema_json("usage_delta")["fields"][-1]
    assert last["name"] == "lines"
    return last["type"]["items"]
