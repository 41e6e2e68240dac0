"""`auditstream report units` and `report pilot`: what one conversation, task or feature costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import PeriodOption, TenantOption, report_reader, span_of
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.costing.units import UnitCosts


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

ByOption = Annotated[UnitName, typer.Option(help="What is counted; a task is an agent's run.")]


def units(
    context: typer.Context,
    *,
    by: ByOption = UnitName.CONVERSATION,
    period: PeriodOption = "last-7d",
    tenant: TenantOption = None,
    environment: Annotated[str | None, typer.Option(help="Only what happened in this environment.")] = None,
) -> None:
    """Show what one costs: the mean, the median, the 95th percentile and the dearest, by tenant.

    By feature, the units are its conversations. A task is an agent's run; it is resolved when its last step
    or change of state is a success, and per_resolved is what all runs cost for each of those. Units with
    calls that have no price are counted: what they cost is more than is told.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.query.unit_costs import READ_FROM, columns_of, unit_costs

    span = span_of(period)
    deployment = running.find(context.obj)
    with report_reader(deployment, "units", f"by {by}, period {period}", READ_FROM, tenant) as reader:
        found = unit_costs(reader, by.value, span, tenant=tenant, environment=environment)
    columns = (*columns_of(by.value), *_FIGURES)
    print_rows(context.obj, columns, ((*each.key, *_figures(each, _FIGURES)) for each in found))
    remarks(context.obj, _missing(found))


def pilot(
    context: typer.Context,
    *,
    pilot_period: Annotated[str, typer.Option(help="Period of the pilot, as of --period elsewhere.")],
    production_period: Annotated[str, typer.Option(help="Period of production.")],
    pilot_environment: Annotated[str | None, typer.Option(help="Environment of the pilot.")] = None,
    production_environment: Annotated[str | None, typer.Option(help="Environment of production.")] = None,
    by: ByOption = UnitName.CONVERSATION,
    tenant: TenantOption = None,
) -> None:
    """Show how cost grew from a pilot to production: by how many units, and by what a unit costs.

    The multiple of all units' cost is the product of both factors. Periods should be of one length.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.costing.units import Growth
    from auditstream.query.unit_costs import READ_FROM, columns_of, unit_costs

    if (pilot_period, pilot_environment) == (production_period, production_environment):
        raise RequestError(
            "--pilot-period and --production-period are the same",
            hint="Name two periods, or two environments: --pilot-environment, --production-environment.",
        )
    first, second = span_of(pilot_period), span_of(production_period)
    query = (
        f"by {by}, from {pilot_period} {pilot_environment} to {production_period} {production_environment}"
    )
    deployment = running.find(context.obj)
    with report_reader(deployment, "pilot", query, READ_FROM, tenant) as reader:
        before = unit_costs(reader, by.value, first, tenant=tenant, environment=pilot_environment)
        after = unit_costs(reader, by.value, second, tenant=tenant, environment=production_environment)
    grown = {(each.key, each.currency): each for each in before if each.currency}
    pairs = [
        Growth(grown[each.key, each.currency], each) for each in after if (each.key, each.currency) in grown
    ]
    columns = (
        *columns_of(by.value), "currency",
        *(f"pilot_{name}" for name in _SIDES), *(f"production_{name}" for name in _SIDES), *_FACTORS,
    )  # fmt: skip
    print_rows(context.obj, columns, map(_growth_row, pairs))
    notes = [*_missing([*before, *after])]
    if (lengths := (first.end - first.start, second.end - second.start))[0] != lengths[1]:
        notes.append(f"the periods are not of one length: {lengths[0]} and {lengths[1]}")
    if not pairs:
        notes.append("no group has costs in one currency in both")
    remarks(context.obj, notes)


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
