"""The lines of usage deltas: sums over a segment's events by tenant, minute and dimension.

Sums are exact whatever their order, and lines are sorted: equal events make equal lines.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

from auditstream.detection.latency_sketch import BINS, latency_bin

OTHER = "__other__"
"""Stands for the values of a dimension beyond the most frequent ones."""

_LONGEST = 256
"""Characters of a dimension; what is longer is cut, for it is nobody's name."""

_MOST_NAMES = 64
"""Values of a bounded dimension that a tenant has in a segment: each may multiply the number of lines."""

_MAX_LONG = 2**63 - 1
_MINUTE_US = 60_000_000

TOKENS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
)  # fmt: skip
AMOUNTS = ("list", "contracted", "effective", "billed")
COUNTS = (
    "events", *TOKENS, "unpriced", "timed", "duration_sum_us", "duration_max_us",
    "denied", "paced_us", "paced_tokens",
)  # fmt: skip
_BOUNDED = ("feature_id", "tool_name", "prompt_name", "prompt_version")
DIMENSIONS = (
    "minute", "project_id", "environment", "credential_id", "agent_id", "provider", "model",
    "event_type", "outcome", *_BOUNDED,
)  # fmt: skip
_UNTIMED = -1
_KEY = ("tenant_id", *DIMENSIONS, "currency")


Sketch = tuple[list[int], list[int]]
"""Bins of durations, ascending, and how many are in each; see `auditstream.detection.latency_sketch`."""


def lines_of(events: pl.DataFrame) -> tuple[pl.DataFrame, list[Sketch]]:
    """Return one row a line, sorted by its key, and the sketch of each line's durations.

    Columns: tenant, `DIMENSIONS`, currency, `COUNTS`, `AMOUNTS`.

    Args:
        events: Attributed and priced events, all of which count.
    """
    answered = pl.col("inference_response_model")
    model = pl.when(answered != "").then(answered).otherwise("inference_request_model")
    minute = pl.col("event_time").to_physical() // _MINUTE_US * _MINUTE_US
    is_paced = (pl.col("output_tokens") > 0) & pl.col("duration_us").is_not_null()
    told = events.select(
        "tenant_id",
        minute.alias("minute"),
        *(named(pl.col(name)).alias(name) for name in DIMENSIONS[1:5]),
        named(pl.col("inference_provider")).alias("provider"),
        named(model).alias("model"),
        "event_type",
        "outcome",
        named(pl.col("feature_id")).alias("feature_id"),
        named(pl.col("tool_name")).alias("tool_name"),
        named(pl.col("inference_prompt_name")).alias("prompt_name"),
        named(pl.col("inference_prompt_version")).alias("prompt_version"),
        pl.col("cost_currency").alias("currency"),
        *TOKENS,
        "duration_us",
        pl.when(is_paced).then("duration_us").alias("paced_us"),
        pl.when(is_paced).then("output_tokens").alias("paced_tokens"),
        latency_bin(pl.col("duration_us")).fill_null(_UNTIMED).alias("bins"),
        (pl.col("cost_status") == "unpriced").alias("unpriced"),
        (pl.col("policy_verdict") == "deny").alias("denied"),
        *(pl.col(f"cost_{name}").alias(name) for name in AMOUNTS),
    )
    names = dict(zip(_BOUNDED, told.select(pl.col(_BOUNDED).n_unique()).row(0), strict=True))
    told = _bounded(told, [name for name, count in names.items() if count > _MOST_NAMES])
    constant = [name for name, count in names.items() if count == 1]  # a text less to group by
    key = [name for name in _KEY if name not in constant]
    lines = (
        told.group_by(key)
        .agg(
            pl.len().alias("events"),
            *(_total(pl.col(name)) for name in TOKENS),
            pl.col("unpriced").sum(),
            pl.col("duration_us").count().alias("timed"),
            _total(pl.col("duration_us")).alias("duration_sum_us"),
            pl.col("duration_us").max().fill_null(0).alias("duration_max_us"),
            pl.col("denied").sum(),
            _total(pl.col("paced_us")),
            _total(pl.col("paced_tokens")),
            *(pl.col(name).sum().to_physical() for name in AMOUNTS),
            "bins",
        )
        .sort(key)
    )
    sketches = _sketches(lines.get_column("bins"))
    return lines.with_columns(pl.lit(told.item(0, name)).alias(name) for name in constant), sketches


def named(text: pl.Expr) -> pl.Expr:
    """Return a dimension of texts: empty where there is none, and cut where it is too long."""
    return text.fill_null("").str.head(_LONGEST)


def _bounded(told: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Keep the most frequent values of what a tenant may make up at will; the sums stay what they are."""
    for name in names:
        most = (
            told.group_by("tenant_id", name)
            .len()
            .sort("tenant_id", "len", name, descending=[False, True, False])
            .group_by("tenant_id", maintain_order=True)
            .head(_MOST_NAMES)
            .select("tenant_id", name, pl.lit(name).alias("kept"))
        )
        told = told.join(most, on=("tenant_id", name), how="left", maintain_order="left")
        told = told.with_columns(
            pl.when(pl.col("kept").is_null()).then(pl.lit(OTHER)).otherwise(name).alias(name)
        ).drop("kept")
    return told


def _total(column: pl.Expr) -> pl.Expr:
    """Return the sum of a column of longs; 64 bits could turn it negative without a word."""
    return column.cast(pl.Int128).sum().clip(upper_bound=_MAX_LONG)


def _sketches(bins: pl.Series) -> list[Sketch]:
    """Return how many are in each bin, all lines at once.

    Args:
        bins: A list a line, in it `_UNTIMED` for an event without a duration.
    """
    lines = np.repeat(np.arange(len(bins)), bins.list.len().to_numpy())
    single = bins.explode().to_numpy()
    is_timed = single != _UNTIMED
    places, counted = np.unique(lines[is_timed] * BINS + single[is_timed], return_counts=True)
    borders = np.searchsorted(places, np.arange(len(bins) + 1) * BINS).tolist()
    numbers, counts = (places % BINS).tolist(), counted.tolist()
    return [(numbers[begin:end], counts[begin:end]) for begin, end in pairwise(borders)]
