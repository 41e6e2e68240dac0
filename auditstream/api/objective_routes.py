"""Routes about objectives."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from auditstream.access import objective_questions
from auditstream.api.descriptions import PROBLEMS, ROWS
from auditstream.api.forms import rows_response
from auditstream.api.parameters import TenantParameter, moment_of
from auditstream.api.parts import AskerOf
from auditstream.notify.slo_lines import COLUMNS, row_of

router = APIRouter(tags=["objectives"], responses=PROBLEMS)


@router.get("/slos", summary="How objectives stand", responses=ROWS)
def list_objectives(
    *,
    request: Request,
    ask: AskerOf,
    tenant: TenantParameter = "",
    slo_id: Annotated[str, Query(max_length=256, description="Only this one.")] = "",
    at: Annotated[str | None, Query(max_length=64, description="As they stood then, ISO 8601.")] = None,
) -> Response:
    """Return what counts and is good, what is left of each error budget, and how fast it burns."""
    standings = objective_questions.objectives(
        ask.desk, ask.who, ask.caller, tenant=tenant, slo_id=slo_id, at=moment_of(at, "at")
    )
    return rows_response(request, COLUMNS, map(row_of, standings))
