"""What conversations, runs and features cost: sums of each unit, and over all of them, made by the store.

Where they are converted, the store does that too: there are as many units as conversations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from auditstream.core.event_types import CALL_TYPES
from auditstream.costing.exact import ZERO
from auditstream.costing.units import UnitCosts
from auditstream.query.cost_dimensions import DIMENSIONS, Dimension
from auditstream.query.cost_rows import ADJUSTMENTS, EVENTS, Asked, events_sql
from auditstream.query.current_events import current_events
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.quoted import Quoted, at_rate
from auditstream.query.reader import Reader

Unit = Literal["conversation", "task", "feature"]

READ_FROM = (EVENTS, ADJUSTMENTS)
"""Tables that are read; how runs ended is read from a view of these."""

_ENDS = ("ai.agent.action", "ai.agent.lifecycle")
"""Events that say how a run goes; its last one says how it ended."""

_DONE = ("", "completed", "TASK_STATE_COMPLETED")
"""States of an A2A task that has ended well; empty where the run is none."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Of which units costs are told, and by which dimensions they are grouped beside the tenant."""

    unit: Dimension
    group: tuple[Dimension, ...]


_PLANS = {
    "conversation": _Plan(DIMENSIONS["conversation"], ()),
    "task": _Plan(DIMENSIONS["run"], (DIMENSIONS["agent"],)),
    "feature": _Plan(DIMENSIONS["conversation"], (DIMENSIONS["feature"],)),
}


def columns_of(unit: Unit) -> list[str]:
    """Return the names of a group's columns, the tenant first."""
    return ["tenant_id", *(name for each in _PLANS[unit].group for name in each.columns)]


def unit_costs(
    reader: Reader,
    unit: Unit,
    span: Span,
    *,
    tenant: str | None = None,
    environment: str | None = None,
    known_on: datetime | None = None,
    quoted: Quoted | None = None,
) -> list[UnitCosts]:
    """Return the costs of units by group and currency, the most expensive group first.

    Quantiles are costs of units that happened: that at the rank of the level, counted from the cheapest.

    Args:
        reader: The store.
        unit: What is counted.
        span: Range of event_time; what a unit cost outside of it is not in its cost.
        tenant: Only this tenant's.
        environment: Only what happened in this one.
        known_on: Leave out what was learnt later; None for all that is known.
        quoted: What to convert to, a unit's cost of a day at a time; None for no conversion.

    Raises:
        RetryableError: No answer.
    """
    plan = _PLANS[unit]
    by = [*plan.group, plan.unit, DIMENSIONS["environment"]]
    asked = Asked(by, span, tenant, known_on=known_on)
    sums = _sums(reader, plan, asked, environment, quoted)
    counts = _counts(reader, plan, asked, environment)
    calls = _counts(reader, plan, replace(asked, types=CALL_TYPES), environment)
    resolved = _resolved(reader, asked, environment) if unit == "task" else None
    found = []
    for key, (units, unpriced, _) in counts.items():
        common: dict[str, Any] = {
            "key": key,
            "units": units,
            "unpriced_units": unpriced,
            "calls": calls.get(key, (0, 0, 0))[2],
            "resolved": None if resolved is None else resolved.get(key, 0),
        }
        of_key = {currency: row for (each, currency), row in sums.items() if each == key}
        found += [UnitCosts(**common, currency=currency, **row) for currency, row in of_key.items()]
        if not of_key:
            found.append(UnitCosts(**common, currency="", **_NO_COST))
    return sorted(found, key=lambda each: (each.currency, -each.cost, each.key))


_NO_COST: dict[str, Any] = {
    "costing_units": 0, "cost": ZERO, "unit_cost": ZERO, "p50": None, "p95": None, "largest": None,
}  # fmt: skip


def _keys(plan: _Plan) -> tuple[str, str, str]:
    """Return the group's keys, that of the unit, and that of the environment, as `events_sql` names them."""
    width = sum(len(each.columns) for each in plan.group)
    group = "".join(f", key_{number}" for number in range(width))
    return f"booked_tenant{group}", f"key_{width}", f"key_{width + 1}"


def _sums(
    reader: Reader, plan: _Plan, asked: Asked, environment: str | None, quoted: Quoted | None
) -> dict[tuple[tuple[str, ...], str], dict[str, Any]]:
    group = _keys(plan)[0]
    units, conditions = _units_sql(plan, asked, environment, quoted)
    table = f"""
SELECT {group}, in_currency, countIf(one != '') AS units, sum(amount) AS cost,
    sumIf(amount, one != '') AS unit_cost, maxIf(amount, one != '') AS largest,
    quantilesExactIf(0.5, 0.95)(amount, one != '') AS quantiles
FROM ({units})
GROUP BY {group}, in_currency"""  # noqa: S608  columns are ours, values are parameters
    found: dict[tuple[tuple[str, ...], str], dict[str, Any]] = {}
    for *key, currency, units, cost, unit_cost, largest, quantiles in reader.table(
        table, conditions.parameters, doing="read of costs by unit"
    ).rows:
        has = int(units) > 0
        found[tuple(map(str, key)), str(currency)] = {
            "costing_units": int(units),
            "cost": Decimal(cost),
            "unit_cost": Decimal(unit_cost),
            "p50": Decimal(quantiles[0]) if has else None,
            "p95": Decimal(quantiles[1]) if has else None,
            "largest": Decimal(largest) if has else None,
        }
    return found


def _units_sql(
    plan: _Plan, asked: Asked, environment: str | None, quoted: Quoted | None
) -> tuple[str, Conditions]:
    """Return the query for the amount of each unit by group and currency: `one`, `in_currency`, `amount`."""
    daily = quoted is not None
    sql, conditions = events_sql(replace(asked, daily=daily))
    group, unit, where = _keys(plan)
    only = "" if environment is None else f"AND {where} = {conditions.bind(environment, 'String')}"
    days = f"""
SELECT {group}, booked_currency, {unit} AS one, sum(cost_effective) AS of_day{", day" if daily else ""}
FROM ({sql}) WHERE booked_currency != '' {only}
GROUP BY {group}, booked_currency, one{", day" if daily else ""}"""  # noqa: S608  columns are ours
    parts = f"SELECT *, booked_currency AS in_currency, of_day AS part FROM ({days})"  # noqa: S608  likewise
    if quoted is not None:
        parts = (
            f"SELECT *, {quoted.code(conditions)} AS in_currency, {at_rate('of_day')} AS part "  # noqa: S608  likewise
            f"FROM (SELECT *, {quoted.rate(conditions)} AS rate FROM ({days}))"
        )
    return (
        f"SELECT {group}, in_currency, one, sum(part) AS amount FROM ({parts}) "  # noqa: S608  likewise
        f"GROUP BY {group}, in_currency, one",
        conditions,
    )


def _counts(
    reader: Reader, plan: _Plan, asked: Asked, environment: str | None
) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """Return units, units with unpriced calls, and events by group."""
    sql, conditions = events_sql(asked)
    group, unit, where = _keys(plan)
    only = "1" if environment is None else f"{where} = {conditions.bind(environment, 'String')}"
    table = f"""
SELECT {group}, uniqExactIf(one, one != '' AND happened > 0) AS units,
    uniqExactIf(one, one != '' AND missing > 0) AS unpriced, sum(happened) AS total
FROM
(
    SELECT {group}, {unit} AS one, sum(events) AS happened, sum(unpriced_events) AS missing FROM ({sql})
    WHERE {only} GROUP BY {group}, one
)
GROUP BY {group}"""  # noqa: S608  columns are ours, values are parameters
    rows = reader.table(table, conditions.parameters, doing="count of units").rows
    return {
        tuple(map(str, key)): (int(units), int(unpriced), int(total)) for *key, units, unpriced, total in rows
    }


def _resolved(reader: Reader, asked: Asked, environment: str | None) -> dict[tuple[str, ...], int]:
    """Return how many runs ended well, by tenant and agent: their last step or change of state says so."""
    conditions = Conditions()
    conditions.add_period(asked.span.period)
    if asked.tenant is not None:
        conditions.add_tenant(asked.tenant)
    if environment is not None:
        conditions.add(f"environment = {conditions.bind(environment, 'String')}")
    ends = conditions.bind(list(_ENDS), "Array(String)")
    done = conditions.bind(list(_DONE), "Array(String)")
    conditions.add("agent_instance_id != ''")
    conditions.add(f"event_type IN {ends}")
    current = current_events(reader, tenant=asked.tenant, period=asked.span.period, known_on=asked.known_on)
    last = """tenant_id, agent_id, agent_instance_id, argMax(outcome, (event_time, event_id)) AS ended,
    argMax(agent_step_a2a_state, (event_time, event_id)) AS state"""
    sql = f"""
SELECT tenant_id, agent_id, countIf(ended = 'SUCCESS' AND has({done}, state)) AS resolved
FROM
(
{current.select(last, conditions)}
    GROUP BY tenant_id, agent_id, agent_instance_id
)
GROUP BY tenant_id, agent_id"""  # noqa: S608  columns are ours, values are parameters
    found = current.reader.table(sql, conditions.parameters, doing="count of resolved runs")
    return {(str(tenant_id), str(agent)): int(count) for tenant_id, agent, count in found.rows}
