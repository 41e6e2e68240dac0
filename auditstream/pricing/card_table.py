"""Cards laid out as arrays to charge calls by: one long list of rates, of which a step of a card is a run.

What is listed is laid out once, and a contract's discounts are factors over it: of fifty tenants with
contracts for one model each has its contracted prices, and all have one list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.pricing.cards import CardList, PriceCard, Rate, Shape
from auditstream.pricing.fixed_point import Factors, Units, units_of
from auditstream.pricing.line_fields import LINE_FIELDS, numbered, spelt_out

_UNIT_PLACES = 18
_LINE_STEP = 10**6
"""What a unit price is divided by: from its 18 places to the 12 of an amount."""

_FACTOR_PLACES = 8
_FACTOR_STEP = 10**_FACTOR_PLACES
"""A factor has eight places: it is what a percentage of six leaves (`reference.fact.Share`)."""

_NEVER = 2**63 - 1
"""A start that no total of input tokens is above."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Where the steps of the cards of some calls are.

    Attributes:
        rate: Number of the first rate of the step that each call reaches.
        shape: Number of the shape of its card.
    """

    rate: NDArray[np.int64]
    shape: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Run:
    """The listed rates of all steps of a card.

    Attributes:
        first: Number of the first listed rate.
        width: Rates of a step.
        size: Rates of all steps.
        shape: Number of the shape.
    """

    first: int
    width: int
    size: int
    shape: int


@dataclass(frozen=True, slots=True)
class CardTable:
    """The table of some cards, by their numbers.

    Attributes:
        said: What a line of each listed rate says, whatever its quantity; its texts by number.
        listed_units: List price of each listed rate, in units of its last place.
        listed: The same, to multiply with counts.
        stated_units: What each listed rate says itself of its contracted price.
        listed_of: Number of the listed rate of each rate.
        contracted_units: Contracted price of each rate.
        contracted: The same, to multiply with counts; None where every one is the list price.
        first: Number of each card's first rate.
        width: How many rates a step of it has.
        shape: Number of its shape.
        starts: Above which total of input tokens its second step begins, its third, ..., for all cards.
        shapes: The shapes by their numbers.
        runs: Where steps are listed, by their identity; those of a discount are those of the list.
    """

    said: pl.DataFrame
    listed_units: Units
    listed: Factors
    stated_units: Units
    listed_of: NDArray[np.int64]
    contracted_units: Units
    contracted: Factors | None
    first: NDArray[np.int64]
    width: NDArray[np.int64]
    shape: NDArray[np.int64]
    starts: tuple[NDArray[np.int64], ...]
    shapes: tuple[Shape, ...]
    runs: dict[int, _Run]

    def steps(self, cards: NDArray[Any], totals: NDArray[np.int64] | None) -> Steps:
        """Return the steps that calls reach.

        Args:
            cards: Number of each call's card.
            totals: Its total of input tokens; None where no call counts any.
        """
        rate = self.first.take(cards)
        if totals is not None and self.starts:
            width = self.width.take(cards)
            for starts in self.starts:
                rate += np.where(totals > starts.take(cards), width, 0)
        return Steps(rate, self.shape.take(cards))

    def grown(self, cards: Sequence[PriceCard]) -> CardTable:
        """Return the table with further cards, whose numbers follow those that are there."""
        runs, shapes = dict(self.runs), {shape: number for number, shape in enumerate(self.shapes)}
        rates: list[tuple[Rate, str]] = []
        begun = self.said.height
        for card in cards:
            if id(card.steps) not in runs:
                own = [(rate, card.currency) for step in card.steps for rate in step]
                shape = shapes.setdefault(card.shape, len(shapes))
                runs[id(card.steps)] = _Run(begun + len(rates), len(card.steps[0]), len(own), shape)
                rates += own
        listed_units = _joined(self.listed_units, _prices(rate.unit_price for rate, _ in rates))
        stated_units = _joined(self.stated_units, _prices(rate.contracted for rate, _ in rates))
        of_cards = [runs[id(card.steps)] for card in cards]
        sizes = _numbers(run.size for run in of_cards)
        first = sizes.cumsum() - sizes
        listed_of = np.repeat(_numbers(run.first for run in of_cards) - first, sizes) + np.arange(sizes.sum())
        contracted_units = stated_units.take(listed_of)
        discounted = _discounted(cards, sizes, listed_units.take(listed_of))
        if discounted is not None:
            places, prices = discounted
            kind = np.promote_types(contracted_units.dtype, prices.dtype)
            contracted_units = contracted_units.astype(kind)
            contracted_units[places] = prices
        all_listed_of = _joined(self.listed_of, listed_of)
        contracted_units = _joined(self.contracted_units, contracted_units)
        differs = bool((contracted_units != listed_units.take(all_listed_of)).any())
        return CardTable(
            said=_numbered(pl.concat([spelt_out(self.said), _said(rates)], rechunk=True)),
            listed_units=listed_units,
            listed=Factors.of(listed_units, _LINE_STEP),
            stated_units=stated_units,
            listed_of=all_listed_of,
            contracted_units=contracted_units,
            contracted=Factors.of(contracted_units, _LINE_STEP) if differs else None,
            first=_joined(self.first, first + len(self.listed_of)),
            width=_joined(self.width, _numbers(run.width for run in of_cards)),
            shape=_joined(self.shape, _numbers(run.shape for run in of_cards)),
            starts=_starts(self.starts, len(self.first), cards),
            shapes=tuple(shapes),
            runs=runs,
        )


@lru_cache(maxsize=8)
def card_table(cards: CardList) -> CardTable:
    """Return the table of a list; a new route adds to it, for thousands are laid out in a second."""
    before = cards.before()
    known = _empty() if before is None else card_table(before)
    return known.grown(cards.cards[len(known.first) :])


def _discounted(
    cards: Sequence[PriceCard], sizes: NDArray[np.int64], listed: Units
) -> tuple[NDArray[np.int64], Units] | None:
    """Return which rates are under a discount and their prices; None when none is.

    Rounded half-even to 18 places, as `cards.product` does one price at a time.
    """
    discounted = [card for card in cards if card.factors]
    if not discounted:
        return None
    # By identity: cards of one contract share their factors.
    of_id = {id(card.factors): card.factors for card in discounted}
    units = {number: units_of(factors, _FACTOR_PLACES) for number, factors in of_id.items()}
    numbers = np.concatenate([units[id(card.factors)] for card in discounted for _ in card.steps])
    places = np.flatnonzero(np.repeat(np.array([bool(card.factors) for card in cards]), sizes))
    return places, Factors.of(listed.take(places), _FACTOR_STEP).times(numbers)


def _starts(
    known: tuple[NDArray[np.int64], ...], height: int, cards: Sequence[PriceCard]
) -> tuple[NDArray[np.int64], ...]:
    """Return the starts of all cards by place, with those of further cards behind `height` others."""
    width = max((len(known), *(len(card.starts) for card in cards)))
    new = np.full((width, len(cards)), _NEVER, np.int64)
    for number, card in enumerate(cards):
        if card.starts:
            new[: len(card.starts), number] = card.starts
    none = np.full(height, _NEVER, np.int64)
    return tuple(_joined(known[place] if place < len(known) else none, new[place]) for place in range(width))


def _said(rates: Sequence[tuple[Rate, str]]) -> pl.DataFrame:
    """Return what every line of a rate says, by number of the rate."""
    meters = [rate.meter for rate, _ in rates]
    values: dict[str, list[Any]] = {
        "meter": [meter.name for meter in meters],
        "direction": [meter.direction for meter in meters],
        "cache_action": [meter.cache_action for meter in meters],
        "unit": [meter.unit for meter in meters],
        "price_id": [rate.price_id for rate, _ in rates],
        "list_unit_price": [rate.unit_price for rate, _ in rates],
        "currency": [currency for _, currency in rates],
    }
    return pl.DataFrame(values, schema={name: LINE_FIELDS[name] for name in values})


def _numbered(said: pl.DataFrame) -> pl.DataFrame:
    return numbered(said, (name for name in said.columns if LINE_FIELDS[name] == pl.String))


def _prices(prices: Iterable[Decimal]) -> Units:
    return units_of(list(prices), _UNIT_PLACES)


def _numbers(values: Iterable[int]) -> NDArray[np.int64]:
    return np.fromiter(values, np.int64)


def _joined(known: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([known, new])


_NONE = np.empty(0, np.int64)


@cache
def _empty() -> CardTable:
    """Return the table of no cards; made when it is needed, for it starts the threads of polars."""
    return CardTable(
        said=_numbered(_said([])),
        listed_units=_NONE,
        listed=Factors(_LINE_STEP, _NONE, None),
        stated_units=_NONE,
        listed_of=_NONE,
        contracted_units=_NONE,
        contracted=None,
        first=_NONE,
        width=_NONE,
        shape=_NONE,
        starts=(),
        shapes=(),
        runs={},
    )
