"""`auditstream report wrapper`: what is paid around inference, by tenant and month."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import (
    CurrencyOption,
    KnownOnOption,
    PeriodOption,
    TenantOption,
    currency_of,
    known_on_of,
    reference,
    report_reader,
    span_of,
)
from auditstream.cli.wrapper_lines import rows_of, shown
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.core.settings import OwnCostSettings
    from auditstream.query.reader import Reader
    from auditstream.query.wrapper_months import Basis, MonthOfCosts

_COLUMNS = (
    "month", "tenant_id", "currency", "line", "part", "own", "allocated", "amount", "share_pct", "multiple",
    "reason",
)  # fmt: skip
_ON_A_TERMINAL = (
    "month", "tenant_id", "currency", "part", "own", "allocated", "amount", "share_pct", "picture", "reason",
)  # fmt: skip


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
    from auditstream.query.wrapper_months import month_of_costs

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
        months = [month_of_costs(reader, part, known, notes.append) for part in months_of(span)]
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


def _known(settings: Any, reader: Reader, own: OwnCostSettings, cpu_s: Decimal | None) -> Basis:
    from auditstream.costing.own_cost import OwnPrices
    from auditstream.query.operational_costs import measured
    from auditstream.query.wrapper_months import Basis
    from auditstream.reference.fact import UNATTRIBUTED
    from auditstream.reference.known_rates import KnownRates
    from auditstream.reference.known_rules import KnownRules

    snapshot = reference(settings, ("rate", "tenant", "allocation"))
    prices = OwnPrices(own.currency, own.gb_month, own.cpu_hour, own.kept_months)
    asks_size = own.gb_month is not None or own.cpu_hour is not None
    return Basis(
        rates=KnownRates(snapshot),
        rules=KnownRules(snapshot, UNATTRIBUTED),
        prices=prices,
        measured=measured(reader, cpu_s) if asks_size else None,
    )


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


def _unmeasured(known: Basis) -> Iterator[str]:
    if known.measured is None:
        yield (
            "auditstream's own cost is not in it: set AUDITSTREAM_OWN_COST__GB_MONTH and "
            "AUDITSTREAM_OWN_COST__CPU_HOUR"
        )
    elif known.prices.cpu_hour is not None and known.measured.cpu_s is None:
        yield "auditstream's own CPU time is not in it: --cpu-seconds"
