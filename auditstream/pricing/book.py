"""What the pricer asks of a price book.

There are two: the installed catalogue alone (`catalogue`), and the reference tables at a revision, which know
models by the catalogue's names (`reference_book`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from auditstream.pricing.cards import PriceCard
from auditstream.pricing.windows import Window

if TYPE_CHECKING:
    from auditstream.pricing.price_rows import PriceRow


@dataclass(frozen=True, slots=True)
class Route:
    """What a price depends on, event time and usage aside.

    Attributes:
        provider: Provider as the event names it.
        models: Names of the model, best first: the served one, then the requested one.
        tier: Service tier from `tiers.tier_of`, `` for standard.
        region: Region or route; `` when it is not known, or none that a price of the book depends on.
        tenant: Who owes it; `` when no contract of the book is the tenant's own.
    """

    provider: str
    models: tuple[str, ...]
    tier: str
    region: str = ""
    tenant: str = ""


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
    NO_RATE = "no_currency_rate"
    IMPOSSIBLE_AMOUNT = "impossible_amount"


@dataclass(frozen=True, slots=True)
class Unpriced:
    """There is no price, at any event time."""

    reason: NoPrice


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Price cards by window of event time; the windows cover all of time, without overlap.

    Compared by identity: what is derived from one can be kept beside it.

    Attributes:
        cards: Each window with its card, or why there is no price.
    """

    cards: tuple[tuple[Window, PriceCard | NoPrice], ...]

    def in_window(self, window: Window) -> PriceCard | NoPrice:
        """Return the card of a window that is inside of one of these, or why there is none."""
        return next(card for whole, card in self.cards if whole.contains(window))

    def at(self, moment: datetime) -> PriceCard | NoPrice:
        """Return the card of an event time (UTC), or why there is none."""
        since_midnight = moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return next(
            card
            for window, card in self.cards
            if window.start <= moment < window.end and window.from_time <= since_midnight < window.to_time
        )


@dataclass(frozen=True, slots=True)
class Laid:
    """What a route costs some of the tenants that were asked for, whose contracts change the same prices.

    Attributes:
        places: Places of these tenants among those asked for.
        prices: Windows and cards that they share, or why there are none.
        factors: For each window what the contract of each of them leaves of the prices of its card, as
            `cards.shared_factors` has it; None where their contracts change nothing. Empty without contracts.
    """

    places: Sequence[int]
    prices: Schedule | Unpriced
    factors: Sequence[Sequence[tuple[Decimal, ...]] | None] = ()


class PriceBook(Protocol):
    """Prices that the pricer can ask for. Pure: one route always gets the same answer.

    Attributes:
        revision: Written on each line.
        tiers: Service tiers that some price is of, the standard one aside.
        regions: Regions and routes that some price depends on.
        tenants: Tenants that have a contract of their own.
    """

    revision: str
    tiers: frozenset[str]
    regions: frozenset[str]
    tenants: frozenset[str]

    def rows(self) -> Iterator[PriceRow]:
        """Yield every price that counts."""
        ...

    def schedule(self, route: Route, /) -> Schedule | Unpriced:
        """Return the cards of a call by event time, or why there are none. Quick when asked again."""
        ...

    def schedules(self, route: Route, tenants: Sequence[str], /) -> Iterator[Laid]:
        """Yield what `schedule` says of a route that names no tenant, for each of these tenants.

        Fifty tenants with contracts make of one model fifty routes: what they share is worked out once.
        """
        ...
