"""Usage deltas: what a segment adds to each tenant's usage, by the minute of event time.

Events count as in the rollup `usage_1m`: what is no repeat and no further report of a call, gross, with null
as nothing. A replay makes the
same bytes: groups are sorted, sums are exact whatever their order, and nothing but the segment goes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl

from auditstream.core.ports import Outbound, Segment
from schemas.codec import encode_prepared
from streams.recording.decoded import Decoded

_MOST_LINES = 128
"""Lines of one message. With every text at its longest a line has 6.5 kB, so that a message stays below the
1 MB that a topic takes unless told otherwise; usually a line has 150 bytes."""

_LONGEST = 256
"""Characters of a dimension; what is longer is cut, for it is nobody's name."""

_MAX_LONG = 2**63 - 1
_MINUTE_US = 60_000_000

_TOKENS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip
_AMOUNTS = ("list", "contracted", "effective", "billed")
_COUNTS = ("events", *_TOKENS, "unpriced", "timed", "duration_sum_us", "duration_max_us")
_DIMENSIONS = (
    "minute", "project_id", "environment", "credential_id", "agent_id", "provider", "model",
    "event_type", "outcome",
)  # fmt: skip
_KEY = ("tenant_id", *_DIMENSIONS, "currency")
_PLAIN = (*_DIMENSIONS, *_COUNTS)
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
    counted = pl.col("duplicate_of").is_null() & pl.col("same_call_as").is_null()
    lines = _summed(decoded.events.filter(counted))
    watermark = _watermark(segment, decoded)
    rows = lines.select("currency", "tenant_id", *_PLAIN, *_AMOUNTS).iter_rows()
    for tenant, group in groupby(rows, key=itemgetter(1)):
        of_tenant = [_line(row) for row in group]
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
                "lines": of_tenant[start : start + _MOST_LINES],
            }
            yield Outbound(
                topic=topic,
                key=tenant.encode(),
                value=prefix + encode_prepared(datum, "usage_delta"),
                headers=[("usage_delta_id", f"{segment.id}/{part}/{tenant}".encode())],
            )


def _summed(events: pl.DataFrame) -> pl.DataFrame:
    """Return one row a line, sorted by its key: `_KEY`, `_COUNTS` and `_AMOUNTS`."""
    answered = pl.col("inference_response_model")
    model = pl.when(answered != "").then(answered).otherwise("inference_request_model")
    minute = pl.col("event_time").to_physical() // _MINUTE_US * _MINUTE_US
    return (
        events.select(
            "tenant_id",
            minute.alias("minute"),
            *(_dimension(pl.col(name)).alias(name) for name in _DIMENSIONS[1:5]),
            _dimension(pl.col("inference_provider")).alias("provider"),
            _dimension(model).alias("model"),
            "event_type",
            "outcome",
            pl.col("cost_currency").alias("currency"),
            *_TOKENS,
            "duration_us",
            (pl.col("cost_status") == "unpriced").alias("unpriced"),
            *(pl.col(f"cost_{name}").alias(name) for name in _AMOUNTS),
        )
        .group_by(_KEY)
        .agg(
            pl.len().alias("events"),
            *(_total(name) for name in _TOKENS),
            pl.col("unpriced").sum(),
            pl.col("duration_us").count().alias("timed"),
            _total("duration_us").alias("duration_sum_us"),
            pl.col("duration_us").max().fill_null(0).alias("duration_max_us"),
            *(pl.col(name).sum().to_physical() for name in _AMOUNTS),
        )
        .sort(_KEY)
    )


def _dimension(text: pl.Expr) -> pl.Expr:
    return text.fill_null("").str.head(_LONGEST)


def _total(name: str) -> pl.Expr:
    """Return the sum of a column of longs; 64 bits could turn it negative without a word."""
    return pl.col(name).cast(pl.Int128).sum().clip(upper_bound=_MAX_LONG)


def _watermark(segment: Segment, decoded: Decoded) -> int:
    """Return the segment's highest event time in microseconds, none taken as later than its broker time.

    A producer's clock that is ahead would otherwise close minutes that are not over.
    """
    times = decoded.events.get_column("event_time").to_physical().to_numpy()
    stamps = np.fromiter(segment.timestamps_ms, np.int64, len(segment))
    if len(times) < len(segment):
        stamps = stamps[np.asarray(decoded.positions)]
    return int(np.minimum(times, stamps * 1_000).max())


def _line(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row of `_summed` as the datum of a line, in the form that `encode_prepared` takes fastest."""
    line = dict(zip(_PLAIN, row[_PLAIN_PLACES], strict=True))
    events, outcome, currency = line["events"], line["outcome"], row[0]
    line["failures"] = events if outcome == "FAILURE" else 0
    line["blocked"] = events if outcome == "BLOCKED" else 0
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
