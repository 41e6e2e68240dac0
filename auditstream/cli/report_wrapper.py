"""`auditstream report wrapper`: what is paid around inference, by tenant and month."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import (
    CurrencyOption,
    KnownOnOption,
    PeriodOption,
    TenantOption,
    currency_of,
    in_currency,
    known_on_of,
    reference,
    report_reader,
    span_of,
)
from auditstream.cli.wrapper_lines import MonthOfCosts, rows_of, shown
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.core.settings import OwnCostSettings
    from auditstream.costing.allocation import Charge, Share
    from auditstream.costing.own_cost import Measured, OwnPrices
    from auditstream.costing.spent import Booked
    from auditstream.query.named_periods import Span
    from auditstream.query.reader import Reader
    from auditstream.reference.known_rates import KnownRates
    from auditstream.reference.known_rules import KnownRules

Amount = TypeVar("Amount", "Charge", "Share")

_COLUMNS = (
    "month", "tenant_id", "currency", "line", "part", "own", "allocated", "amount", "share_pct", "multiple",
    "reason",
)  # fmt: skip
_ON_A_TERMINAL = (
    "month", "tenant_id", "currency", "part", "own", "allocated", "amount", "share_pct", "picture", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known beside the events: rates, rules, the size of the store; and what is asked for.

    Attributes:
        code: Currency of all amounts; None for each its own.
        known_on: Leave out what was learnt of events later; None for all that is known.
    """

    rates: KnownRates
    rules: KnownRules
    prices: OwnPrices
    measured: Measured | None
    code: str | None = None
    known_on: datetime | None = None


def wrapper(
    context: typer.Context,
    *,
    period: PeriodOption = "last-7d",
    tenant: TenantOption = None,
    known_on: KnownOnOption = None,
    currency: CurrencyOption = None,
    cpu_seconds: Annotated[
        str | None,
        typer.Option(
            help="CPU seconds that auditstream took in the period, as its /metrics say; for its own cost."
        ),
    ] = None,
) -> None:
    """Show inference against everything else, by tenant and month, and how many times inference that is.

    Everything else is what events of operational cost say, a tenant's own and its part of shared ones by the
    allocation rules, and what auditstream itself costs, at the prices of the settings OWN_COST. What no rule
    spreads is named. --known-on is about the events: rules and rates are those that are known now. --output
    html is one page with pictures.
    """
    from auditstream.cli import running
    from auditstream.query import cost_rows
    from auditstream.query.known_events import view_of
    from auditstream.query.named_periods import months_of

    code = None if currency is None else currency_of(currency)
    span = span_of(period)
    cpu_s = None if cpu_seconds is None else _seconds(cpu_seconds)
    deployment = running.find(context.obj)
    own = deployment.settings.own_cost
    known_until = known_on_of(known_on)
    tables = (cost_rows.HOURLY, cost_rows.EVENTS, cost_rows.ADJUSTMENTS, view_of(known_until))
    query = f"period {period}, known on {known_on or 'now'}, in {code or 'each currency'}"
    notes: list[str] = []
    with report_reader(deployment, "wrapper", query, tables, tenant) as reader:
        known = replace(_known(deployment.settings.clickhouse, reader, own, cpu_s), known_on=known_until)
        if code is not None or tenant is not None:
            known = replace(known, code=code or known.rates.currency_of(tenant or "", span.end.date()))
        months = [_month(reader, part, known, notes.append) for part in months_of(span)]
    if tenant is not None:
        months = [_of_tenant(each, tenant) for each in months]
    _print(context.obj, months)
    remarks(context.obj, [*dict.fromkeys(notes), *_missing(months), *_unmeasured(known)])


def _seconds(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and number >= 0):
        raise RequestError(f"--cpu-seconds: {text!r} is not a number of seconds")
    return number


def _known(settings: Any, reader: Reader, own: OwnCostSettings, cpu_s: Decimal | None) -> _Known:
    from auditstream.costing.own_cost import OwnPrices
    from auditstream.query.operational_costs import measured
    from auditstream.reference.fact import UNATTRIBUTED
    from auditstream.reference.known_rates import KnownRates
    from auditstream.reference.known_rules import KnownRules

    snapshot = reference(settings, ("rate", "tenant", "allocation"))
    prices = OwnPrices(own.currency, own.gb_month, own.cpu_hour, own.kept_months)
    asks_size = own.gb_month is not None or own.cpu_hour is not None
    return _Known(
        rates=KnownRates(snapshot),
        rules=KnownRules(snapshot, UNATTRIBUTED),
        prices=prices,
        measured=measured(reader, cpu_s) if asks_size else None,
    )


def _month(reader: Reader, span: Span, known: _Known, note: Callable[[str], None]) -> MonthOfCosts:
    """Return what one month, or a part of one, came to."""
    from auditstream.costing.allocation import allocated
    from auditstream.costing.own_cost import own_costs
    from auditstream.costing.wrapper import statements_of
    from auditstream.query.cost_dimensions import dimensions_of
    from auditstream.query.cost_rows import Asked, cost_rows
    from auditstream.query.operational_costs import charges_of, weights_of
    from auditstream.reference.fact import UNATTRIBUTED

    asked = Asked(dimensions_of("type"), span, daily=known.code is not None, known_on=known.known_on)
    used = cost_rows(reader, asked)
    events: dict[str, int] = {}
    unpriced: dict[str, int] = {}
    for row in used:
        events[row.tenant] = events.get(row.tenant, 0) + row.spent.events
        unpriced[row.tenant] = unpriced.get(row.tenant, 0) + row.spent.unpriced_events
    charges = charges_of(reader, span, known.known_on)
    own = [] if known.measured is None else own_costs(known.prices, known.measured, events)
    if known.code is not None:
        used = _in_code(used, known, note)
        charges = _amounts_in_code(charges, lambda charge: charge.day, known, note)
        own = _amounts_in_code(own, lambda _: span.start.date(), known, note)
    weights = weights_of(reader, span, known.known_on)
    shares, residuals = allocated(charges, known.rules.on, weights, nobody=UNATTRIBUTED)
    return MonthOfCosts(
        month=_month_text(span),
        statements=statements_of([*_shares_of_use(used), *shares, *own]),
        residuals=residuals,
        unpriced={name: count for name, count in unpriced.items() if count},
    )


def _shares_of_use(rows: Sequence[Booked]) -> Iterator[Share]:
    """Yield what calls cost, and what else happened that had a cost of its own; not operational costs."""
    from auditstream.core.event_types import CALL_TYPES, OPERATIONAL_COST
    from auditstream.costing.allocation import Share
    from auditstream.costing.categories import INFERENCE, category_word

    for row in rows:
        (kind,) = row.key
        if kind == OPERATIONAL_COST or not row.currency:
            continue
        part = INFERENCE if kind in CALL_TYPES else category_word(kind.rpartition(".")[2])
        yield Share(row.tenant, part, row.currency, row.spent.cost_effective, "")


def _in_code(rows: Sequence[Booked], known: _Known, note: Callable[[str], None]) -> list[Booked]:
    code = known.code or ""
    found, notes = in_currency(rows, known.rates, lambda _: code)
    for each in notes:
        note(each)
    return found


def _amounts_in_code(
    amounts: Sequence[Amount], day_of: Callable[[Amount], date], known: _Known, note: Callable[[str], None]
) -> list[Amount]:
    """Return amounts of tenants in the currency asked for, at the rate of their day."""
    from auditstream.costing.spent import Booked, Spent

    rows = [
        Booked((), each.tenant, each.currency, Spent(cost_effective=each.amount), day_of(each))
        for each in amounts
    ]
    return [
        replace(each, currency=row.currency, amount=row.spent.cost_effective)
        for each, row in zip(amounts, _in_code(rows, known, note), strict=True)
    ]


def _month_text(span: Span) -> str:
    """Return the month; a part of one with its first and last moment."""
    from auditstream.query.named_periods import month_span

    month = f"{span.start:%Y-%m}"
    if month_span(month) == span:
        return month
    return f"{span.start:%Y-%m-%dT%H:%MZ}/{span.end:%Y-%m-%dT%H:%MZ}"


def _of_tenant(month: MonthOfCosts, tenant: str) -> MonthOfCosts:
    return replace(
        month,
        statements=[each for each in month.statements if each.tenant == tenant],
        residuals=[each for each in month.residuals if each.charge.tenant == tenant],
        unpriced={name: count for name, count in month.unpriced.items() if name == tenant},
    )


def _print(context: Context, months: Sequence[MonthOfCosts]) -> None:
    from auditstream.cli.context import Output
    from auditstream.cli.printing import form_of, print_rows

    if context.output is Output.HTML:
        from auditstream.cli.wrapper_page import page_of

        sys.stdout.write(page_of(months))
        return
    is_table = form_of(context) is Output.TABLE
    columns = _ON_A_TERMINAL if is_table else _COLUMNS
    rows = (shown(row) if is_table else row for month in months for row in rows_of(month))
    print_rows(context, columns, ([row.get(name) for name in columns] for row in rows))


def _missing(months: Sequence[MonthOfCosts]) -> Iterator[str]:
    if not any(month.statements or month.residuals for month in months):
        yield "nothing that costs was recorded in the period"
    for month in months:
        for tenant, count in sorted(month.unpriced.items()):
            yield f"{month.month}: {tenant}: {count} events have no price: inference lacks them"
        if month.residuals:
            yield (
                f"{month.month}: {len(month.residuals)} costs are not spread: "
                "add allocation rules with `auditstream apply`"
            )


def _unmeasured(known: _Known) -> Iterator[str]:
    if known.measured is None:
        yield (
            "auditstream's own cost is not in it: set AUDITSTREAM_OWN_COST__GB_MONTH and "
            "AUDITSTREAM_OWN_COST__CPU_HOUR"
        )
    elif known.prices.cpu_hour is not None and known.measured.cpu_s is None:
        yield "auditstream's own CPU time is not in it: --cpu-seconds"
