"""From events to price cards, in columns: distinct routes are looked up once, then joined back.

A route is everything but event time that a price depends on. A block has few of them, and each has few
windows of event time; so the price book is asked a handful of times a block, whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

import polars as pl

from auditstream.pricing.book import NoPrice, PriceBook, Route, Schedule, Unpriced
from auditstream.pricing.cards import PriceCard
from auditstream.pricing.tiers import tier_of
from auditstream.pricing.windows import DAY, FIRST_DAY, LAST_DAY, Window

ROUTE_COLUMNS = (
    "inference_provider",
    "inference_response_model",
    "inference_request_model",
    "inference_service_tier",
    "inference_batch",
)
"""Columns of an event that choose its price beside event time."""

CARD = "card"
"""Column: number of the row's card in `Routing.cards`; null where there is none."""

REFUSAL = "refusal"
"""Column: `NoPrice` value, null where there is a card."""

_WINDOW_TYPES = {
    "from_day": pl.Datetime("us", "UTC"),
    "to_day": pl.Datetime("us", "UTC"),
    "from_time": pl.Duration("us"),
    "to_time": pl.Duration("us"),
    CARD: pl.UInt32(),
    REFUSAL: pl.String(),
}
_START = datetime(1, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Routing:
    """The cards of a frame of events.

    Attributes:
        rows: Columns `CARD` and `REFUSAL`, a row an event, in order.
        cards: The distinct cards.
    """

    rows: pl.DataFrame
    cards: list[PriceCard]


@dataclass(slots=True)
class _Windows:
    """Windows of the routes of a frame as rows, and the cards they hold."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    cards: list[PriceCard] = field(default_factory=list)
    several: bool = False

    def add(self, key: tuple[Any, ...], schedule: Schedule | Unpriced) -> None:
        if isinstance(schedule, Unpriced):
            self.rows.append((*key, _START, _END, timedelta(), DAY, None, str(schedule.reason)))
            return
        self.several |= len(schedule.cards) > 1
        for window, card in schedule.cards:
            number: int | None = None
            refusal: str | None = str(NoPrice.NO_PRICE)
            if card is not None:
                number, refusal = len(self.cards), None
                self.cards.append(card)
            self.rows.append((*key, *_bounds(window), number, refusal))


def route_events(events: pl.DataFrame, book: PriceBook) -> Routing:
    """Return the card of each event at its event time, or why it has none.

    Args:
        events: Columns `ROUTE_COLUMNS` and `event_time`.
        book: Where the cards come from; asked once a distinct route.
    """
    keys = events.select(ROUTE_COLUMNS)
    windows = _Windows()
    for key in keys.unique(maintain_order=True).iter_rows():
        windows.add(key, book.schedule(_route(*key)))
    table = pl.DataFrame(windows.rows, schema={**keys.schema, **_WINDOW_TYPES}, orient="row")
    joined = events.select(*ROUTE_COLUMNS, "event_time").join(
        table, on=ROUTE_COLUMNS, how="left", nulls_equal=True, maintain_order="left"
    )
    if windows.several:
        joined = joined.filter(_holds())
    return Routing(joined.select(CARD, REFUSAL), windows.cards)


def _route(provider: str | None, served: str | None, requested: str | None, tier: str | None,
           batch: bool | None) -> Route:  # fmt: skip
    models = tuple(dict.fromkeys(name for name in (served, requested) if name))
    return Route(provider or "", models, tier_of(tier, batch=batch))


def _holds() -> pl.Expr:
    """Return whether a window holds the event time; one of a route's windows does."""
    at = pl.col("event_time")
    time_of_day = at - at.dt.truncate("1d")
    return (
        (at >= pl.col("from_day"))
        & (at < pl.col("to_day"))
        & (time_of_day >= pl.col("from_time"))
        & (time_of_day < pl.col("to_time"))
    )


def _bounds(window: Window) -> tuple[datetime, datetime, timedelta, timedelta]:
    first, after_last = _START, _END
    if window.first_day != FIRST_DAY:
        first = datetime.combine(window.first_day, time(), UTC)
    if window.last_day != LAST_DAY:
        after_last = datetime.combine(window.last_day + DAY, time(), UTC)
    return first, after_last, window.from_time, window.to_time
