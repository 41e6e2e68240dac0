"""Amounts of one currency as amounts of another, at the rate of the day; what has no rate stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from auditstream.costing.exact import rounded, times
from auditstream.costing.spent import AMOUNTS, Booked


class Rates(Protocol):
    """Knows what currencies were worth."""

    def rate(self, base: str, quote: str, day: date) -> Decimal | None:
        """Return how much of `quote` one unit of `base` was on a day, None when nobody knows."""
        ...


@dataclass(frozen=True, slots=True)
class Unconverted:
    """What stayed in its currency, because there is no rate.

    Attributes:
        base: Its currency.
        quote: The currency that was asked for.
        day: Day of the events (UTC).
        effective: Effective cost that it is about, in `base`.
    """

    base: str
    quote: str
    day: date
    effective: Decimal


def at_rate(amount: Decimal, rate: Decimal) -> Decimal:
    """Return an amount in another currency, rounded to 12 decimals, halves to even."""
    return rounded(times(amount, rate))


def converted(
    rows: Iterable[Booked], quote_of: Callable[[str], str], rates: Rates
) -> tuple[list[Booked], list[Unconverted]]:
    """Return the rows in the currency asked for, and what could not be converted.

    Each amount is converted at its day's rate and rounded to 12 decimals, halves to even, before sums are
    made: what a row says does not depend on what it is added to.

    Args:
        rows: By day.
        quote_of: Currency that a tenant is reported in.
        rates: Knows the rates.
    """
    found: list[Booked] = []
    left: list[Unconverted] = []
    for row in rows:
        quote = quote_of(row.tenant)
        if row.currency in {"", quote}:
            found.append(row)
            continue
        rate = rates.rate(row.currency, quote, row.day)
        if rate is None:
            left.append(Unconverted(row.currency, quote, row.day, row.spent.cost_effective))
            found.append(row)
            continue
        amounts: dict[str, Any] = {name: at_rate(getattr(row.spent, name), rate) for name in AMOUNTS}
        found.append(replace(row, currency=quote, spent=replace(row.spent, **amounts)))
    return found, left
