"""What was used and what it cost: figures that add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from auditstream.costing.exact import ZERO, total

AMOUNTS = ("cost_list", "cost_contracted", "cost_effective", "cost_billed")
"""The four amounts, named as the columns of the store."""

COUNTS = (
    "events",
    "unpriced_events",
    "unpriced_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
"""What is counted, named as the columns of the store where it has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Use, and its cost in one currency.

    Attributes:
        events: Events.
        unpriced_events: Events that the amounts lack, because they have no price.
        unpriced_tokens: Tokens of these, read and written.
        input_tokens: Tokens read, cached ones included.
        output_tokens: Tokens written, reasoning included.
        cache_read_tokens: Part of the input that was read from the cache.
        cache_write_tokens: Part of the input that was written to the cache.
        reasoning_tokens: Part of the output that was reasoning.
        cost_list: Cost at list price.
        cost_contracted: Cost at contracted price.
        cost_effective: Cost after amortising commitments.
        cost_billed: Cost as invoiced.
    """

    events: int = 0
    unpriced_events: int = 0
    unpriced_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_list: Decimal = ZERO
    cost_contracted: Decimal = ZERO
    cost_effective: Decimal = ZERO
    cost_billed: Decimal = ZERO


NOTHING = Spent()


@dataclass(frozen=True, slots=True)
class Booked:
    """What is booked under a key to a tenant, in a currency, on a day.

    Attributes:
        key: Values of the dimensions that a report is by.
        tenant: Tenant that it is booked to.
        currency: ISO 4217 code of the amounts; empty for what has none: unpriced, or without a cost.
        spent: The figures.
        day: Day of the events (UTC), where rows are by day; else the first of all days.
    """

    key: tuple[str, ...]
    tenant: str
    currency: str
    spent: Spent
    day: date = date.min


def sum_of(parts: Iterable[Spent]) -> Spent:
    """Return the exact sum of figures; those of different currencies must not meet here."""
    found = list(parts)
    if len(found) == 1:  # as of most keys, of which there may be a million
        return found[0]
    figures: dict[str, Any] = {name: total(getattr(each, name) for each in found) for name in AMOUNTS}
    figures |= {name: sum(getattr(each, name) for each in found) for name in COUNTS}
    return Spent(**figures)
