"""Usage and cost: what was spent, by whom and on what, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import cost_questions, series_questions
from auditstream.access.cost_questions import Costs, CostsWanted
from auditstream.console import filters
from auditstream.console.links import Link, link_of
from auditstream.console.problems import problem_of
from auditstream.console.ranges import Range, hours_of, iso, range_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, RequestError
from auditstream.costing.breakdown import Block, Line
from auditstream.query.cost_dimensions import DIMENSIONS
from auditstream.query.cost_series import CostSeries
from auditstream.query.named_periods import Span

_STATE = ("by", "since", "from", "to", "tenant")
_USUAL_RANGE = "7d"
_USUAL_BY = "team"
_LINES = 50

_LABELS = {
    "tenant": "Tenant", "team": "Team", "project": "Project", "feature": "Feature",
    "cost_center": "Cost center", "environment": "Environment", "provider": "Provider", "model": "Model",
    "credential": "Key", "agent": "Agent", "type": "Kind", "tool": "Tool",
    "prompt_version": "Prompt version", "variant": "Variant",
}  # fmt: skip
"""Dimensions that the page offers; conversations and runs are looked for one by one, not summed up."""

_SEARCHED = {"variant": "experiment_variant", "prompt_version": "inference_prompt_version"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    by: str
    tenant: str
    range: Range
    span: Span


def usage(request: Request) -> Response:
    """Answer with what was spent in a range, by one dimension."""
    visit = visit_of(request)
    page = visit.link.at("/usage", *_STATE)
    wanted, problem, found = None, None, None
    try:
        wanted = _wanted(visit)
        found = _costs(visit, wanted)
    except AuditStreamError as error:
        problem = problem_of(error)
    range_ = wanted.range if wanted else range_of({}, visit.now, usual=_USUAL_RANGE)
    by = wanted.by if wanted else _USUAL_BY
    return visit.page(
        "usage.html",
        status=problem.status if problem else 200,
        problem=problem,
        page=page,
        period=range_,
        by=by,
        by_label=_LABELS[by],
        choices=_choices(visit, page, by),
        tenants=tenant_choices(visit, page),
        tenant=visit.parameter("tenant"),
        words=_words(wanted.span) if wanted else "",
        notes=found.notes if found else (),
        blocks=[_block(each, by, visit, wanted) for each in found.blocks] if found and wanted else [],
        series_url=page.at("/parts/series", *_STATE),
        budgets_url=page.at("/parts/budgets", "tenant"),
    )


def series(request: Request) -> Response:
    """Answer with what was spent over time, as numbers that the page draws."""
    visit = visit_of(request)
    wanted = _wanted(visit)
    by = wanted.by if DIMENSIONS[wanted.by].is_booked else "tenant"
    found = series_questions.series(
        visit.desk, visit.who, visit.caller, by=by, span=wanted.span, tenant=wanted.tenant
    )
    return visit.part(
        "series.html",
        series=[_drawn(each, by) for each in found],
        by_label=_LABELS[by],
        words=_words(wanted.span),
    )


def _wanted(visit: Visit) -> _Wanted:
    by = visit.parameter("by") or _USUAL_BY
    if by not in _LABELS:
        raise RequestError(
            f"by: {by!r} is no dimension of this page", hint=f"Known are {', '.join(_LABELS)}."
        )
    found = range_of(visit.request.query_params, visit.now, usual=_USUAL_RANGE)
    return _Wanted(by, visit.parameter("tenant"), found, hours_of(found))


def _costs(visit: Visit, wanted: _Wanted) -> Costs:
    asked = CostsWanted(by=wanted.by, span=wanted.span, tenant=wanted.tenant, limit=_LINES)
    return cost_questions.costs(visit.desk, visit.who, asked, visit.caller)


def _choices(visit: Visit, page: Link, by: str) -> list[dict[str, Any]]:
    own = visit.who.tenants is not None and len(visit.who.tenants) == 1
    return [
        {"label": label, "link": page.with_(by=name), "is_chosen": name == by}
        for name, label in _LABELS.items()
        if not (own and name == "tenant")
    ]


def tenant_choices(visit: Visit, page: Link) -> list[dict[str, Any]]:
    """Return the tenants to choose from; none where there is no choice."""
    seen = visit.who.tenants
    known = (
        sorted(set(visit.desk.facts().rows("tenant")["tenant_id"].to_list()))
        if seen is None
        else sorted(seen)
    )
    if len(known) < 2:
        return []
    return [{"name": name, "link": page.with_(tenant=name)} for name in known]


def _block(block: Block, by: str, visit: Visit, wanted: _Wanted) -> dict[str, Any]:
    most = max((line.spent.cost_effective for line in block.lines), default=Decimal(0))
    return {
        "currency": block.currency,
        "total": block.total,
        "before": block.total.before,
        "unattributed": block.unattributed,
        "unpriced": block.unpriced,
        "most": most,
        "rest": block.rest,
        "lines": [_line(line, by, visit, wanted) for line in block.lines],
    }


def _line(line: Line, by: str, visit: Visit, wanted: _Wanted) -> dict[str, Any]:
    name = " ".join(filter(None, line.key))
    field = _SEARCHED.get(by, by)
    bounds = {"from": iso(wanted.span.start), "to": iso(wanted.span.end)}
    query = filters.term(field, line.key[-1])
    if wanted.tenant:
        query += " " + filters.term("tenant", wanted.tenant)
    link = link_of(visit.root, "/events", {"q": query, **bounds})
    return {"name": name, "link": link if line.key[-1] else None, "line": line, "spent": line.spent}


def _drawn(found: CostSeries, by: str) -> dict[str, Any]:
    names = [*found.lines, *(["others"] if found.others else [])]
    lines = [*found.lines.values(), *([found.others] if found.others else [])]
    rows = [
        {
            "at": start,
            "amounts": [line[at] for line in lines],
            "sum": sum((line[at] for line in lines), Decimal(0)),
        }
        for at, start in enumerate(found.starts)
    ]
    return {
        "currency": found.currency,
        "names": [name or f"no {_LABELS[by].lower()}" for name in names],
        "rows": rows,
        "is_hourly": found.step.total_seconds() == 3600,
    }


def _words(span: Span) -> str:
    return f"{span.start:%d %b %Y %H:%M} – {span.end:%d %b %Y %H:%M} UTC, whole hours"


ROUTES: Sequence[Route] = (
    Route("/usage", usage),
    Route("/parts/series", series),
)
