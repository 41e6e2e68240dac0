"""What calls would have cost under another model, contract or share of cached input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import polars as pl

from auditstream.costing.exact import minus, percent, total

OTHER_CURRENCY, UNPRICED_NOW = "priced in another currency", "has no price as it is"

_KEY = ("tenant_id", "model", "currency", "reason")
_MODELS = ("inference_response_model", "inference_request_model")


class Pricer(Protocol):
    """Says what events cost, and why some have no price; `auditstream.pricing.pricer` has one."""

    def explain(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the events with their costs and a column `refusal`, row for row."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What is supposed.

    Attributes:
        model: Model that answers everything; None for those that did.
        provider: Its provider; None for those that there were.
        cache_read_pct: Share of the input that is read from the cache, in per cent; None for what was.
    """

    model: str | None = None
    provider: str | None = None
    cache_read_pct: int | None = None


@dataclass(frozen=True, slots=True)
class Supposed:
    """Calls of a tenant and model, as they were and as supposed.

    Attributes:
        tenant: Tenant.
        model: Model that answered.
        currency: ISO 4217 code of both costs; empty where there are none.
        reason: Why they cannot be compared; empty where they can.
        calls: Calls.
        tokens: Tokens of them, read and written.
        was: Effective cost as it is known now.
        would_be: Effective cost as supposed.
    """

    tenant: str
    model: str
    currency: str
    reason: str
    calls: int
    tokens: int
    was: Decimal
    would_be: Decimal

    @property
    def difference(self) -> Decimal:
        """What it would cost more."""
        return minus(self.would_be, self.was)

    @property
    def difference_pct(self) -> Decimal | None:
        """The same as a share of what it cost; None of nothing."""
        return percent(self.difference, self.was)


def supposed(batches: Iterable[pl.DataFrame], change: Change, pricer: Pricer) -> list[Supposed]:
    """Return the calls by tenant, model and whether they can be compared, by name; the amounts are exact.

    Args:
        batches: Calls as `query.priced_calls` gives them.
        change: What is supposed of them.
        pricer: Prices by the book that is supposed.
    """
    sums: dict[tuple[str, ...], list[tuple[int, int, Decimal, Decimal]]] = {}
    for calls in batches:
        if calls.is_empty():
            continue
        for *key, count, tokens, was, would_be in _grouped(
            calls, pricer.explain(_changed(calls, change))
        ).rows():
            figures = (int(count), int(tokens), was or Decimal(0), would_be or Decimal(0))
            sums.setdefault(tuple(key), []).append(figures)
    return [_added(key, parts) for key, parts in sorted(sums.items())]


def _added(key: tuple[str, ...], parts: Sequence[tuple[int, int, Decimal, Decimal]]) -> Supposed:
    tenant, model, currency, reason = key
    counts, tokens, was, would_be = zip(*parts, strict=True)
    return Supposed(tenant, model, currency, reason, sum(counts), sum(tokens), total(was), total(would_be))


def _changed(calls: pl.DataFrame, change: Change) -> pl.DataFrame:
    """Return the calls as supposed: their own counts, priced as of their own time."""
    found = calls
    if change.model is not None:
        found = found.with_columns(pl.lit(change.model).alias(name) for name in _MODELS)
    if change.provider is not None:
        found = found.with_columns(inference_provider=pl.lit(change.provider))
    if change.cache_read_pct is not None:
        cached = pl.col("input_tokens") * change.cache_read_pct // 100
        written = pl.min_horizontal("cache_write_tokens", pl.col("input_tokens") - cached)
        found = found.with_columns(cache_read_tokens=cached, cache_write_tokens=written)
    return found


def _grouped(calls: pl.DataFrame, priced: pl.DataFrame) -> pl.DataFrame:
    """Return calls, tokens and both costs by `_KEY`."""
    rows = calls.select(
        "tenant_id",
        pl.coalesce(*_MODELS).fill_null("").alias("model"),
        tokens=pl.col("input_tokens").fill_null(0) + pl.col("output_tokens").fill_null(0),
        status="cost_status",
        currency="cost_currency",
        was="cost_effective",
    ).hstack(
        priced.select(
            then_status="cost_status",
            then_currency="cost_currency",
            would_be="cost_effective",
            refusal="refusal",
        )
    )
    was_none, is_none = pl.col("status") == "none", pl.col("then_status") == "none"
    reason = (
        pl.when(pl.col("then_status") == "unpriced")
        .then(pl.col("refusal").fill_null("unpriced"))
        .when(pl.col("status") == "unpriced")
        .then(pl.lit(UNPRICED_NOW))
        .when(~was_none & ~is_none & (pl.col("currency") != pl.col("then_currency")))
        .then(pl.lit(OTHER_CURRENCY))
        .otherwise(pl.lit(""))
    )
    currency = pl.when(pl.col("currency") != "").then("currency").otherwise("then_currency")
    return (
        rows.with_columns(reason=reason, currency=currency)
        .group_by(_KEY)
        .agg(pl.len().alias("calls"), pl.col("tokens").sum(), pl.col("was").sum(), pl.col("would_be").sum())
        .select(*_KEY, "calls", "tokens", "was", "would_be")
    )
