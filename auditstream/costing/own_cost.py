"""What auditstream itself costs: storage and CPU for the events of a period, at given unit prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from auditstream.costing.allocation import Share, spread
from auditstream.costing.exact import ZERO, quotient, times

STORAGE, CPU = "auditstream_storage", "auditstream_cpu"
"""Parts of the wrapper."""

_GB = Decimal(10**9)
_HOUR_S = Decimal(3600)


@dataclass(frozen=True, slots=True)
class OwnPrices:
    """Unit prices.

    Attributes:
        currency: ISO 4217 code.
        gb_month: A gigabyte (10^9 bytes) on disk for a month; None when it is not known.
        cpu_hour: An hour of one core; None when it is not known.
        kept_months: Months that an event is kept.
    """

    currency: str
    gb_month: Decimal | None
    cpu_hour: Decimal | None
    kept_months: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured.

    Attributes:
        stored_bytes: Bytes on disk of all tables.
        stored_rows: Rows of events among them.
        cpu_s: CPU seconds that the processes took in the period; None when nobody says.
    """

    stored_bytes: int
    stored_rows: int
    cpu_s: Decimal | None = None


def own_costs(prices: OwnPrices, measured: Measured, events: Mapping[str, int]) -> list[Share]:
    """Return what each tenant's events cost, to 12 decimals.

    An event costs the average bytes on disk of one for as long as it is kept, and its share of the CPU time.

    Args:
        prices: Unit prices.
        measured: Sizes and times.
        events: Events of the period by tenant.
    """
    counts = {tenant: Decimal(count) for tenant, count in events.items() if count > 0}
    if not counts:
        return []
    amounts = {
        STORAGE: _storage(prices, measured, sum(counts.values(), ZERO)),
        CPU: _cpu(prices, measured),
    }
    return [
        Share(tenant, part, prices.currency, share, "measured")
        for part, amount in amounts.items()
        if amount is not None
        for tenant, share in spread(amount, counts).items()
    ]


def _storage(prices: OwnPrices, measured: Measured, events: Decimal) -> Decimal | None:
    if prices.gb_month is None or not measured.stored_rows:
        return None
    stored = times(Decimal(measured.stored_bytes * prices.kept_months), times(events, prices.gb_month))
    return quotient(stored, times(Decimal(measured.stored_rows), _GB))


def _cpu(prices: OwnPrices, measured: Measured) -> Decimal | None:
    if prices.cpu_hour is None or measured.cpu_s is None:
        return None
    return quotient(times(measured.cpu_s, prices.cpu_hour), _HOUR_S)
