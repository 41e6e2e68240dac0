"""The lines of usage deltas: sums over a segment's events by tenant, minute and dimension.

Sums are exact whatever their order, and lines are sorted: equal events make equal lines. Most dimensions are
the same in a whole segment, and are looked at once: what tells lines apart is little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.detection.latency_sketch import BINS, latency_bin
from schemas.column_encoder import Lists, Numbers
from schemas.sameness import says_one

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
_BOUNDED = ("feature_id", "tool_name", "prompt_name", "prompt_version")
_COLUMN_OF = {
    "project_id": "project_id",
    "environment": "environment",
    "credential_id": "credential_id",
    "agent_id": "agent_id",
    "provider": "inference_provider",
    "feature_id": "feature_id",
    "tool_name": "tool_name",
    "prompt_name": "inference_prompt_name",
    "prompt_version": "inference_prompt_version",
}
"""Columns of events that dimensions are named by."""

_KEY = (
    "tenant_id", "minute", "project_id", "environment", "credential_id", "agent_id", "provider", "model",
    "event_type", "outcome", *_BOUNDED, "currency",
)  # fmt: skip
_ROW = "row"
_UNTIMED = -1  # bin of an event without a duration
_FEW_LINES = 1_000  # whose bins are counted, some 4 MB; of more of them they are sorted
_LEAST = -(2**63)

Dimension = pl.Series | Numbers | str | int
"""What the lines say, texts or numbers, or what all of them say."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines, sorted by what tells them apart.

    Attributes:
        dimensions: Tenant, minute in microseconds, and so on to the currency, by name.
        counts: Sums by name; 0 where it is that in all of them.
        amounts: Sums of money in units of its last place, by name.
        durations: Bins of durations of each line, ascending; see `auditstream.detection.latency_sketch`.
        duration_counts: How many durations are in each.
    """

    dimensions: Mapping[str, Dimension]
    counts: Mapping[str, Numbers | int]
    amounts: Mapping[str, Numbers]
    durations: Lists
    duration_counts: Lists

    def __len__(self) -> int:
        return len(self.durations.borders) - 1

    def tenants(self) -> Iterator[tuple[str, range]]:
        """Yield each tenant with the numbers of its lines."""
        tenants = self.dimensions["tenant_id"]
        if isinstance(tenants, str):
            yield tenants, range(len(self))
            return
        assert isinstance(tenants, pl.Series)
        is_other = (tenants != tenants.shift()).fill_null(value=False)
        for begin, end in pairwise([0, *is_other.arg_true(), len(self)]):
            yield tenants.item(begin), range(begin, end)


def lines_of(events: pl.DataFrame) -> Lines:
    """Return the lines of events.

    Args:
        events: Attributed and priced events, at least one, all of which count.
    """
    dimensions = _dimensions(events)
    varied = {name: value for name, value in dimensions.items() if isinstance(value, pl.Series)}
    told = _bounded(pl.DataFrame(varied), dimensions) if varied else pl.DataFrame()
    groups = _Groups.of(told, events.height)
    sketch = _sketch(events, groups)
    return Lines(
        {**dimensions, **groups.said()},
        _counts(events, groups, dimensions["outcome"]),
        _amounts(events, groups),
        *sketch,
    )


def named(text: pl.Series) -> pl.Series:
    """Return a dimension of texts: empty where there is none, and cut where it is too long."""
    if text.null_count():
        text = text.fill_null("")
    # Bytes are counted at once, characters one by one.
    longest = cast("int | None", text.str.len_bytes().max()) or 0
    return text.str.head(_LONGEST) if longest > _LONGEST else text


def _dimensions(events: pl.DataFrame) -> dict[str, Dimension]:
    """Return what tells lines apart, by name in the order of `_KEY`."""
    times = events.get_column("event_time").to_physical().to_numpy()
    minute = pl.Series("minute", times // _MINUTE_US * _MINUTE_US)  # numpy divides at twice the speed
    answered, asked = (events.get_column(f"inference_{model}_model") for model in ("response", "request"))
    found: dict[str, Dimension] = {
        "tenant_id": _said(events.get_column("tenant_id")),
        "minute": minute.item(0) if minute.min() == minute.max() else minute,
        **{name: _said(events.get_column(column)) for name, column in _COLUMN_OF.items()},
        "model": _model(_said(answered), _said(asked), events.height),
        **{name: _said(events.get_column(name)) for name in ("event_type", "outcome")},
        "currency": _said(events.get_column("cost_currency")),
    }
    return {
        name: value.alias(name) if isinstance(value := found[name], pl.Series) else value for name in _KEY
    }


def _said(texts: pl.Series) -> pl.Series | str:
    """Return a dimension, or the one text that all events say."""
    if texts.null_count() == len(texts):
        return ""
    if says_one(texts):
        return str(texts.item(0))[:_LONGEST]
    return named(texts)


def _model(answered: pl.Series | str, asked: pl.Series | str, count: int) -> pl.Series | str:
    """Return the model that answered, else the one asked for."""
    if isinstance(answered, str):
        return answered or asked
    frame = pl.DataFrame([answered.alias("answered")])
    chosen = pl.when(pl.col("answered") != "").then("answered").otherwise(asked)
    return frame.select(chosen.alias("model")).to_series()


def _bounded(told: pl.DataFrame, dimensions: Mapping[str, Dimension]) -> pl.DataFrame:
    """Keep the most frequent values of what a tenant may make up at will; the sums stay what they are."""
    tenant = pl.col("tenant_id") if "tenant_id" in told.columns else pl.lit(dimensions["tenant_id"])
    for name in (name for name in _BOUNDED if name in told.columns):
        if told.get_column(name).n_unique() <= _MOST_NAMES:
            continue
        by_tenant = told.select(tenant.alias("tenant_id"), name)
        most = (
            by_tenant.group_by("tenant_id", name)
            .len()
            .sort("tenant_id", "len", name, descending=[False, True, False])
            .group_by("tenant_id", maintain_order=True)
            .head(_MOST_NAMES)
            .select("tenant_id", name, pl.lit(name).alias("kept"))
        )
        kept = by_tenant.join(most, on=("tenant_id", name), how="left", maintain_order="left")
        told = told.with_columns(
            kept.select(
                pl.when(pl.col("kept").is_null()).then(pl.lit(OTHER)).otherwise(name).alias(name)
            ).to_series()
        )
    return told


@dataclass(frozen=True, slots=True)
class _Groups:
    """Which rows make a line.

    Attributes:
        keys: What tells lines apart, an entry a line.
        order: The rows, line by line; None where they are in this order already.
        starts: Where those of each line begin.
        sizes: How many each line has.
    """

    keys: list[pl.Series]
    order: NDArray[np.intp] | None
    starts: NDArray[np.int64]
    sizes: Numbers

    @classmethod
    def of(cls, told: pl.DataFrame, height: int) -> _Groups:
        """Return the groups of rows that agree in everything."""
        if not told.width:
            return cls([], None, np.zeros(1, np.int64), np.array([height]))
        if told.columns == ["minute"]:
            return cls._of_minutes(told.to_series())
        grouped = told.with_row_index(_ROW).group_by(told.columns).agg(_ROW).sort(told.columns)
        rows = grouped.get_column(_ROW)
        sizes = rows.list.len().to_numpy().astype(np.int64)
        order = rows.explode().to_numpy().astype(np.intp)
        return cls(grouped.drop(_ROW).get_columns(), order, sizes.cumsum() - sizes, sizes)

    @classmethod
    def _of_minutes(cls, minutes: pl.Series) -> _Groups:
        """Return the groups of rows of a minute, which most often follow each other already."""
        values = minutes.to_numpy()
        order = None if (values[1:] >= values[:-1]).all() else np.argsort(values, kind="stable")
        values = values if order is None else values[order]
        starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        sizes = np.diff(starts, append=len(values))
        return cls([pl.Series(minutes.name, values[starts])], order, starts, sizes)

    def said(self) -> dict[str, Dimension]:
        """Return what tells lines apart, by name."""
        return {each.name: each if each.dtype == pl.String else each.to_numpy() for each in self.keys}

    def ordered(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what the rows have, line by line."""
        return values if self.order is None else values[self.order]

    def sums(self, values: pl.Series) -> Numbers:
        """Return the sum of each line; null counts as nothing.

        As numbers of any size where 64 bits might not hold them: they would turn negative without a word.
        """
        least, most = (cast("int | None", bound) or 0 for bound in (values.min(), values.max()))
        if max(most, -least) * len(values) <= _MAX_LONG:
            numbers = _filled(values.cast(pl.Int64), 0).to_numpy()
        else:
            numbers = np.array(values.fill_null(0).to_list(), dtype=object)
        sums: Numbers = np.add.reduceat(self.ordered(numbers), self.starts)
        return sums

    def longs(self, values: pl.Series) -> Numbers | int:
        """Return the sums as longs, the largest one where they are larger; 0 where there is no value."""
        if values.null_count() == len(values):
            return 0
        return np.clip(self.sums(values), -_MAX_LONG, _MAX_LONG).astype(np.int64)


def _filled(values: pl.Series, nothing: int) -> pl.Series:
    return values.fill_null(nothing) if values.null_count() else values


def _counts(events: pl.DataFrame, groups: _Groups, outcome: Dimension) -> dict[str, Numbers | int]:
    duration, written = events.get_column("duration_us"), events.get_column("output_tokens")
    is_paced = (written > 0) & duration.is_not_null()
    tokens = {name: groups.longs(events.get_column(name)) for name in TOKENS}
    durations = _durations(duration, groups)
    paced_us: Numbers | int = 0
    paced_tokens: Numbers | int = 0
    if is_paced.all(ignore_nulls=False):
        paced_us, paced_tokens = durations["duration_sum_us"], tokens["output_tokens"]
    elif is_paced.any():
        paced_us, paced_tokens = (groups.longs(_where(is_paced, each)) for each in (duration, written))

    def outcomes(word: str) -> Numbers | int:
        if isinstance(outcome, pl.Series):
            said = next(each for each in groups.keys if each.name == "outcome")
            return np.where((said == word).to_numpy(), groups.sizes, 0)
        return groups.sizes if outcome == word else 0

    def told(column: str, word: str) -> Numbers | int:
        words = events.get_column(column)
        if words.null_count() == len(words):
            return 0
        is_told = words == word
        return groups.longs(is_told.cast(pl.Int64)) if is_told.any() else 0

    return {
        "events": groups.sizes,
        "failures": outcomes("FAILURE"),
        "blocked": outcomes("BLOCKED"),
        **tokens,
        "unpriced": told("cost_status", "unpriced"),
        "denied": told("policy_verdict", "deny"),
        **durations,
        "paced_us": paced_us,
        "paced_tokens": paced_tokens,
    }


def _durations(duration: pl.Series, groups: _Groups) -> dict[str, Numbers | int]:
    """Return how many durations there are, their sums, and the longest of each line."""
    if duration.null_count() == len(duration):
        return {"timed": 0, "duration_sum_us": 0, "duration_max_us": 0}
    timed = groups.sizes
    if duration.null_count():
        timed = groups.sums(duration.is_not_null().cast(pl.Int64))
    longest = np.maximum.reduceat(groups.ordered(_filled(duration, _LEAST).to_numpy()), groups.starts)
    return {
        "timed": timed,
        "duration_sum_us": groups.longs(duration),
        "duration_max_us": np.where(timed > 0, longest, 0),
    }


def _where(mask: pl.Series, values: pl.Series) -> pl.Series:
    """Return the values of the rows where a mask says so, and not where it says nothing."""
    return values.set(~mask.fill_null(value=False), None)


def _amounts(events: pl.DataFrame, groups: _Groups) -> dict[str, Numbers]:
    """Return the sums of money; most often what a contract makes of it is the same thrice, and added once."""
    columns = {name: events.get_column(f"cost_{name}") for name in AMOUNTS}
    found: dict[str, Numbers] = {}
    for name, amounts in columns.items():
        same = (other for other in found if columns[other].equals(amounts))
        other = next(same, None)
        found[name] = groups.sums(amounts.to_physical()) if other is None else found[other]
    return found


def _sketch(events: pl.DataFrame, groups: _Groups) -> tuple[Lists, Lists]:
    """Return the bins of each line's durations, and how many are in each; all lines at once."""
    bins = events.select(latency_bin(pl.col("duration_us"))).to_series()
    sizes = groups.sizes
    lines = np.repeat(np.arange(len(sizes)), sizes)
    single = groups.ordered(_filled(bins, _UNTIMED).to_numpy())
    found = lines * BINS + single
    if bins.null_count():
        found = found[single != _UNTIMED]
    if len(sizes) <= _FEW_LINES:
        counts = np.bincount(found, minlength=1)
        places = np.flatnonzero(counts)
        counted = counts[places]
    else:
        places, counted = np.unique(found, return_counts=True)
    borders = np.searchsorted(places, np.arange(len(sizes) + 1) * BINS)
    return Lists(places % BINS, borders), Lists(counted, borders)
