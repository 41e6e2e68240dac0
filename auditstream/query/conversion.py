"""Costs in the currency that is asked for: at the rates of the days that have something booked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from auditstream.costing.conversion import Unconverted, converted
from auditstream.costing.exact import total
from auditstream.costing.spent import Booked
from auditstream.query.cost_rows import Asked, cost_rows
from auditstream.query.quoted import Quoted
from auditstream.query.reader import Reader
from auditstream.reference.known_rates import KnownRates


def in_currency(
    rows: Sequence[Booked], rates: KnownRates, currency_of_tenant: Callable[[str], str]
) -> tuple[list[Booked], list[str]]:
    """Return rows in the currency of their tenants, and a line for what could not be converted."""
    found, left = converted(rows, currency_of_tenant, rates)
    return found, list(_unconverted(left))


def quoted(
    reader: Reader, days: Asked, rates: KnownRates, quote: str, key: tuple[str, ...] | None = None
) -> tuple[Quoted, list[str]]:
    """Return a currency with the rates of the days that have something booked, and a line for what has none.

    Args:
        reader: The store.
        days: How to ask what was booked by day.
        rates: Knows the rates.
        quote: The currency.
        key: Values of the dimensions of `days` that count; None for all.
    """
    rows = [row for row in cost_rows(reader, days) if key is None or row.key == key]
    _, notes = in_currency(rows, rates, lambda _: quote)
    pairs = sorted({(row.day, row.currency) for row in rows if row.currency not in {"", quote}})
    found = {(day, base): rates.rate(base, quote, day) for day, base in pairs}
    return Quoted(quote, {pair: rate for pair, rate in found.items() if rate is not None}), notes


def _unconverted(left: Iterable[Unconverted]) -> Iterator[str]:
    amounts: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    days: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in left:
        pair = (each.base, each.quote)
        amounts[pair].append(each.effective)
        days[pair].add(each.day.isoformat())
    for (base, quote), parts in sorted(amounts.items()):
        named = sorted(days[base, quote])
        shown = ", ".join(named[:5]) + (f" and {len(named) - 5} more days" if len(named) > 5 else "")
        yield (
            f"not converted: {total(parts).normalize():f} {base} stay in {base}: "
            f"no rate {base} to {quote} on {shown}"
        )
