"""What is paid around inference, by month: calls, operational costs as rules spread them, our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from auditstream.core.event_types import CALL_TYPES, OPERATIONAL_COST
from auditstream.costing.allocation import Charge, Residual, Share, allocated
from auditstream.costing.categories import INFERENCE, category_word
from auditstream.costing.own_cost import Measured, OwnPrices, own_costs
from auditstream.costing.spent import Booked, Spent
from auditstream.costing.wrapper import Statement, statements_of
from auditstream.query.conversion import in_currency
from auditstream.query.cost_dimensions import dimensions_of
from auditstream.query.cost_rows import Asked, cost_rows
from auditstream.query.named_periods import Span, month_span
from auditstream.query.operational_costs import charges_of, weights_of
from auditstream.query.reader import Reader
from auditstream.reference.fact import UNATTRIBUTED
from auditstream.reference.known_rates import KnownRates
from auditstream.reference.known_rules import KnownRules

Amount = TypeVar("Amount", Charge, Share)


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known beside the events: rates, rules, the size of the store; and what is asked for.

    Attributes:
        rates: Rates of exchange.
        rules: Rules of allocation.
        prices: Prices of what auditstream itself takes.
        measured: How much that is; None to leave it out.
        code: Currency of all amounts; None for each its own.
        known_on: Leave out what was learnt of events later; None for all that is known.
    """

    rates: KnownRates
    rules: KnownRules
    prices: OwnPrices
    measured: Measured | None
    code: str | None = None
    known_on: datetime | None = None


@dataclass(frozen=True, slots=True)
class MonthOfCosts:
    """What a month came to.

    Attributes:
        month: The month, or the part of it that was asked for, as text.
        statements: By tenant and currency.
        residuals: What nobody pays.
        unpriced: Calls without a price, by tenant.
    """

    month: str
    statements: Sequence[Statement]
    residuals: Sequence[Residual]
    unpriced: Mapping[str, int]


def month_of_costs(reader: Reader, span: Span, basis: Basis, note: Callable[[str], None]) -> MonthOfCosts:
    """Return what one month, or a part of one, came to.

    Args:
        reader: The store; one that sees every tenant, or shared costs would be spread over a few.
        span: Range of event_time within a month.
        basis: What is known beside the events.
        note: Takes a line for what could not be converted.

    Raises:
        RetryableError: No answer.
    """
    asked = Asked(dimensions_of("type"), span, daily=basis.code is not None, known_on=basis.known_on)
    used = cost_rows(reader, asked)
    events: dict[str, int] = {}
    unpriced: dict[str, int] = {}
    for row in used:
        events[row.tenant] = events.get(row.tenant, 0) + row.spent.events
        unpriced[row.tenant] = unpriced.get(row.tenant, 0) + row.spent.unpriced_events
    charges = charges_of(reader, span, basis.known_on)
    own = [] if basis.measured is None else own_costs(basis.prices, basis.measured, events)
    if basis.code is not None:
        used = _in_code(used, basis, note)
        charges = _amounts_in_code(charges, lambda charge: charge.day, basis, note)
        own = _amounts_in_code(own, lambda _: span.start.date(), basis, note)
    weights = weights_of(reader, span, basis.known_on)
    shares, residuals = allocated(charges, basis.rules.on, weights, nobody=UNATTRIBUTED)
    return MonthOfCosts(
        month=_month_text(span),
        statements=statements_of([*_shares_of_use(used), *shares, *own]),
        residuals=residuals,
        unpriced={name: count for name, count in unpriced.items() if count},
    )


def _shares_of_use(rows: Sequence[Booked]) -> Iterator[Share]:
    """Yield what calls cost, and what else happened that had a cost of its own; not operational costs."""
    for row in rows:
        (kind,) = row.key
        if kind == OPERATIONAL_COST or not row.currency:
            continue
        part = INFERENCE if kind in CALL_TYPES else category_word(kind.rpartition(".")[2])
        yield Share(row.tenant, part, row.currency, row.spent.cost_effective, "")


def _in_code(rows: Sequence[Booked], basis: Basis, note: Callable[[str], None]) -> list[Booked]:
    code = basis.code or ""
    found, notes = in_currency(rows, basis.rates, lambda _: code)
    for each in notes:
        note(each)
    return found


def _amounts_in_code(
    amounts: Sequence[Amount], day_of: Callable[[Amount], date], basis: Basis, note: Callable[[str], None]
) -> list[Amount]:
    """Return amounts of tenants in the currency asked for, at the rate of their day."""
    rows = [
        Booked((), each.tenant, each.currency, Spent(cost_effective=each.amount), day_of(each))
        for each in amounts
    ]
    return [
        replace(each, currency=row.currency, amount=row.spent.cost_effective)
        for each, row in zip(amounts, _in_code(rows, basis, note), strict=True)
    ]


def _month_text(span: Span) -> str:
    """Return the month; a part of one with its first and last moment."""
    month = f"{span.start:%Y-%m}"
    if month_span(month) == span:
        return month
    return f"{span.start:%Y-%m-%dT%H:%MZ}/{span.end:%Y-%m-%dT%H:%MZ}"
