"""Correlations: what several events of one key within a span of time make together.

Everything follows from the hits of one log, in any order of their times: whether something is told does not
depend on how the log was cut into segments, nor on when a worker was started. A key is told of once for each
span that begins at a multiple of its length; what goes on in the next one is told of again.

A log is one partition: a key that is not the conversation may be spread over several, and then each of them
counts its own share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.detection.rules.matching import Rows
from auditstream.detection.rules.rule import Correlation, Rule

HITS: dict[str, pl.DataType] = {
    "step": pl.Int64(),
    "tenant": pl.String(),
    "key": pl.String(),
    "text": pl.String(),
    "amount": pl.Float64(),
    "time": pl.Int64(),
    "stamp": pl.Int64(),
    "index": pl.Int64(),
    "event_id": pl.Binary(),
}
"""Columns of hits: events that a correlation counts, in the order of the log.

`step` is the place of the rule that matched, `key` the values that tell keys apart, joined, `text` or
`amount` what is counted or summed. `time` is the event time in microseconds, and never later than `stamp`,
the broker's, for a clock that is ahead must not make others' events old. `index` is the leaf index.
"""

Hits = Mapping[str, pl.DataFrame]
"""Hits by name of the correlation; one without hits may be left out."""

MOST_HITS = 100_000
"""Hits of one correlation that are kept of one log, the newest ones: some 15 MB."""

_SAMPLES = 5
"""event_ids that are named."""

_JOINT = "\x1f"
"""Between the values of a key: ASCII's unit separator."""

_GRAINS = 60
"""Parts of a span of which each keeps one hit a key and value, the last: many events say the same of it."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A key's events that a correlation matches.

    Attributes:
        correlation: The correlation.
        tenant: Tenant.
        key: Values of its keys, in order.
        bucket_us: Beginning of the span that it is told of in, in microseconds.
        first_us: Time of the first event.
        last_us: Time of the last one.
        observed: How many events or values there were, or their sum.
        event_ids: Some of them, the last ones, 16 bytes each.
    """

    correlation: Correlation
    tenant: str
    key: tuple[str, ...]
    bucket_us: int
    first_us: int
    last_us: int
    observed: float
    event_ids: tuple[bytes, ...]


def hits_of(
    correlations: Iterable[Correlation], matches: Mapping[str, tuple[Rule, Rows]], events: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Return the hits among events.

    Args:
        correlations: The correlations.
        matches: By name, the rules that matched, and rows of `events`.
        events: Events, with columns `stamp` (the broker's time in microseconds) and `index` beside their own.
    """
    found: dict[str, pl.DataFrame] = {}
    for each in correlations:
        steps = [(step, name) for step, name in enumerate(each.rules) if name in matches]
        if steps:
            read = pl.DataFrame([events.get_column(name) for name in sorted(columns_of(each))])
            hits = pl.concat([_hits(each, step, read[matches[name][1]]) for step, name in steps])
            found[each.about.name] = hits.sort("index", maintain_order=True) if len(steps) > 1 else hits
    return {name: hits for name, hits in found.items() if hits.height}


def columns_of(correlation: Correlation) -> set[str]:
    """Return the columns of events that its hits are made of."""
    fields = (*correlation.keys, *([correlation.value] if correlation.value else []))
    return {"event_id", "event_time", "tenant_id", "stamp", "index", *(field.column for field in fields)}


def _hits(correlation: Correlation, step: int, events: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.lit(None)
    value = correlation.value.value if correlation.value else nothing
    counts_values = correlation.kind == "value_count"
    keys = [_stated(field.value.cast(pl.String)) for field in correlation.keys]
    hits = events.select(
        pl.lit(step, dtype=pl.Int64).alias("step"),
        pl.col("tenant_id").alias("tenant"),
        (pl.concat_str(keys, separator=_JOINT) if keys else pl.lit("")).alias("key"),
        (value if counts_values else nothing).cast(pl.String).alias("text"),
        (nothing if counts_values else value).cast(pl.Float64, strict=False).alias("amount"),
        pl.min_horizontal(pl.col("event_time").to_physical(), "stamp").alias("time"),
        "stamp",
        pl.col("index").cast(pl.Int64),
        "event_id",
    )
    needed = ["key"]
    if correlation.value:
        needed.append("text" if counts_values else "amount")
    hits = hits.drop_nulls(needed)
    return _thinned(correlation, hits) if counts_values else hits


def _stated(value: pl.Expr) -> pl.Expr:
    return pl.when(value != "").then(value)


def _thinned(correlation: Correlation, hits: pl.DataFrame) -> pl.DataFrame:
    grain = (pl.col("time") // max(1, correlation.span_us // _GRAINS)).alias("grain")
    same = ["tenant", "key", "text", "grain"]
    return hits.with_columns(grain).unique(same, keep="last", maintain_order=True).drop("grain")


def crossings(correlations: Iterable[Correlation], old: Hits, new: Hits) -> Iterator[Crossing]:
    """Yield what new hits make together with old ones, and did not make without them.

    Args:
        correlations: The correlations.
        old: Hits that were looked at before.
        new: Hits that were not.
    """
    if not new:
        return
    nothing = pl.DataFrame(schema=HITS)
    for correlation in correlations:
        name = correlation.about.name
        if name in new and _may_match(correlation, old.get(name, nothing), new[name]):
            hits = _candidates(correlation, old.get(name, nothing), new[name])
            for (tenant, key), group in hits.group_by("tenant", "key", maintain_order=True):
                values = tuple(str(key).split(_JOINT))
                yield from _of_key(correlation, str(tenant), values, group.sort("time", "index"))


def _may_match(correlation: Correlation, old: pl.DataFrame, new: pl.DataFrame) -> bool:
    """Return whether all hits together, of whatever key, are enough: most segments end here."""
    match correlation.kind:
        case "event_count":
            return old.height + new.height >= correlation.least
        case "value_count":
            return pl.concat([old["text"], new["text"]]).n_unique() >= correlation.least
        case "value_sum":
            return float(old["amount"].sum()) + float(new["amount"].sum()) >= correlation.least
        case "temporal_ordered":
            return len({*old["step"].unique(), *new["step"].unique()}) == len(correlation.rules)


_NAMES = ["tenant", "key"]


def _candidates(correlation: Correlation, old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Return the hits of keys with new ones that have enough in all, whenever they were: few keys have."""
    both = new.with_columns(new=pl.lit(value=True))
    if old.height:
        asked = old.join(new.select(_NAMES).unique(), on=_NAMES, how="semi", maintain_order="left")
        both = pl.concat([asked.with_columns(new=pl.lit(value=False)), both])
    enough = {
        "event_count": pl.len() >= correlation.least,
        "value_count": pl.col("text").n_unique() >= correlation.least,
        "value_sum": pl.col("amount").sum() >= correlation.least,
        "temporal_ordered": pl.col("step").n_unique() == len(correlation.rules),
    }
    keys = both.group_by(_NAMES).agg(enough[correlation.kind].alias("enough")).filter("enough")
    if keys.is_empty():
        return both.clear()
    return both.join(keys, on=_NAMES, how="semi", maintain_order="left")


@dataclass(frozen=True, slots=True)
class _Window:
    """Hits `first` to `last` of a key, which match together."""

    first: int
    last: int
    observed: float
    members: Sequence[int]


def _of_key(
    correlation: Correlation, tenant: str, key: tuple[str, ...], hits: pl.DataFrame
) -> Iterator[Crossing]:
    times, is_new = hits["time"].to_numpy(), hits["new"].to_numpy()
    event_ids, span = hits["event_id"], correlation.span_us
    told: set[int] = set()
    for window in _WINDOWS[correlation.kind](correlation, hits, times):
        bucket = int(times[window.last]) // span * span
        if bucket in told:
            continue
        told.add(bucket)
        if is_new[list(window.members)].any():
            yield Crossing(
                correlation=correlation,
                tenant=tenant,
                key=key,
                bucket_us=bucket,
                first_us=int(times[window.first]),
                last_us=int(times[window.last]),
                observed=window.observed,
                event_ids=tuple(event_ids[number] for number in window.members[-_SAMPLES:]),
            )


def _starts(times: NDArray[np.int64], span: int) -> NDArray[np.intp]:
    """Return for each hit the first one that is less than a span before it."""
    return np.searchsorted(times, times - span, side="right")


def _counted(correlation: Correlation, _hits: pl.DataFrame, times: NDArray[np.int64]) -> Iterator[_Window]:
    starts = _starts(times, correlation.span_us)
    counts = np.arange(1, len(times) + 1) - starts
    for last in np.flatnonzero(counts >= correlation.least):
        first = int(starts[last])
        yield _Window(first, int(last), float(counts[last]), range(first, int(last) + 1))


def _summed(correlation: Correlation, hits: pl.DataFrame, times: NDArray[np.int64]) -> Iterator[_Window]:
    starts = _starts(times, correlation.span_us)
    sums = np.concatenate([[0.0], np.cumsum(hits["amount"].to_numpy())])
    totals = sums[1:] - sums[starts]
    for last in np.flatnonzero(totals >= correlation.least):
        first = int(starts[last])
        yield _Window(first, int(last), float(totals[last]), range(first, int(last) + 1))


def _distinct(correlation: Correlation, hits: pl.DataFrame, times: NDArray[np.int64]) -> Iterator[_Window]:
    starts, values = _starts(times, correlation.span_us), hits["text"].to_list()
    held: dict[str, int] = {}
    first = 0
    for last, value in enumerate(values):
        held[value] = held.get(value, 0) + 1
        while first < starts[last]:
            gone = values[first]
            held[gone] -= 1
            if not held[gone]:
                del held[gone]
            first += 1
        if len(held) >= correlation.least:
            yield _Window(first, last, float(len(held)), range(first, last + 1))


def _ordered(correlation: Correlation, hits: pl.DataFrame, times: NDArray[np.int64]) -> Iterator[_Window]:
    """Yield each last step that follows the others in order: of several chains, the one that began last."""
    chains: list[tuple[int, ...]] = [()] * len(correlation.rules)
    for number, step in enumerate(hits["step"].to_list()):
        if step and not chains[step - 1]:
            continue
        chain = (*(chains[step - 1] if step else ()), number)
        chains[step] = chain
        if step == len(chains) - 1 and times[number] - times[chain[0]] < correlation.span_us:
            yield _Window(chain[0], number, float(len(chain)), chain)


_WINDOWS: Mapping[str, Callable[[Correlation, pl.DataFrame, NDArray[np.int64]], Iterator[_Window]]] = {
    "event_count": _counted,
    "value_count": _distinct,
    "value_sum": _summed,
    "temporal_ordered": _ordered,
}
