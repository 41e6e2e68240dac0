"""Amounts in another currency, at the rate that held on a day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, localcontext

from auditstream.reference.rates import CurrencyRate
from auditstream.reference.snapshot import Snapshot

_DIGITS = 50  # amounts have 38, rates 38: rounding is left to who books the result


class Rates:
    """The currency rates of a snapshot.

    Args:
        snapshot: Has kind `rate`.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[tuple[str, str, date], Decimal | None] = {}

    def convert(self, amount: Decimal, base: str, quote: str, day: date) -> Decimal | None:
        """Return an amount of `base` in `quote`, or None when no rate held at the day's first moment.

        A rate the other way round serves as well; two rates are never chained.
        """
        if base == quote:
            return amount
        rate = self._rate(base, quote, day)
        if rate is None:
            return None
        with localcontext(prec=_DIGITS):
            return amount * rate

    def _rate(self, base: str, quote: str, day: date) -> Decimal | None:
        key = (base, quote, day)
        if key not in self._known:
            self._known[key] = self._looked_up(*key)
        return self._known[key]

    def _looked_up(self, base: str, quote: str, day: date) -> Decimal | None:
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        found = self._snapshot.find(CurrencyRate, base, quote, at=at)
        if found is not None:
            return found.rate
        other = self._snapshot.find(CurrencyRate, quote, base, at=at)
        if other is None:
            return None
        with localcontext(prec=_DIGITS):
            return 1 / other.rate
