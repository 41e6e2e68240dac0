"""`auditstream report units` and `report pilot`: what one conversation, task or feature costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
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
    known_rates,
    report_reader,
    span_of,
)
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from datetime import datetime

    from auditstream.cli.running import Deployment
    from auditstream.costing.units import UnitCosts
    from auditstream.query.cost_rows import Asked
    from auditstream.query.named_periods import Span
    from auditstream.query.reader import Reader


class UnitName(StrEnum):
    """What is counted."""

    FEATURE = "feature"
    CONVERSATION = "conversation"
    TASK = "task"


_FIGURES = (
    "currency", "units", "costing_units", "unpriced_units", "resolved", "calls", "cost", "per_unit",
    "per_resolved", "per_call", "p50", "p95", "largest",
)  # fmt: skip
_SIDES = ("units", "costing_units", "unpriced_units", "unit_cost", "per_unit")
_FACTORS = ("volume", "unit_price", "multiple", "change_pct")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What both reports ask for.

    Attributes:
        by: What is counted.
        tenant: Only this tenant's; None for all.
        known_on: Leave out what was learnt later; None for all that is known.
        code: Currency of all amounts; None for each its own, or that of the tenant.
    """

    by: UnitName
    tenant: str | None
    known_on: datetime | None
    code: str | None

    @property
    def is_converted(self) -> bool:
        """Whether all amounts are in one currency."""
        return self.code is not None or self.tenant is not None

    def days(self, span: Span) -> Asked:
        """Return how to ask what was spent by day and environment."""
        from auditstream.query.cost_dimensions import dimensions_of
        from auditstream.query.cost_rows import Asked

        return Asked(dimensions_of("environment"), span, self.tenant, daily=True, known_on=self.known_on)

    def tables(self, *spans: Span) -> tuple[str, ...]:
        """Return the tables that the answers are read from."""
        from auditstream.query.known_events import view_of
        from auditstream.query.unit_costs import READ_FROM

        ends = (view_of(self.known_on),) if self.by is UnitName.TASK else ()
        days = [name for span in spans for name in self.days(span).tables] if self.is_converted else []
        return tuple(dict.fromkeys((*READ_FROM, *ends, *days)))


ByOption = Annotated[UnitName, typer.Option(help="What is counted; a task is an agent's run.")]


def units(
    context: typer.Context,
    *,
    by: ByOption = UnitName.CONVERSATION,
    period: PeriodOption = "last-7d",
    tenant: TenantOption = None,
    environment: Annotated[str | None, typer.Option(help="Only what happened in this environment.")] = None,
    known_on: KnownOnOption = None,
    currency: CurrencyOption = None,
) -> None:
    """Show what one costs: the mean, the median, the 95th percentile and the dearest, by tenant.

    By feature, the units are its conversations. A task is an agent's run; it is resolved when its last step
    or change of state is a success, and per_resolved is what all runs cost for each of those. Units with
    calls that have no price are counted: what they cost is more than is told. Amounts of different currencies
    are never added: there is a line a currency, or all is converted, with --currency, or to the tenant's own
    with --tenant.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.query.unit_costs import columns_of

    wanted, span = _wanted(by, tenant, known_on, currency), span_of(period)
    deployment = running.find(context.obj)
    query = f"by {by}, period {period}, {_said(known_on, wanted)}"
    with report_reader(deployment, "units", query, wanted.tables(span), tenant) as reader:
        found, notes = _costs(deployment, reader, wanted, span, environment)
    columns = (*columns_of(by.value), *_FIGURES)
    print_rows(context.obj, columns, ((*each.key, *_figures(each, _FIGURES)) for each in found))
    remarks(context.obj, [*notes, *_missing(found)])


def pilot(
    context: typer.Context,
    *,
    pilot_period: Annotated[str, typer.Option(help="Period of the pilot, as of --period elsewhere.")],
    production_period: Annotated[str, typer.Option(help="Period of production.")],
    pilot_environment: Annotated[str | None, typer.Option(help="Environment of the pilot.")] = None,
    production_environment: Annotated[str | None, typer.Option(help="Environment of production.")] = None,
    by: ByOption = UnitName.CONVERSATION,
    tenant: TenantOption = None,
    known_on: KnownOnOption = None,
    currency: CurrencyOption = None,
) -> None:
    """Show how cost grew from a pilot to production: by how many units, and by what a unit costs.

    The multiple of all units' cost is the product of both factors. Periods should be of one length. Amounts
    are converted as by `report units`.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.costing.units import Growth
    from auditstream.query.unit_costs import columns_of

    if (pilot_period, pilot_environment) == (production_period, production_environment):
        raise RequestError(
            "--pilot-period and --production-period are the same",
            hint="Name two periods, or two environments: --pilot-environment, --production-environment.",
        )
    wanted = _wanted(by, tenant, known_on, currency)
    first, second = span_of(pilot_period), span_of(production_period)
    query = (
        f"by {by}, from {pilot_period} {pilot_environment} to {production_period} {production_environment}, "
        f"{_said(known_on, wanted)}"
    )
    deployment = running.find(context.obj)
    with report_reader(deployment, "pilot", query, wanted.tables(first, second), tenant) as reader:
        before, notes = _costs(deployment, reader, wanted, first, pilot_environment)
        after, notes_after = _costs(deployment, reader, wanted, second, production_environment)
    grown = {(each.key, each.currency): each for each in before if each.currency}
    pairs = [
        Growth(grown[each.key, each.currency], each) for each in after if (each.key, each.currency) in grown
    ]
    columns = (
        *columns_of(by.value), "currency",
        *(f"pilot_{name}" for name in _SIDES), *(f"production_{name}" for name in _SIDES), *_FACTORS,
    )  # fmt: skip
    print_rows(context.obj, columns, map(_growth_row, pairs))
    notes = [*dict.fromkeys((*notes, *notes_after)), *_missing([*before, *after])]
    if (lengths := (first.end - first.start, second.end - second.start))[0] != lengths[1]:
        notes.append(f"the periods are not of one length: {lengths[0]} and {lengths[1]}")
    if not pairs:
        notes.append("no group has costs in one currency in both")
    remarks(context.obj, notes)


def _wanted(by: UnitName, tenant: str | None, known_on: str | None, currency: str | None) -> _Wanted:
    """Return what the options say; raises where one is no moment or no currency."""
    code = None if currency is None else currency_of(currency)
    return _Wanted(by, tenant, known_on_of(known_on), code)


def _said(known_on: str | None, wanted: _Wanted) -> str:
    return f"known on {known_on or 'now'}, in {wanted.code or 'each currency'}"


def _costs(
    deployment: Deployment, reader: Reader, wanted: _Wanted, span: Span, environment: str | None
) -> tuple[list[UnitCosts], list[str]]:
    """Return what units cost, and a line for what could not be converted."""
    from auditstream.query.conversion import quoted
    from auditstream.query.unit_costs import unit_costs

    currency, notes = None, list[str]()
    if wanted.is_converted:
        rates = known_rates(deployment.settings.clickhouse)
        quote = wanted.code or rates.currency_of(wanted.tenant or "", span.end.date())
        key = None if environment is None else (environment,)
        currency, notes = quoted(reader, wanted.days(span), rates, quote, key)
    found = unit_costs(
        reader,
        wanted.by.value,
        span,
        tenant=wanted.tenant,
        environment=environment,
        known_on=wanted.known_on,
        quoted=currency,
    )
    return found, notes


def _growth_row(grown: Any) -> tuple[Any, ...]:
    before, after = grown.pilot, grown.production
    factors = (getattr(grown, name) for name in _FACTORS)
    return (*after.key, after.currency, *_figures(before, _SIDES), *_figures(after, _SIDES), *factors)


def _figures(costs: UnitCosts, names: Sequence[str]) -> Iterator[Any]:
    """Yield figures; amounts are null where nothing has a cost."""
    for name in names:
        value = getattr(costs, name)
        is_amount = name in {"cost", "unit_cost"}
        yield (value or None) if name == "currency" else None if is_amount and not costs.currency else value


def _missing(found: Sequence[UnitCosts]) -> Iterator[str]:
    if not found:
        yield "nothing was recorded in the period"
    unpriced = {each.key: each.unpriced_units for each in found if each.unpriced_units}
    for key, count in unpriced.items():
        yield f"{' '.join(filter(None, key))}: {count} units have calls without a price, and cost more"
