"""Usage deltas: what a segment adds to each tenant's usage, by the minute of event time.

Events count as in the rollup `usage_1m`: what is no repeat and no further report of a call, gross, with null
as nothing. A replay makes the same bytes: nothing but the segment goes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl

from auditstream.core.ports import LogId, Outbound, Segment
from schemas.codec import encode_prepared
from streams.recording.decoded import Decoded
from streams.recording.usage_entities import entities_of
from streams.recording.usage_lines import AMOUNTS, COUNTS, DIMENSIONS, Sketch, lines_of

_MOST_LINES = 128
"""Lines of one message. With every text at its longest a line has 6.5 kB, so that a message stays below the
1 MB that a topic takes unless told otherwise; usually a line has 150 bytes."""

_PLAIN = (*DIMENSIONS, *COUNTS)
_PLAIN_PLACES = slice(2, 2 + len(_PLAIN))
_AMOUNT_PLACES = slice(2 + len(_PLAIN), None)


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
    lines, sketches = lines_of(events)
    entities = entities_of(events)
    watermark, recorded_from, recorded_until = _times(segment, decoded)
    rows = lines.select("currency", "tenant_id", *_PLAIN, *AMOUNTS).iter_rows()
    sketch_of = iter(sketches)
    for tenant, group in groupby(rows, key=itemgetter(1)):
        of_tenant = [_line(row, next(sketch_of)) for row in group]
        parts = range(0, len(of_tenant), _MOST_LINES)
        for part, start in enumerate(parts):
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
                "entities": entities.get(tenant, []) if part == 0 else [],
                "lines": of_tenant[start : start + _MOST_LINES],
            }
            yield Outbound(
                topic=topic,
                key=tenant.encode(),
                value=prefix + encode_prepared(datum, "usage_delta"),
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
    stamps = np.fromiter(segment.timestamps_ms, np.int64, len(segment))
    recorded_from, recorded_until = int(stamps.min()) * 1_000, int(stamps.max()) * 1_000
    if len(times) < len(segment):
        stamps = stamps[np.asarray(decoded.positions)]
    return int(np.minimum(times, stamps * 1_000).max()), recorded_from, recorded_until


def _line(row: tuple[Any, ...], sketch: Sketch) -> dict[str, Any]:
    """Return a row of `lines_of` as the datum of a line, in the form that `encode_prepared` takes fastest."""
    line = dict(zip(_PLAIN, row[_PLAIN_PLACES], strict=True))
    events, outcome, currency = line["events"], line["outcome"], row[0]
    line["failures"] = events if outcome == "FAILURE" else 0
    line["blocked"] = events if outcome == "BLOCKED" else 0
    line["latency_bins"], line["latency_counts"] = sketch
    line["costs"] = [_costs(currency, *row[_AMOUNT_PLACES])] if currency else []
    return line


def _costs(currency: str, listed: int, contracted: int, effective: int, billed: int) -> dict[str, Any]:
    """Return the sums of a line as its datum has them; most often the last three are the same."""
    data = _unscaled(contracted)
    return {
        "currency": currency,
        "list": data if listed == contracted else _unscaled(listed),
        "contracted": data,
        "effective": data if effective == contracted else _unscaled(effective),
        "billed": data if billed == contracted else _unscaled(billed),
    }


def _unscaled(amount: int) -> bytes:
    """Return an unscaled decimal as Avro has it: big-endian, two's complement."""
    return amount.to_bytes((amount.bit_length() + 8) // 8, "big", signed=True)
