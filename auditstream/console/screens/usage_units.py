"""What one costs, and what is paid around inference: the two further pages of usage and cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import unit_questions, wrapper_questions
from auditstream.console.problems import problem_of
from auditstream.console.ranges import Range, hours_of, range_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, RequestError
from auditstream.costing.exact import percent
from auditstream.costing.units import UnitCosts
from auditstream.costing.wrapper import Part, Statement
from auditstream.query.named_periods import Span
from auditstream.query.unit_costs import Unit, columns_of
from auditstream.query.wrapper_months import MonthOfCosts

_STATE = ("unit", "since", "from", "to", "tenant")
_USUAL_RANGE = "7d"

_WORDS: Mapping[Unit, str] = {
    "conversation": "Conversation",
    "task": "Agent run",
    "feature": "Feature's conversation",
}


def units(request: Request) -> Response:
    """Answer with what one conversation, run or use of a feature costs."""
    visit = visit_of(request)
    page = visit.link.at("/usage/units", *_STATE)
    unit, found, problem = "conversation", None, None
    period = range_of({}, visit.now, usual=_USUAL_RANGE)
    try:
        unit = _unit(visit.parameter("unit") or "conversation")
        period = range_of(request.query_params, visit.now, usual=_USUAL_RANGE)
        found = unit_questions.units(
            visit.desk, visit.who, visit.caller, unit=unit, span=hours_of(period),
            tenant=visit.parameter("tenant"),
        )  # fmt: skip
    except AuditStreamError as error:
        problem = problem_of(error)
    return visit.page(
        "usage_units.html",
        status=problem.status if problem else 200,
        problem=problem,
        page=page,
        period=period,
        tenant=visit.parameter("tenant"),
        unit=unit,
        unit_words=_WORDS[_unit(unit)],
        choices=[
            {"label": label, "link": page.with_(unit=name), "is_chosen": name == unit}
            for name, label in _WORDS.items()
        ],
        columns=[name.removesuffix("_id").replace("_", " ") for name in columns_of(_unit(unit))],
        rows=[_row(each) for each in found] if found is not None else None,
        words=_span_words(hours_of(period)),
    )


def wrapper(request: Request) -> Response:
    """Answer with inference against everything that is paid around it, by tenant."""
    visit = visit_of(request)
    page = visit.link.at("/usage/wrapper", "since", "from", "to", "tenant")
    tenant = visit.parameter("tenant")
    months: Sequence[MonthOfCosts] | None = None
    problem, notes = None, list[str]()
    period = range_of({}, visit.now, usual=_USUAL_RANGE)
    try:
        period = range_of(request.query_params, visit.now, usual=_USUAL_RANGE)
        months, notes = _wrapper(visit, period)
    except AuditStreamError as error:
        problem = problem_of(error)
    return visit.page(
        "usage_wrapper.html",
        status=problem.status if problem else 200,
        problem=problem,
        page=page,
        period=period,
        tenant=tenant,
        notes=notes,
        months=[_month(each, tenant) for each in months] if months is not None else None,
        words=_span_words(hours_of(period)),
    )


def _wrapper(visit: Visit, period: Range) -> tuple[list[MonthOfCosts], list[str]]:
    return wrapper_questions.wrapper(visit.desk, visit.who, hours_of(period), visit.caller)


def _unit(text: str) -> Unit:
    found: Unit | None = next((each for each in get_args(Unit) if each == text), None)
    if found is None:
        raise RequestError(f"unit: {text!r} is none of {', '.join(get_args(Unit))}")
    return found


def _row(costs: UnitCosts) -> dict[str, Any]:
    return {"key": [each or "none" for each in costs.key], "costs": costs}


def _month(month: MonthOfCosts, tenant: str) -> dict[str, Any]:
    """Return a month as the page shows it: of one tenant, where one is named, on the scale of all."""
    most = max((each.amount for each in month.statements), default=Decimal(0))
    return {
        "month": _month_words(month.month),
        "statements": [_statement(each, most) for each in month.statements if tenant in {"", each.tenant}],
        "residuals": [
            {"part": each.part, "charge": each.charge, "reason": each.reason, "rule": each.rule}
            for each in month.residuals
        ],
        "unpriced": month.unpriced,
    }


def _month_words(text: str) -> str:
    """Return a month as a heading; of a part of one its two ends, whose zone the page names."""
    return text.replace("/", " – ").replace("T", " ").replace("Z", "")


def _statement(statement: Statement, most: Decimal) -> dict[str, Any]:
    return {
        "tenant": statement.tenant,
        "currency": statement.currency,
        "total": statement.amount,
        "inference": statement.inference.amount,
        "wrapper": statement.wrapper,
        "multiple": statement.multiple,
        "most": most,
        "parts": [_part(each, statement) for each in (statement.inference, *statement.parts)],
    }


def _part(part: Part, statement: Statement) -> dict[str, Any]:
    return {
        "name": part.name,
        "own": part.own,
        "allocated": part.allocated,
        "amount": part.amount,
        "share": percent(part.amount, statement.amount),
        "is_inference": part is statement.inference,
    }


def _span_words(span: Span) -> str:
    return f"{span.start:%d %b %Y %H:%M} – {span.end:%d %b %Y %H:%M} UTC, whole hours"


ROUTES = (Route("/usage/units", units), Route("/usage/wrapper", wrapper))
