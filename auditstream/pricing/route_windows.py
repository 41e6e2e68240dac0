"""Windows of event time in which a route has a card, or a reason why it has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.pricing.book import Laid, NoPrice, Unpriced
from auditstream.pricing.cards import PriceCard
from auditstream.pricing.windows import DAY, Window

ROUTE = "route"
"""Column: number of a route."""

CARD = "card"
"""Column: number of the row's card in its `cards.CardList`; null where there is none."""

REFUSAL = "refusal"
"""Column: `NoPrice` value, null where there is a card."""

CardKey = tuple[int, int]
"""Identities of a card's steps and of its factors. Steps are the card's own or those of the list's card,
factors those of `cards.shared_factors`, and who keeps the card keeps them, so that no other ones get their
identity."""

_BOUNDS = {
    "from": pl.Datetime("us", "UTC"),
    "to": pl.Datetime("us", "UTC"),
    "from_time": pl.Duration("us"),
    "to_time": pl.Duration("us"),
}
_NO_CARD = -1
_NO_REFUSAL = pl.Series(REFUSAL, [None], pl.String)
_TYPES = {ROUTE: pl.UInt32(), **_BOUNDS, CARD: pl.UInt32(), REFUSAL: pl.String()}


class RouteWindows:
    """The windows of routes. Never changes.

    Args:
        rows: Columns of `_TYPES`, a row a window of a route; none when None.
    """

    def __init__(self, rows: pl.DataFrame | None = None) -> None:
        self._rows = pl.DataFrame(schema=_TYPES) if rows is None else rows
        self._whole_days = _WholeDays.of(self._rows)

    def with_further(self, added: AddedWindows) -> RouteWindows:
        """Return these and those of further routes."""
        return RouteWindows(pl.concat([self._rows, added.rows()], rechunk=True))

    def held(self, at: pl.Series, routes: pl.Series) -> pl.DataFrame:
        """Return card and refusal of each event: those of its route's window that holds its time; one does.

        Args:
            at: Event times.
            routes: Number of the route of each event.
        """
        if not len(at):
            return self._rows.select(CARD, REFUSAL).clear()
        found = self._whole_days.held(at, routes)
        return self._joined(at, routes) if found is None else found

    def _joined(self, at: pl.Series, routes: pl.Series) -> pl.DataFrame:
        events = pl.DataFrame([at.alias("at"), routes.alias(ROUTE)])
        # The windows of other times would only multiply the rows of the join.
        near = self._rows.filter(pl.col("from") <= at.max(), pl.col("to") > at.min())
        joined = events.join(near, on=ROUTE, how="left", maintain_order="left")
        if joined.height > events.height:
            time_of_day = pl.col("at") - pl.col("at").dt.truncate("1d")
            joined = joined.filter(
                pl.col("at") >= pl.col("from"),
                pl.col("at") < pl.col("to"),
                time_of_day >= pl.col("from_time"),
                time_of_day < pl.col("to_time"),
            )
        return joined.select(CARD, REFUSAL)


@dataclass(frozen=True, slots=True)
class _WholeDays:
    """Windows that hold at any time of a day, as arrays: most calls are looked up in them, and not joined.

    Attributes:
        routes: The route of each.
        starts: Since when it holds, in microseconds since the epoch.
        ends: Until when, exclusive.
        cards: Number of its card, -1 where there is none.
        refusals: Why there is none.
    """

    routes: NDArray[np.uint32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    cards: NDArray[np.int64]
    refusals: pl.Series

    @classmethod
    def of(cls, windows: pl.DataFrame) -> _WholeDays:
        """Return those of windows, which have the columns of `_TYPES`."""
        whole = windows.filter(pl.col("from_time") == timedelta(), pl.col("to_time") == DAY)
        return cls(
            whole.get_column(ROUTE).to_numpy(),
            whole.get_column("from").to_physical().to_numpy(),
            whole.get_column("to").to_physical().to_numpy(),
            whole.get_column(CARD).cast(pl.Int64).fill_null(-1).to_numpy(),
            whole.get_column(REFUSAL),
        )

    def held(self, at: pl.Series, routes: pl.Series) -> pl.DataFrame | None:
        """Return what `RouteWindows.held` does, where one window of each route holds at all times, else None.

        Args:
            at: Event times, in microseconds.
            routes: Number of the route of each event.
        """
        times = at.to_physical()
        first, last = (cast("int | None", bound) for bound in (times.min(), times.max()))
        if first is None or last is None:
            return None
        holds = np.flatnonzero((self.starts <= first) & (self.ends > last))
        sought = routes.to_numpy()
        places = np.full(int(sought.max()) + 1, -1, np.int64)
        of_route = self.routes.take(holds)
        is_sought = of_route < len(places)
        places[of_route[is_sought]] = holds[is_sought]
        found = places.take(sought)
        if found.min() < 0:
            return None
        cards = self.cards.take(found)
        if cards.min() < 0:
            card = pl.Series(CARD, cards).replace(-1, None).cast(pl.UInt32)
            return pl.DataFrame([card, self.refusals.gather(pl.Series(found)).alias(REFUSAL)])
        none = _NO_REFUSAL.new_from_index(0, len(found))
        return pl.DataFrame([pl.Series(CARD, cards.astype(np.uint32)), none])


class AddedWindows:
    """Windows of further routes, with the cards that they name.

    A card that several routes have is one: most tenants have prices of the list, or what few contracts leave
    of them.

    Args:
        cards: Cards by number.
        numbers: Numbers of the cards by what tells them apart.
    """

    def __init__(self, cards: Sequence[PriceCard], numbers: dict[CardKey, int]) -> None:
        self.cards = list(cards)
        self.numbers = dict(numbers)
        self._bounds: dict[int, tuple[int, Window]] = {}
        self._runs: list[_Run] = []

    def add(self, routes: NDArray[np.int64], laid: Laid) -> None:
        """Add the windows of routes.

        Args:
            routes: Number of the route of each tenant that was asked for.
            laid: What some of these pay.
        """
        own, prices = routes.take(laid.places), laid.prices
        if isinstance(prices, Unpriced):
            self._add(own, Window(), prices.reason)
            return
        for place, (window, card) in enumerate(prices.cards):
            factors = laid.factors[place] if laid.factors else None
            if isinstance(card, PriceCard) and factors is not None:
                numbers = [self._number(card, each) for each in factors]
                self._runs.append(_Run(own, self._bound(window), np.array(numbers), None))
            else:
                self._add(own, window, card)

    def rows(self) -> pl.DataFrame:
        """Return what was added, as columns of `_TYPES`."""
        sizes = [len(run.routes) for run in self._runs]
        windows = [(each.start, each.end, each.from_time, each.to_time) for _, each in self._bounds.values()]
        bounds = np.repeat(np.array([run.bound for run in self._runs], np.uint32), sizes)
        refusals = pl.Series(REFUSAL, [run.refusal for run in self._runs], pl.String)
        cards = _joined_arrays([run.cards for run in self._runs])
        return pl.DataFrame(
            [
                pl.Series(ROUTE, _joined_arrays([run.routes for run in self._runs])).cast(pl.UInt32),
                *pl.DataFrame(windows, schema=_BOUNDS, orient="row")[pl.Series(bounds)],
                pl.Series(CARD, cards).replace(_NO_CARD, None).cast(pl.UInt32),
                refusals.gather(pl.Series(np.repeat(np.arange(len(sizes)), sizes))),
            ]
        )

    def _add(self, routes: NDArray[np.int64], window: Window, card: PriceCard | NoPrice) -> None:
        """Add a window in which all of these routes have the same card, or none for the same reason."""
        number = self._number(card, card.factors) if isinstance(card, PriceCard) else _NO_CARD
        refusal = None if isinstance(card, PriceCard) else str(card)
        self._runs.append(_Run(routes, self._bound(window), np.full(len(routes), number), refusal))

    def _bound(self, window: Window) -> int:
        # By identity: most routes share their windows, and to compare these takes longer than all the rest.
        number, _ = self._bounds.setdefault(id(window), (len(self._bounds), window))
        return number

    def _number(self, card: PriceCard, factors: tuple[Decimal, ...]) -> int:
        key = id(card.steps), id(factors)
        number = self.numbers.get(key)
        if number is None:
            number = self.numbers[key] = len(self.cards)
            own = card.factors is factors
            self.cards.append(
                card if own else PriceCard(card.starts, card.steps, card.basis, card.currency, factors)
            )
        return number


@dataclass(frozen=True, slots=True)
class _Run:
    """A window of several routes: the number of its bounds, and each one's card or why there is none."""

    routes: NDArray[np.int64]
    bound: int
    cards: NDArray[np.int64]
    refusal: str | None


def _joined_arrays(arrays: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
