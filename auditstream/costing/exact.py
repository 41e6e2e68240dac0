"""Decimal arithmetic that never rounds unasked: sums are exact, and a division says to how many decimals."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation

ZERO = Decimal(0)

DECIMALS = 12
"""Decimals of an amount of money: the scale of the cost columns."""

SCALE = Decimal("0.000000000001")
"""Smallest amount of money that is kept."""

PERCENT = Decimal("0.01")
"""Smallest share that is told."""

# 38 digits of an amount times 38 of a unit price or rate, and room for a sum of many.
_EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=[Inexact, InvalidOperation, DivisionByZero])
_ROUNDING = Context(prec=120, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    found = ZERO
    for amount in amounts:
        found = _EXACT.add(found, amount)
    return found


def minus(amount: Decimal, other: Decimal) -> Decimal:
    """Return the exact difference."""
    return _EXACT.subtract(amount, other)


def times(amount: Decimal, factor: Decimal) -> Decimal:
    """Return the exact product."""
    return _EXACT.multiply(amount, factor)


def of_steps(count: int, decimals: int) -> Decimal:
    """Return a number of steps of so many decimals as a decimal."""
    return Decimal(count).scaleb(-decimals, context=_EXACT)


def rounded(amount: Decimal, step: Decimal = SCALE) -> Decimal:
    """Return the amount in whole steps, halves to the even one."""
    return amount.quantize(step, context=_ROUNDING)


def quotient(amount: Decimal, divisor: Decimal, step: Decimal = SCALE) -> Decimal | None:
    """Return a quotient in whole steps, None for a division by 0."""
    return rounded(_ROUNDING.divide(amount, divisor), step) if divisor else None


def percent(part: Decimal, whole: Decimal) -> Decimal | None:
    """Return which share of a whole a part is, in per cent with two decimals; None of nothing."""
    return quotient(times(part, Decimal(100)), whole, PERCENT)
