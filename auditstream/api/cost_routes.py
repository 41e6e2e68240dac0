"""Routes about money: what was spent, by whom and on what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from auditstream.access import cost_questions
from auditstream.access.cost_questions import CostsWanted
from auditstream.api.descriptions import PROBLEMS, ROWS
from auditstream.api.forms import rows_response
from auditstream.api.parameters import TenantParameter, about, moment_of, span_of
from auditstream.api.parts import AskerOf
from auditstream.costing.breakdown_rows import FIGURES

router = APIRouter(tags=["costs"], responses=PROBLEMS)


@router.get("/costs", summary="Use and cost by dimensions", responses=ROWS)
def list_costs(
    *,
    request: Request,
    ask: AskerOf,
    by: Annotated[
        str, Query(max_length=256, description="Dimensions, with commas: tenant, team, …")
    ] = "tenant",
    period: Annotated[
        str, Query(max_length=80, description="2026-11, 2026-11-03, 2026-W45, last-7d, or FROM/TO.")
    ] = "last-7d",
    tenant: TenantParameter = "",
    currency: Annotated[
        str, Query(pattern="^([A-Za-z]{3})?$", description="Convert to it, at the rate of each event's day.")
    ] = "",
    known_on: Annotated[
        str | None, Query(max_length=64, description="Leave out what was learnt later, ISO 8601.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Lines of a block.")] = 50,
) -> Response:
    """Return lines with share and trend, and of each currency its total and what has no price."""
    wanted = CostsWanted(
        by=by,
        span=span_of(period, ask.desk.now),
        tenant=tenant,
        currency=currency.upper(),
        known_on=moment_of(known_on, "known_on"),
        limit=limit,
    )
    with about("by"):
        found = cost_questions.costs(ask.desk, ask.who, wanted, ask.caller)
    columns = ("line", *found.columns, *FIGURES)
    rows = ([row[name] for name in columns] for row in found.rows())
    more = {"from": wanted.span.start, "to": wanted.span.end, "notes": list(found.notes)}
    return rows_response(request, columns, rows, more=more)
