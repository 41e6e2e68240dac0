"""What currencies were worth on a day, and in which one a tenant is reported, as a snapshot knows it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from auditstream.reference.owners import Tenant
from auditstream.reference.rates import CurrencyRate
from auditstream.reference.snapshot import Snapshot

# 18 decimals, as rates have, of an amount that may be as small as one of them.
_DIVISION = Context(prec=38, rounding=ROUND_HALF_EVEN)
_DAY = timedelta(days=1) - timedelta(microseconds=1)


class KnownRates:
    """Tells the rates of a snapshot.

    Args:
        snapshot: Has the kinds `rate` and `tenant`.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._rates: dict[tuple[str, str, date], Decimal | None] = {}
        self._currencies: dict[tuple[str, date], str] = {}

    def rate(self, base: str, quote: str, day: date) -> Decimal | None:
        """Return how much of `quote` one unit of `base` was, None when nobody knows.

        The rate that holds at the end of the day (UTC), else the inverse of the opposite one, to 38 digits.
        Rates are not chained over a third currency.
        """
        key = (base, quote, day)
        if key not in self._rates:
            self._rates[key] = self._found(base, quote, _end_of(day))
        return self._rates[key]

    def currency_of(self, tenant: str, day: date) -> str:
        """Return the currency that a tenant is reported in at the end of a day; USD when it is not known."""
        key = (tenant, day)
        if key not in self._currencies:
            found = self._snapshot.find(Tenant, tenant, at=_end_of(day))
            self._currencies[key] = found.currency if found is not None else "USD"
        return self._currencies[key]

    def _found(self, base: str, quote: str, at: datetime) -> Decimal | None:
        direct = self._snapshot.find(CurrencyRate, base, quote, at=at)
        if direct is not None:
            return direct.rate
        opposite = self._snapshot.find(CurrencyRate, quote, base, at=at)
        return None if opposite is None else _DIVISION.divide(Decimal(1), opposite.rate)


def _end_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY
