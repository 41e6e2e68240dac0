"""What the pricer asks of a price book.

A book over another book is how the rest is added: prices imported into the reference tables and corrections
look first in their own rows and then here; a tenant's contract takes the listed card and states contracted
prices beside the listed ones. Such a book needs more of the event to choose by (tenant, region): a field of
`Route` and a column in `routing.ROUTE_COLUMNS`. It is made for one reference revision, so that a replay asks
the same book.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from auditstream.pricing.cards import PriceCard
from auditstream.pricing.windows import Window


@dataclass(frozen=True, slots=True)
class Route:
    """What a price depends on, event time and usage aside.

    Attributes:
        provider: Provider as the event names it.
        models: Names of the model, best first: the served one, then the requested one.
        tier: Service tier from `tiers.tier_of`, `` for standard.
    """

    provider: str
    models: tuple[str, ...]
    tier: str


class NoPrice(StrEnum):
    """Why a call has no price."""

    UNKNOWN_PROVIDER = "unknown_provider"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_TIER = "unknown_tier"
    NO_TIER = "no_price_for_tier"
    NO_PRICE = "no_price"
    NO_METER_PRICE = "no_price_for_meter"
    NO_USAGE = "no_usage"
    INCOMPLETE_USAGE = "incomplete_usage"
    IMPOSSIBLE_USAGE = "impossible_usage"
    REPORTED_UNPRICED = "reported_unpriced"
    MIXED_CURRENCIES = "mixed_currencies"
    IMPOSSIBLE_AMOUNT = "impossible_amount"


@dataclass(frozen=True, slots=True)
class Unpriced:
    """There is no price, at any event time."""

    reason: NoPrice


@dataclass(frozen=True, slots=True)
class Schedule:
    """Price cards by window of event time; the windows cover all of time, without overlap.

    Attributes:
        cards: Each window with its card; None where no price is known.
    """

    cards: tuple[tuple[Window, PriceCard | None], ...]


class PriceBook(Protocol):
    """Prices that the pricer can ask for. Pure: one route always gets the same answer."""

    revision: str

    def schedule(self, route: Route, /) -> Schedule | Unpriced:
        """Return the cards of a call by event time, or why there are none. Quick when asked again."""
        ...
