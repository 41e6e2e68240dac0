"""Routes about budgets: how they stand, and saying what may be spent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from auditstream.access import budget_changes, budget_questions
from auditstream.access.budget_changes import Document, Preview
from auditstream.api.descriptions import PROBLEMS, ROWS, document
from auditstream.api.forms import document_response, rows_response
from auditstream.api.parameters import TenantParameter
from auditstream.api.parts import Asker, AskerOf
from auditstream.notify.budget_standing import Standing

router = APIRouter(tags=["budgets"], responses=PROBLEMS)

_SOURCE = "auditstream api"
_COLUMNS = (
    "budget_id", "tenant_id", "scope", "period", "starts_at", "ends_at", "amount", "currency", "spent",
    "spent_pct", "forecast", "state", "left_out", "unpriced_events", "thresholds_pct", "reaction",
    "fallback_model", "owner",
)  # fmt: skip

BudgetId = Annotated[str, Field(max_length=256)]
Dry = Annotated[bool, Query(description="Say what would change, and write nothing.")]


class BudgetBody(BaseModel):
    """What a budget says, as a document of kind budget for `auditstream apply`, which judges it."""

    model_config = ConfigDict(extra="forbid")

    tenant_id: str = Field("", max_length=128, description="Whose spend; empty for all tenants.")
    scope: dict[str, str] = Field(default_factory=dict, description="Columns of costs and their values.")
    period: Literal["hour", "day", "week", "month", "quarter", "year"]
    amount: str = Field(max_length=64, description="Decimal text.")
    currency: str = Field(max_length=8, description="As USD.")
    thresholds_pct: list[int] | None = Field(
        None, max_length=100, description="Rising; 50, 80, 100 if left out."
    )
    reaction: Literal["notify", "throttle", "fallback", "block"] = "notify"
    hard: bool = False
    fallback_model: str = Field("", max_length=256)
    owner: str = Field("", max_length=256)
    active: bool = True
    valid_from: str | None = Field(
        None, max_length=64, description="From when it holds, ISO 8601; now if left out."
    )
    valid_to: str | None = Field(None, max_length=64, description="Until when, ISO 8601.")


@router.get("/budgets", summary="How budgets stand", responses=ROWS)
def list_budgets(*, request: Request, ask: AskerOf, tenant: TenantParameter = "") -> Response:
    """Return what is spent and forecast of each in its period now, and what gateways are asked to do."""
    found = budget_questions.budgets(ask.desk, ask.who, ask.caller, tenant=tenant)
    rows = (_standing(each) for each in found)
    return rows_response(request, _COLUMNS, ([row[name] for name in _COLUMNS] for row in rows))


@router.put(
    "/budgets/{budget_id}", summary="Create or change a budget", responses=document("What it says now.")
)
def set_budget(budget_id: BudgetId, body: BudgetBody, ask: AskerOf, dry_run: Dry = False) -> Response:
    """Say what may be spent, once an event tells of it; a change takes effect within seconds."""
    said = {name: value for name, value in body.model_dump().items() if value is not None}
    return _changed(ask, {**said, "budget_id": budget_id}, dry_run)


@router.delete("/budgets/{budget_id}", summary="End a budget", responses=document("What it says now."))
def end_budget(budget_id: BudgetId, ask: AskerOf, dry_run: Dry = False) -> Response:
    """End a budget from now on, or one to come before it begins; what it was stays known."""
    now = ask.desk.now
    held = budget_changes.held(ask.who, budget_id, now, facts=ask.parts.facts)
    return _changed(ask, budget_changes.ended(held, now), dry_run)


def _changed(ask: Asker, wanted: Document, dry_run: bool) -> Response:
    facts = ask.parts.facts
    if dry_run:
        found = budget_changes.preview(ask.who, wanted, ask.desk.now, facts=facts, source=_SOURCE)
        return document_response(_preview(found) | {"revision": None})
    found, revision = budget_changes.set_budget(
        ask.desk, ask.who, wanted, ask.caller, facts=facts, source=_SOURCE
    )
    return document_response(_preview(found) | {"revision": revision})


def _preview(found: Preview) -> dict[str, Any]:
    changes = found.change.differences() if found.change else {}
    return {
        "data": found.budget.model_dump(),
        "changes": [
            {"field": name, "before": before, "after": after} for name, (before, after) in changes.items()
        ],
        "replaces": list(found.change.hides) if found.change else [],
        "remarks": list(found.remarks),
    }


def _standing(standing: Standing) -> Mapping[str, Any]:
    budget = standing.budget
    return budget.model_dump() | {
        "starts_at": standing.period.start,
        "ends_at": standing.period.end,
        "spent": standing.spent,
        "spent_pct": standing.spent_pct,
        "forecast": standing.forecast,
        "state": str(standing.state),
        "left_out": standing.left_out,
        "unpriced_events": standing.unpriced_events,
    }
