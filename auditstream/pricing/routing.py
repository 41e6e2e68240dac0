"""From events to price cards, in columns: routes are looked up once, then joined back.

A route is everything but event time that a price depends on. A block has few of them next to its events, and
they come again in the next one: the router keeps what the book said of each, as a table to join blocks with.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import polars as pl

from auditstream.pricing.book import PriceBook, Route
from auditstream.pricing.cards import CardList
from auditstream.pricing.route_index import RouteIndex
from auditstream.pricing.route_windows import ROUTE, AddedWindows, CardKey, RouteWindows
from auditstream.pricing.tiers import tier_of
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


@dataclass(frozen=True, slots=True)
class _Known:
    """What the book said of routes so far.

    Attributes:
        routes: Columns `ROUTE_COLUMNS` and `ROUTE`, a row a route.
        index: Finds them.
        windows: Their windows.
        cards: The cards that windows name.
        numbers: Numbers of the cards by what tells them apart.
    """

    routes: pl.DataFrame
    index: RouteIndex
    windows: RouteWindows
    cards: CardList
    numbers: dict[CardKey, int]


class Router:
    """Finds the price cards of events in one book. Any thread may ask."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book
        self._told = {_REGION: book.regions, _TENANT: book.tenants}
        self._known: _Known | None = None
        self._lock = Lock()

    def route(self, events: pl.DataFrame) -> Routing:
        """Return the card of each event at its event time, or why it has none.

        Args:
            events: Columns `ROUTE_COLUMNS` and `event_time`.
        """
        known, numbers = self._numbers(events)
        return Routing(known.windows.held(events.get_column("event_time"), numbers), known.cards)

    def _numbers(self, events: pl.DataFrame) -> tuple[_Known, pl.Series]:
        """Return what is known, and the number of each row's route in it."""
        said = pl.DataFrame([*(events.get_column(name) for name in CHOOSING), *_small(events)])
        known = self._known
        found = None if known is None else known.index.numbers(said)
        if known is not None and found is not None:
            return known, pl.Series(ROUTE, found)
        keys = said.with_columns(_told(name, kept) for name, kept in self._told.items())
        if known is not None:
            numbers = _joined(keys, known.routes)
            if not numbers.null_count():
                return known, numbers
        with self._lock:
            known = self._known = self._extended(self._known, keys)
        found = known.index.numbers(keys)
        return known, _joined(keys, known.routes) if found is None else pl.Series(ROUTE, found)

    def _extended(self, known: _Known | None, keys: pl.DataFrame) -> _Known:
        """Return what is known with the routes of these rows."""
        if known is None or known.routes.height > _KEPT_ROUTES:
            routes = keys.clear().with_columns(pl.lit(0, pl.UInt32).alias(ROUTE))
            known = _Known(routes, RouteIndex(routes.drop(ROUTE), self._told), RouteWindows(), CardList(), {})
        new = keys.filter(_joined(keys, known.routes).is_null()) if known.routes.height else keys
        new = new.unique(maintain_order=True)
        added = AddedWindows(known.cards.cards, known.numbers)
        of_route: dict[tuple[Any, ...], list[tuple[int, str]]] = defaultdict(list)
        for number, row in enumerate(new.iter_rows(), known.routes.height):
            of_route[row[:-1]].append((number, row[-1]))  # the tenant comes last
        for key, asked in of_route.items():
            numbers, tenants = zip(*asked, strict=True)
            for laid in self._book.schedules(_route(key), tenants):
                added.add(np.array(numbers), laid)
        new = new.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(ROUTE) + known.routes.height)
        routes = pl.concat([known.routes, new.cast({ROUTE: pl.UInt32})], rechunk=True)
        cards = known.cards
        if len(added.cards) > len(cards.cards):
            cards = CardList(tuple(added.cards), weakref.ref(cards))
        index = RouteIndex(routes.drop(ROUTE), self._told)
        return _Known(routes, index, known.windows.with_further(added), cards, added.numbers)


def _small(events: pl.DataFrame) -> Iterator[pl.Series]:
    """Yield the columns of which few values choose a price; regions in small letters."""
    regions = events.get_column(_REGION)
    yield regions if regions.null_count() == len(regions) else regions.str.to_lowercase()
    yield events.get_column(_TENANT)


def _told(name: str, kept: frozenset[str]) -> pl.Expr:
    """Return a column without the values that no price depends on."""
    if not kept:
        return pl.lit("").alias(name)
    value = pl.col(name)
    return pl.when(value.is_in(sorted(kept))).then(value).otherwise(pl.lit("")).alias(name)


def _joined(keys: pl.DataFrame, routes: pl.DataFrame) -> pl.Series:
    """Return the number of each row's route, null where it is not known."""
    varied, chosen = [], []
    for column in keys:
        # What all rows say chooses routes, and need not be joined by.
        if column.null_count() == len(column) or says_one(column):
            said = column.item(0) if len(column) else None
            if not _all_say(routes.get_column(column.name), said):
                chosen.append(pl.col(column.name).eq_missing(pl.lit(said)))
        else:
            varied.append(column.name)
    if chosen:
        routes = routes.filter(chosen)
    if not varied:
        return pl.repeat(
            routes.item(0, ROUTE) if routes.height else None, keys.height, dtype=pl.UInt32, eager=True
        )
    return keys.join(routes, on=varied, how="left", nulls_equal=True, maintain_order="left")[ROUTE]


def _all_say(column: pl.Series, said: Any) -> bool:
    if said is None:
        return column.null_count() == len(column)
    return says_one(column) and bool(column.item(0) == said)


def _route(key: tuple[Any, ...]) -> Route:
    """Return the route of a row of `ROUTE_COLUMNS` without its tenant."""
    provider, served, requested, tier, batch, region = key
    models = tuple(dict.fromkeys(name for name in (served, requested) if name))
    return Route(provider or "", models, tier_of(tier, batch=batch), region)


def unsaid_as_null(events: pl.DataFrame) -> pl.DataFrame:
    """Return events as the store has them with the text of `ROUTE_COLUMNS` that says nothing as null."""
    texts = [name for name in ROUTE_COLUMNS if events.schema[name] == pl.String and name != _TENANT]
    return events.with_columns(pl.when(pl.col(name) != "").then(name).alias(name) for name in texts)
