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
from functools import lru_cache
from threading import Lock
from typing import Protocol

import polars as pl

from auditstream.pricing.book import NoPrice, PriceBook
from auditstream.pricing.cards import CardList
from auditstream.pricing.line_fields import COSTS, spelt_out
from auditstream.pricing.lines import (
    AMOUNT,
    ROW,
    UNPRICED_METER,
    Charges,
    borders_of,
    charge,
    nested,
    padded,
)
from auditstream.pricing.reported import NOTHING_REPORTED, has_costs, lines_of, totals_of
from auditstream.pricing.route_windows import CARD, REFUSAL
from auditstream.pricing.routing import ROUTE_COLUMNS, Router
from auditstream.pricing.states import (
    UNPRICED,
    in_rows,
    of_priced,
    said_by_all,
    status,
    with_columns_of,
)
from auditstream.pricing.usage import USAGE_COLUMNS, counts_of, has_usage
from schemas.flatten import FRAME_SCHEMA
from schemas.sameness import says_one

_COUNTS_AGAIN = ("ai.agent.action",)
_COSTLESS_OUTCOMES = ("FAILURE", "BLOCKED")

_KEPT_PRICERS = 4
_NEEDED = ("event_type", "outcome", "event_time", *ROUTE_COLUMNS, *USAGE_COLUMNS, COSTS)


class PriceBooks(Protocol):
    """Where price books come from; `reference_book.ReferenceBooks` is one."""

    def at(self, revision: int) -> PriceBook:
        """Return the book as known at a reference revision, always the same one while it is in use."""
        ...


class ReferencePricer:
    """Prices events from the price book of a reference revision.

    Pure: the same frame and revision give the same values. Any thread may ask.

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
    """Prices events from one price book. Pure: the same frame gives the same values. Any thread may ask."""

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
            ours, null between two currencies); and `unpriced_reason` with `unpriced_meter`. Where no event
            brought costs, the texts of the lines are by number (`line_fields.numbered`).
        """
        costs, states = self._judged(events)
        return with_columns_of(events, [costs, *(column for column in states if column.name != REFUSAL)])

    def explain(self, events: pl.DataFrame, *, revision: int = 0) -> pl.DataFrame:
        """Return what `price` returns and a column `refusal`: a `book.NoPrice` where status is unpriced.

        The texts of the lines are spelt out.
        """
        costs, states = self._judged(events)
        return with_columns_of(events, [costs.cast(FRAME_SCHEMA[COSTS]), *states])

    def _judged(self, events: pl.DataFrame) -> tuple[pl.Series, list[pl.Series]]:
        """Return the cost lines of each event, and the columns of `states.STATES`."""
        # Columns one by one, here and below: to plan for two hundred takes polars a tenth of the pricing.
        rows = pl.DataFrame([events.get_column(name) for name in _NEEDED]).with_row_index(ROW)
        kept, to_price, unsaid = _sorted(rows)
        reported = lines_of(rows.filter(kept)) if kept.any() else NOTHING_REPORTED
        states, charges = self._priced(_where(rows, to_price))
        others = [_reported(reported)] if reported.height else []
        others += [_unsaid(rows.filter(unsaid), self.book.revision)] if unsaid.any() else []
        if others:
            states = pl.concat([*others, states], how="diagonal")
        lines, borders = charges.lines, padded(charges.borders, rows.height)
        if reported.height:
            lines = pl.concat([reported, spelt_out(lines)]).sort(ROW, maintain_order=True)
            borders = borders_of(lines, rows.height)
            states = self._with_computed(states, rows.filter(kept & counts_a_call(rows)))
        return nested(lines, borders), in_rows(states, rows)

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

    def _priced(self, calls: pl.DataFrame) -> tuple[pl.DataFrame, Charges]:
        """Return the state of each call, and what those are charged that have a price."""
        routing = self._router.route(calls)
        rows, cards, refusals = (
            calls.get_column(ROW),
            routing.rows.get_column(CARD),
            routing.rows.get_column(REFUSAL),
        )
        charged = pl.DataFrame([rows, cards, *counts_of(calls)])
        if cards.null_count():
            charged = charged.filter(cards.is_not_null())
        charges = charge(charged, routing.cards, revision=self.book.revision)
        meters = said_by_all(UNPRICED_METER, None, len(rows))
        if charges.refused.height:
            places = rows.search_sorted(charges.refused.get_column(ROW))
            refusals = refusals.scatter(places, charges.refused.get_column(REFUSAL))
            meters = meters.scatter(places, charges.refused.get_column(UNPRICED_METER))
        facts = [_of_cards(fact, cards) for fact in _facts(routing.cards)]
        states = [
            rows,
            *of_priced([*facts, *charges.totals(rows)], refusals),
            status(refusals),
            said_by_all("price_book_revision", self.book.revision, len(rows)),
            refusals.alias("unpriced_reason"),
            meters,
            refusals,
        ]
        return pl.DataFrame(states), charges


@lru_cache(maxsize=8)
def _facts(cards: CardList) -> pl.DataFrame:
    """Return currency and basis of each card."""
    return pl.DataFrame(
        {
            "cost_currency": [card.currency for card in cards.cards],
            "price_basis": [card.basis for card in cards.cards],
        },
        schema={"cost_currency": pl.String, "price_basis": pl.String},
    )


def _of_cards(facts: pl.Series, cards: pl.Series) -> pl.Series:
    """Return what the card of each call says; of calls without a card it does not matter."""
    return facts.new_from_index(0, len(cards)) if says_one(facts) else facts.gather(cards)


def counts_a_call(rows: pl.DataFrame) -> pl.Series:
    """Return which events count what a call used."""
    return has_usage(rows) & ~_counts_again(rows)


def _counts_again(rows: pl.DataFrame) -> pl.Series:
    kinds = rows.get_column("event_type")
    if says_one(kinds):
        return pl.repeat(kinds.item(0) in _COUNTS_AGAIN, rows.height, eager=True)
    return kinds.is_in(_COUNTS_AGAIN)


def _sorted(rows: pl.DataFrame) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Return which rows bring costs, which are to be priced, and which are calls that hide their use."""
    kept = has_costs(rows)
    to_price = ~kept & counts_a_call(rows)
    if (kept | to_price).all():  # so it is of most segments of calls
        return kept, to_price, pl.zeros(rows.height, pl.Boolean, eager=True)
    calls = (
        rows.get_column("inference_provider").is_not_null()
        & ~_counts_again(rows)
        & ~rows.get_column("outcome").is_in(_COSTLESS_OUTCOMES)
    )
    return kept, to_price, ~kept & ~has_usage(rows) & calls.fill_null(value=False)


def _where(rows: pl.DataFrame, chosen: pl.Series) -> pl.DataFrame:
    """Return the chosen rows; most often that is all of them or none, and a filter copies every column."""
    if not chosen.any():
        return rows.clear()
    return rows if chosen.all() else rows.filter(chosen)


def _reported(lines: pl.DataFrame) -> pl.DataFrame:
    totals = totals_of(lines)
    refusals = totals.get_column(REFUSAL)
    return totals.with_columns(
        status(refusals),
        pl.lit("").alias("price_basis"),
        pl.lit("").alias("price_book_revision"),
        refusals.alias("unpriced_reason"),
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
