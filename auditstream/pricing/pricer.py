"""The pricer: a frame of events in, the same rows with their costs out.

Which events cost:

- An event that brought cost lines keeps them; its totals are their sums (`reported`). Where it also counts
  what a call used, what our book says of that is kept beside, with the difference.
- Any other event with token counts is priced from the book, at its event time, by the served model and tier
  where the book knows them. `ai.agent.action` is not: it counts again what the calls inside it count.
- A model call that succeeded without saying what it used is unpriced. One that failed or was blocked without
  any count costs nothing.
- Everything else costs nothing: status `none`, no amounts.

An event without a price has status `unpriced` and null amounts, never zeros, so that a total can say what it
lacks; `unpriced_reason` and `unpriced_meter` say what is missing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from threading import Lock
from typing import Protocol

import polars as pl

from auditstream.pricing.book import NoPrice, PriceBook
from auditstream.pricing.lines import AMOUNT, AMOUNTS, COSTS, ROW, charge, nested, totals
from auditstream.pricing.reported import has_costs, lines_of, totals_of
from auditstream.pricing.routing import CARD, REFUSAL, ROUTE_COLUMNS, CardList, Router
from auditstream.pricing.usage import USAGE_COLUMNS, counts_of, has_usage

PRICED, UNPRICED, NONE = "priced", "unpriced", "none"

_COUNTS_AGAIN = ("ai.agent.action",)
_COSTLESS_OUTCOMES = ("FAILURE", "BLOCKED")

_COSTS = tuple(f"cost_{name}" for name in AMOUNTS)
_KEPT_PRICERS = 4
_NEEDED = ("event_type", "outcome", "event_time", *ROUTE_COLUMNS, *USAGE_COLUMNS, COSTS)

_STATES = {
    "cost_currency": pl.String(),
    **{f"cost_{name}": AMOUNT for name in AMOUNTS},
    "price_basis": pl.String(),
    "cost_status": pl.String(),
    "price_book_revision": pl.String(),
    "computed_cost": AMOUNT,
    "computed_currency": pl.String(),
    "cost_difference": AMOUNT,
    "unpriced_reason": pl.String(),
    "unpriced_meter": pl.String(),
    REFUSAL: pl.String(),
}
_FOR_NONE = {
    "cost_currency": "",
    "price_basis": "",
    "cost_status": NONE,
    "price_book_revision": "",
    "computed_currency": "",
    "unpriced_reason": "",
    "unpriced_meter": "",
}


class PriceBooks(Protocol):
    """Where price books come from; `reference_book.ReferenceBooks` is one."""

    def at(self, revision: int) -> PriceBook:
        """Return the book as known at a reference revision, always the same one while it is in use."""
        ...


class ReferencePricer:
    """Prices events from the price book of a reference revision.

    Pure: the same frame and revision give the same bytes. Any thread may ask.

    Args:
        books: Where the books come from.
    """

    def __init__(self, books: PriceBooks) -> None:
        self._books = books
        self._pricers: OrderedDict[int, CataloguePricer] = OrderedDict()
        self._lock = Lock()

    def price(self, events: pl.DataFrame, *, revision: int) -> pl.DataFrame:
        """Return the events with their costs, as `CataloguePricer.price`.

        Raises:
            RetryableError: The reference data cannot be read now.
        """
        return self._at(revision).price(events)

    def explain(self, events: pl.DataFrame, *, revision: int) -> pl.DataFrame:
        """Return the events with their costs, as `CataloguePricer.explain`.

        Raises:
            RetryableError: The reference data cannot be read now.
        """
        return self._at(revision).explain(events)

    def _at(self, revision: int) -> CataloguePricer:
        book = self._books.at(revision)
        with self._lock:
            pricer = self._pricers.pop(id(book), None)
            if pricer is None or pricer.book is not book:
                pricer = CataloguePricer(book)
            self._pricers[id(book)] = pricer
            while len(self._pricers) > _KEPT_PRICERS:
                self._pricers.popitem(last=False)
        return pricer


class CataloguePricer:
    """Prices events from one price book. Pure: the same frame gives the same bytes. Any thread may ask."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book
        self._router = Router(book)

    def price(self, events: pl.DataFrame, *, revision: int = 0) -> pl.DataFrame:
        """Return the events with their costs: the same rows in the same order.

        Args:
            events: Columns of `schemas.flatten.FRAME_SCHEMA`, and any others; `tenant_id` is the owner.
            revision: Not looked at: the book is of one revision.

        Returns:
            The events with `costs` filled and the columns `cost_currency`, `cost_list`, `cost_contracted`,
            `cost_effective`, `cost_billed` (Decimal(38, 12), null when unpriced), `price_basis` (dated,
            undated or ''), `cost_status` (priced, unpriced or none), `price_book_revision`; for events that
            brought their own cost, `computed_cost` in `computed_currency` and `cost_difference` (theirs less
            ours, null between two currencies); and `unpriced_reason` with `unpriced_meter`.
        """
        return self.explain(events).drop(REFUSAL)

    def explain(self, events: pl.DataFrame, *, revision: int = 0) -> pl.DataFrame:
        """Return what `price` returns and a column `refusal`: a `book.NoPrice` where status is unpriced."""
        rows = events.select(_NEEDED).with_row_index(ROW)
        kept, to_price, unsaid = _sorted(rows)
        reported = lines_of(_where(rows, kept))
        states, computed = self._priced(_where(rows, to_price))
        others = [_reported(reported)] if reported.height else []
        others += [_unsaid(rows.filter(unsaid), self.book.revision)] if unsaid.any() else []
        if others:
            states = pl.concat([*others, states], how="diagonal")
        lines = computed
        if reported.height:
            lines = pl.concat([reported, computed]).sort(ROW, maintain_order=True)
            states = self._with_computed(states, rows.filter(kept & counts_a_call(rows)))
        costs = nested(lines, rows.height)
        return events.with_columns(costs, *_in_rows(states, rows))

    def _with_computed(self, states: pl.DataFrame, calls: pl.DataFrame) -> pl.DataFrame:
        """Return the states, with what the book says of calls that brought their own cost beside it."""
        ours, _ = self._priced(calls)
        beside = ours.select(
            ROW,
            pl.col("cost_billed").alias("computed_cost"),
            pl.col("cost_currency").alias("computed_currency"),
        )
        same = pl.col("computed_currency") == pl.col("cost_currency")
        difference = (pl.col("cost_billed") - pl.col("computed_cost")).cast(AMOUNT)
        return states.join(beside, on=ROW, how="left", maintain_order="left").with_columns(
            pl.when(same).then(difference).alias("cost_difference")
        )

    def _priced(self, calls: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the state of each call, and the lines of those that have any."""
        routing = self._router.route(calls)
        routed = calls.select(ROW).hstack(routing.rows)
        charged = routed.hstack(counts_of(calls)).filter(pl.col(CARD).is_not_null()).drop(REFUSAL)
        charges = charge(charged, routing.cards, revision=self.book.revision)
        states = routed.with_columns(totals(charges.lines, calls.get_column(ROW)))
        if charges.refused.height:
            states = states.update(charges.refused.drop("unpriced_meter"), on=ROW)
            meters = charges.refused.select(ROW, "unpriced_meter")
            states = states.join(meters, on=ROW, how="left", maintain_order="left")
        return self._states(states, routing.cards), charges.lines

    def _states(self, calls: pl.DataFrame, cards: CardList) -> pl.DataFrame:
        has_price = pl.col(REFUSAL).is_null()
        totals_ = (pl.when(has_price).then(name).cast(AMOUNT).alias(name) for name in _COSTS)
        meter = [pl.col("unpriced_meter")] if "unpriced_meter" in calls.columns else []
        return calls.hstack(_facts(cards)[calls.get_column(CARD)]).select(
            ROW,
            pl.when(has_price).then("currency").otherwise(pl.lit("")).alias("cost_currency"),
            *totals_,
            pl.when(has_price).then("basis").otherwise(pl.lit("")).alias("price_basis"),
            _status(),
            pl.lit(self.book.revision).alias("price_book_revision"),
            pl.col(REFUSAL).alias("unpriced_reason"),
            *meter,
            REFUSAL,
        )


@lru_cache(maxsize=8)
def _facts(cards: CardList) -> pl.DataFrame:
    """Return currency and basis of each card."""
    return pl.DataFrame(
        {
            "currency": [card.currency for card in cards.cards],
            "basis": [card.basis for card in cards.cards],
        },
        schema={"currency": pl.String, "basis": pl.String},
    )


def unpriced_columns() -> list[pl.Expr]:
    """Return the columns that pricing adds, as they are of events that cost nothing."""
    return [
        pl.lit(_FOR_NONE.get(name), dtype=kind).alias(name)
        for name, kind in _STATES.items()
        if name != REFUSAL
    ]


def counts_a_call(rows: pl.DataFrame) -> pl.Series:
    """Return which events count what a call used."""
    return rows.select(has_usage() & ~pl.col("event_type").is_in(_COUNTS_AGAIN)).to_series()


def _sorted(rows: pl.DataFrame) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Return which rows bring costs, which are to be priced, and which are calls that hide their use."""
    kept, counts = has_costs(), has_usage() & ~pl.col("event_type").is_in(_COUNTS_AGAIN)
    calls = (
        pl.col("inference_provider").is_not_null()
        & ~pl.col("event_type").is_in(_COUNTS_AGAIN)
        & ~pl.col("outcome").is_in(_COSTLESS_OUTCOMES)
    )
    masks = rows.select(
        kept=kept, to_price=~kept & counts, unsaid=~kept & ~has_usage() & calls.fill_null(value=False)
    )
    return masks["kept"], masks["to_price"], masks["unsaid"]


def _where(rows: pl.DataFrame, chosen: pl.Series) -> pl.DataFrame:
    """Return the chosen rows; most often that is all of them or none, and a filter copies every column."""
    if not chosen.any():
        return rows.clear()
    return rows if chosen.all() else rows.filter(chosen)


def _reported(lines: pl.DataFrame) -> pl.DataFrame:
    return totals_of(lines).with_columns(
        _status(),
        pl.lit("").alias("price_basis"),
        pl.lit("").alias("price_book_revision"),
        pl.col(REFUSAL).alias("unpriced_reason"),
    )


def _unsaid(rows: pl.DataFrame, revision: str) -> pl.DataFrame:
    return rows.select(
        ROW,
        pl.lit("").alias("cost_currency"),
        pl.lit("").alias("price_basis"),
        pl.lit(UNPRICED).alias("cost_status"),
        pl.lit(revision).alias("price_book_revision"),
        pl.lit(str(NoPrice.NO_USAGE)).alias("unpriced_reason"),
        pl.lit(str(NoPrice.NO_USAGE)).alias(REFUSAL),
    )


def _status() -> pl.Expr:
    status = pl.when(pl.col(REFUSAL).is_null()).then(pl.lit(PRICED)).otherwise(pl.lit(UNPRICED))
    return status.alias("cost_status")


def _in_rows(states: pl.DataFrame, rows: pl.DataFrame) -> list[pl.Series]:
    """Return the columns of the states for all rows; a row without a state costs nothing."""
    joined = states
    # Most often every row has a state, in order: then there is nothing to look up.
    if not states.get_column(ROW).equals(rows.get_column(ROW)):
        joined = rows.select(ROW).join(states, on=ROW, how="left", maintain_order="left")
    return joined.select(_filled(name, kind, joined.columns) for name, kind in _STATES.items()).get_columns()


def _filled(name: str, kind: pl.DataType, there: Sequence[str]) -> pl.Expr:
    column = pl.col(name).cast(kind) if name in there else pl.lit(None, kind).alias(name)
    return column.fill_null(_FOR_NONE[name]) if name in _FOR_NONE else column
