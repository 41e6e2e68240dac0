"""From events to price cards, in columns: routes are looked up once, then joined back.

A route is everything but event time that a price depends on. A block has few of them next to its events, and
they come again in the next one: the router keeps what the book said of each, as a table to join blocks with.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any

import numpy as np
import polars as pl

from auditstream.pricing.book import PriceBook, Route, Schedule, Unpriced
from auditstream.pricing.cards import PriceCard
from auditstream.pricing.tiers import tier_of
from auditstream.pricing.windows import DAY, FIRST, LAST
from schemas.sameness import says_one

CHOOSING = (
    "inference_provider",
    "inference_response_model",
    "inference_request_model",
    "inference_service_tier",
    "inference_batch",
)
"""Columns of an event that choose its price whatever the book has."""

_REGION, _TENANT = "inference_region", "tenant_id"

ROUTE_COLUMNS = (*CHOOSING, _REGION, _TENANT)
"""Columns of an event that choose its price beside event time."""

CARD = "card"
"""Column: number of the row's card in `Routing.cards`; null where there is none."""

REFUSAL = "refusal"
"""Column: `NoPrice` value, null where there is a card."""

_ROUTE = "route"
_WINDOW_TYPES = {
    _ROUTE: pl.UInt32(),
    "from": pl.Datetime("us", "UTC"),
    "to": pl.Datetime("us", "UTC"),
    "from_time": pl.Duration("us"),
    "to_time": pl.Duration("us"),
    CARD: pl.UInt32(),
    REFUSAL: pl.String(),
}

_KEPT_ROUTES = 100_000
"""Routes kept: models times tenants with contracts of a large company; then the table begins anew."""


@dataclass(frozen=True, slots=True)
class Routing:
    """The cards of a frame of events.

    Attributes:
        rows: Columns `CARD` and `REFUSAL`, a row an event, in order.
        cards: Cards by their number.
    """

    rows: pl.DataFrame
    cards: CardList


def _nothing() -> None:
    """Stand for the list before one that begins anew."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CardList:
    """Cards by number. Compared by identity: what is derived from one can be kept beside it.

    Attributes:
        cards: The cards.
        before: Returns the list that this one adds cards to, as long as somebody keeps it: what was derived
            from it needs adding to, and not making anew.
    """

    cards: tuple[PriceCard, ...] = ()
    before: Callable[[], CardList | None] = _nothing


@dataclass(frozen=True, slots=True)
class _Known:
    """What the book said of routes so far.

    Attributes:
        routes: Columns `ROUTE_COLUMNS` and `_ROUTE`, a row a route.
        windows: Columns of `_WINDOW_TYPES`, a row a window of a route.
        cards: The cards that windows name.
    """

    routes: pl.DataFrame
    windows: pl.DataFrame
    cards: CardList = field(default_factory=CardList)


class Router:
    """Finds the price cards of events in one book. Any thread may ask."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._known: _Known | None = None
        self._lock = Lock()

    def route(self, events: pl.DataFrame) -> Routing:
        """Return the card of each event at its event time, or why it has none.

        Args:
            events: Columns `ROUTE_COLUMNS` and `event_time`.
        """
        keys = events.select(
            *CHOOSING, _told(_REGION, self._book.regions), _told(_TENANT, self._book.tenants)
        )
        known, numbers = self._numbers(keys)
        return Routing(_held(events["event_time"], numbers, known.windows), known.cards)

    def _numbers(self, keys: pl.DataFrame) -> tuple[_Known, pl.Series]:
        """Return what is known, and the number of each row's route in it."""
        known = self._known
        if known is not None:
            numbers = _joined(keys, known.routes)
            if not numbers.null_count():
                return known, numbers
        with self._lock:
            known = self._known = self._extended(self._known, keys)
        return known, _joined(keys, known.routes)

    def _extended(self, known: _Known | None, keys: pl.DataFrame) -> _Known:
        """Return what is known with the routes of these rows."""
        if known is None or known.routes.height > _KEPT_ROUTES:
            routes = keys.clear().with_columns(pl.lit(0, pl.UInt32).alias(_ROUTE))
            known = _Known(routes, pl.DataFrame(schema=_WINDOW_TYPES))
        new = keys.unique(maintain_order=True).join(
            known.routes, on=ROUTE_COLUMNS, how="anti", nulls_equal=True
        )
        cards, rows = list(known.cards.cards), []
        for number, key in enumerate(new.iter_rows(), known.routes.height):
            rows += _window_rows(number, self._book.schedule(_route(key)), cards)
        new = new.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(_ROUTE) + known.routes.height)
        return _Known(
            pl.concat([known.routes, new.cast({_ROUTE: pl.UInt32})]),
            pl.concat([known.windows, pl.DataFrame(rows, schema=_WINDOW_TYPES, orient="row")]),
            known.cards
            if len(cards) == len(known.cards.cards)
            else CardList(tuple(cards), weakref.ref(known.cards)),
        )


def _told(name: str, kept: frozenset[str]) -> pl.Expr:
    """Return a column without the values that no price depends on, in small letters where it is a region."""
    if not kept:
        return pl.lit("").alias(name)
    value = pl.col(name).str.to_lowercase() if name == _REGION else pl.col(name)
    return pl.when(value.is_in(sorted(kept))).then(value).otherwise(pl.lit("")).alias(name)


def _joined(keys: pl.DataFrame, routes: pl.DataFrame) -> pl.Series:
    """Return the number of each row's route, null where it is not known."""
    varied = []
    for column in keys:
        # What all rows say chooses routes, and need not be joined by.
        if column.null_count() == len(column):
            routes = routes.filter(pl.col(column.name).is_null())
        elif says_one(column):
            routes = routes.filter(pl.col(column.name) == column.item(0))
        else:
            varied.append(column.name)
    if not varied:
        return pl.repeat(
            routes.item(0, _ROUTE) if routes.height else None, keys.height, dtype=pl.UInt32, eager=True
        )
    return keys.join(routes, on=varied, how="left", nulls_equal=True, maintain_order="left")[_ROUTE]


def _window_rows(number: int, schedule: Schedule | Unpriced, cards: list[PriceCard]) -> list[tuple[Any, ...]]:
    """Return the windows of a route as rows; adds their cards to the list."""
    if isinstance(schedule, Unpriced):
        return [(number, FIRST, LAST, timedelta(), DAY, None, str(schedule.reason))]
    rows: list[tuple[Any, ...]] = []
    for window, card in schedule.cards:
        bounds = (number, window.start, window.end, window.from_time, window.to_time)
        if isinstance(card, PriceCard):
            rows.append((*bounds, len(cards), None))
            cards.append(card)
        else:
            rows.append((*bounds, None, str(card)))
    return rows


def _held(at: pl.Series, numbers: pl.Series, windows: pl.DataFrame) -> pl.DataFrame:
    """Return card and refusal of each event: those of its route's window that holds its time; one does."""
    if not len(at):
        return windows.select(CARD, REFUSAL).clear()
    events = pl.DataFrame([at.alias("at"), numbers.alias(_ROUTE)])
    first, last = at.min(), at.max()
    found = _held_throughout(first, last, numbers, windows)
    if found is not None:
        return found
    # The windows of other times would only multiply the rows of the join.
    near = windows.filter(pl.col("from") <= last, pl.col("to") > first)
    joined = events.join(near, on=_ROUTE, how="left", maintain_order="left")
    if joined.height > events.height:
        time_of_day = pl.col("at") - pl.col("at").dt.truncate("1d")
        joined = joined.filter(
            pl.col("at") >= pl.col("from"),
            pl.col("at") < pl.col("to"),
            time_of_day >= pl.col("from_time"),
            time_of_day < pl.col("to_time"),
        )
    return joined.select(CARD, REFUSAL)


def _held_throughout(first: Any, last: Any, numbers: pl.Series, windows: pl.DataFrame) -> pl.DataFrame | None:
    """Return the same as `_held` where one window of each route holds at all times of the events, else None.

    So it is for most blocks: then each is looked up by the number of its route, and nothing is joined.
    """
    whole = windows.filter(
        pl.col("from") <= first,
        pl.col("to") > last,
        pl.col("from_time") == timedelta(),
        pl.col("to_time") == DAY,
    )
    routes, sought = whole.get_column(_ROUTE).to_numpy(), numbers.to_numpy()
    places = np.full(int(sought.max()) + 1, -1, np.int64)
    is_sought = routes < len(places)
    places[routes[is_sought]] = np.flatnonzero(is_sought)
    found = places[sought]
    if (found < 0).any():
        return None
    return whole.select(pl.col(CARD, REFUSAL).gather(found))


def _route(key: tuple[Any, ...]) -> Route:
    """Return the route of a row of `ROUTE_COLUMNS`."""
    provider, served, requested, tier, batch, region, tenant = key
    models = tuple(dict.fromkeys(name for name in (served, requested) if name))
    return Route(provider or "", models, tier_of(tier, batch=batch), region, tenant)


def unsaid_as_null(events: pl.DataFrame) -> pl.DataFrame:
    """Return events as the store has them with the text of `ROUTE_COLUMNS` that says nothing as null."""
    texts = [name for name in ROUTE_COLUMNS if events.schema[name] == pl.String and name != _TENANT]
    return events.with_columns(pl.when(pl.col(name) != "").then(name).alias(name) for name in texts)
