"""Amounts of one currency as those of another, made by the store, so that not every key is read for each day.

As `costing.conversion` has it: what a key cost on a day is converted at the day's rate, and rounded to 12
decimals, halves to even, before sums are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from auditstream.costing.exact import rounded
from auditstream.query.predicates import Conditions

_RATE_STEP = Decimal(1).scaleb(-36)
"""Decimals that a rate is multiplied with: beside them 40 digits of a product fit into a number of 76."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """A currency to convert to, and what the others were worth in it.

    Attributes:
        currency: ISO 4217 code.
        rates: By day (UTC) and currency; what is not there stays in its currency.
    """

    currency: str
    rates: Mapping[tuple[date, str], Decimal]

    def rate(self, conditions: Conditions) -> str:
        """Return an expression for the rate of a row's `day` and `booked_currency`; NULL without one."""
        if not self.rates:
            return "CAST(NULL, 'Nullable(Decimal(76, 36))')"
        days = conditions.bind([f"{day} {currency}" for day, currency in self.rates], "Array(String)")
        rates = [f"{rounded(rate, _RATE_STEP):f}" for rate in self.rates.values()]
        texts = conditions.bind(rates, "Array(String)")
        key = "concat(toString(day), ' ', booked_currency)"
        return f"toDecimal256OrNull(transform({key}, {days}, {texts}, ''), 36)"

    def code(self, conditions: Conditions) -> str:
        """Return an expression for the currency that a row with `rate` and `booked_currency` is told in."""
        return f"if(rate IS NULL, toString(booked_currency), {conditions.bind(self.currency, 'String')})"


def at_rate(amount: str) -> str:
    """Return an expression for a column of amounts at the `rate` of its row, as it is where that is NULL."""
    product = f"multiplyDecimal(toDecimal256({amount}, 12), assumeNotNull(rate), 36)"
    return f"if(rate IS NULL, {amount}, toDecimal128(roundBankers({product}, 12), 12))"
