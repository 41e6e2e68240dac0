"""The pricer: a frame of events in, the same rows with their costs out.

Which events cost:

- An event that brought cost lines keeps them; its totals are their sums (`reported`).
- Any other event with token counts is priced from the book, at its event time, by the served model and tier
  where the book knows them. `ai.agent.action` is not: it counts again what the calls inside it count.
- A model call that succeeded without saying what it used is unpriced. One that failed or was blocked without
  any count costs nothing.
- Everything else costs nothing: status `none`, no amounts.

An event without a price has status `unpriced` and null amounts, never zeros, so that a total can say what it
lacks.

Contracts, currency rates, imported prices and re-rating come as other price books (`book`), as columns of a
route (`routing`), and as amounts that differ from `list` (`lines`); the columns that this stage adds stay the
same.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from auditstream.pricing.book import NoPrice, PriceBook
from auditstream.pricing.cards import PriceCard
from auditstream.pricing.lines import AMOUNT, AMOUNTS, COSTS, ROW, charge, nested, totals
from auditstream.pricing.reported import has_costs, lines_of, totals_of
from auditstream.pricing.routing import CARD, REFUSAL, ROUTE_COLUMNS, route_events
from auditstream.pricing.usage import USAGE_COLUMNS, counts_of, has_usage

PRICED, UNPRICED, NONE = "priced", "unpriced", "none"

_COUNTS_AGAIN = ("ai.agent.action",)
_COSTLESS_OUTCOMES = ("FAILURE", "BLOCKED")

_TOTAL = "total"
_NEEDED = ("event_type", "outcome", "event_time", *ROUTE_COLUMNS, *USAGE_COLUMNS, COSTS)

_STATES = {
    "cost_currency": pl.String(),
    **{f"cost_{name}": AMOUNT for name in AMOUNTS},
    "price_basis": pl.String(),
    "cost_status": pl.String(),
    "price_book_revision": pl.String(),
    REFUSAL: pl.String(),
}
_FOR_NONE = {"cost_currency": "", "price_basis": "", "cost_status": NONE, "price_book_revision": ""}


class CataloguePricer:
    """Prices events from a price book. Pure: the same frame and revision give the same bytes."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    def price(self, events: pl.DataFrame, *, revision: int) -> pl.DataFrame:
        """Return the events with their costs: the same rows in the same order.

        Args:
            events: Columns of `schemas.flatten.FRAME_SCHEMA`, and any others.
            revision: Reference revision in force; the catalogue is the same at each.

        Returns:
            The events with `costs` filled and the columns `cost_currency`, `cost_list`, `cost_contracted`,
            `cost_effective`, `cost_billed` (Decimal(38, 12), null when unpriced), `price_basis` (dated,
            undated or ''), `cost_status` (priced, unpriced or none) and `price_book_revision`.
        """
        return self.explain(events, revision=revision).drop(REFUSAL)

    def explain(self, events: pl.DataFrame, *, revision: int) -> pl.DataFrame:
        """Return what `price` returns and a column `refusal`: a `book.NoPrice` where status is unpriced."""
        rows = events.select(_NEEDED).with_row_index(ROW)
        kept, to_price, unsaid = _sorted(rows)
        reported = lines_of(rows.filter(kept))
        priced, computed = self._priced(rows.filter(to_price))
        unpriced = _unsaid(rows.filter(unsaid), self._book.revision)
        states = pl.concat([_reported(reported), priced, unpriced], how="diagonal")
        lines = (
            pl.concat([reported, computed]).sort(ROW, maintain_order=True) if reported.height else computed
        )
        costs = nested(lines, rows.height)
        return events.with_columns(costs, *_in_rows(states, rows))

    def _priced(self, calls: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the state of each call, and the lines of those that have any."""
        routing = route_events(calls, self._book)
        routed = calls.select(ROW).hstack(routing.rows)
        charged = routed.hstack(counts_of(calls)).filter(pl.col(CARD).is_not_null()).drop(REFUSAL)
        charges = charge(charged, routing.cards, revision=self._book.revision)
        states = routed.with_columns(totals(charges.lines, calls.get_column(ROW)).alias(_TOTAL))
        if charges.refused.height:
            states = states.update(charges.refused, on=ROW)
        return self._states(states, routing.cards), charges.lines

    def _states(self, calls: pl.DataFrame, cards: Sequence[PriceCard]) -> pl.DataFrame:
        facts = pl.DataFrame(
            {"currency": [card.currency for card in cards], "basis": [card.basis for card in cards]},
            schema={"currency": pl.String, "basis": pl.String},
        )
        has_price = pl.col(REFUSAL).is_null()
        total = pl.when(has_price).then(_TOTAL).cast(AMOUNT)
        return calls.hstack(facts[calls.get_column(CARD)]).select(
            ROW,
            pl.when(has_price).then("currency").otherwise(pl.lit("")).alias("cost_currency"),
            *(total.alias(f"cost_{name}") for name in AMOUNTS),
            pl.when(has_price).then("basis").otherwise(pl.lit("")).alias("price_basis"),
            _status(),
            pl.lit(self._book.revision).alias("price_book_revision"),
            REFUSAL,
        )


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


def _reported(lines: pl.DataFrame) -> pl.DataFrame:
    return totals_of(lines).with_columns(
        _status(), pl.lit("").alias("price_basis"), pl.lit("").alias("price_book_revision")
    )


def _unsaid(rows: pl.DataFrame, revision: str) -> pl.DataFrame:
    return rows.select(
        ROW,
        pl.lit("").alias("cost_currency"),
        pl.lit("").alias("price_basis"),
        pl.lit(UNPRICED).alias("cost_status"),
        pl.lit(revision).alias("price_book_revision"),
        pl.lit(str(NoPrice.NO_USAGE)).alias(REFUSAL),
    )


def _status() -> pl.Expr:
    status = pl.when(pl.col(REFUSAL).is_null()).then(pl.lit(PRICED)).otherwise(pl.lit(UNPRICED))
    return status.alias("cost_status")


def _in_rows(states: pl.DataFrame, rows: pl.DataFrame) -> list[pl.Series]:
    """Return the columns of the states for all rows; a row without a state costs nothing."""
    joined = rows.select(ROW).join(states, on=ROW, how="left", maintain_order="left")
    return joined.select(_filled(name, kind) for name, kind in _STATES.items()).get_columns()


def _filled(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name).cast(kind)
    return column.fill_null(_FOR_NONE[name]) if name in _FOR_NONE else column
