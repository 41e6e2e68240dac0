"""Budgets: what is left of each, and saying what may be spent: a form, what that changes, and the change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import budget_changes, budget_questions
from auditstream.access.budget_changes import BudgetError, Preview
from auditstream.access.budget_questions import Resting
from auditstream.console import budget_forms
from auditstream.console.acts import Act, act_of, to
from auditstream.console.links import Link, link_of
from auditstream.console.problems import Problem, problem_of
from auditstream.console.screens.usage import tenant_choices
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, NotAllowedError, NotFoundError, RequestError
from auditstream.notify.budget_news import scope_of
from auditstream.notify.budget_standing import Standing
from auditstream.reference.changes import Change
from auditstream.reference.limits import BUDGET_SCOPE, Budget

_PAGE, _ONE = "/usage/budgets", "/usage/budgets/one"
_STATE = ("since", "from", "to", "tenant")  # of the other pages of usage, which tabs lead back to
_SOURCE = "auditstream console"
_ALREADY = "it says the same already before that time; to have it begin later, end it first"
_CHANGED = {
    "set": "The budget holds from now on",
    "planned": "The budget is set, and holds from the time that it says",
    "ended": "The budget is ended from now on",
    "withdrawn": "The budget will not begin",
}


def budgets(request: Request) -> Response:
    """Answer with the page: how budgets stand, those that rest, and the way to change them."""
    visit = visit_of(request)
    tenant = visit.parameter("tenant")
    page = visit.link.at(_PAGE, *_STATE)
    found, rest, problem = None, None, None
    try:
        found = _standings(visit, tenant)
        rest = budget_questions.resting(visit.desk, visit.who, tenant=tenant)
    except NotAllowedError:
        raise
    except AuditStreamError as error:
        problem = problem_of(error)
    return visit.page(
        "budgets_page.html",
        status=problem.status if problem else 200,
        problem=problem,
        page=page,
        tenant=tenant,
        tenants=tenant_choices(visit, page),
        budgets=found,
        resting=[_rest(each, visit) for each in rest or ()],
        is_own_page=True,
        may_change=visit.who.may("budgets"),
        new=link_of(visit.root, _ONE, {"tenant": tenant}),
        said=_said(visit),
    )


def part(request: Request) -> Response:
    """Answer with how budgets stand, beside what was spent."""
    visit = visit_of(request)
    tenant = visit.parameter("tenant")
    return visit.part(
        "budgets.html",
        budgets=_standings(visit, tenant),
        is_own_page=False,
        may_change=False,
        all_budgets=link_of(visit.root, _PAGE, {"tenant": tenant}),
    )


def one(request: Request) -> Response:
    """Answer with the form of a budget: of the one that an address names, or empty."""
    visit = visit_of(request)
    visit.who.require("budgets")
    id_ = visit.parameter("id")
    if not id_:
        return _form(visit, budget_forms.empty(visit.parameter("tenant")))
    held = budget_changes.held(visit.who, id_, visit.now, facts=visit.parts.reach.facts)
    return _form(visit, budget_forms.filled(held, visit.now), held=held)


async def act(request: Request) -> Response:
    """Show what a form would change, show it again, or carry it out; as its button says."""
    sent = await act_of(request)
    return await run_in_threadpool(_acted, sent)


def _acted(sent: Act) -> Response:
    visit, step = sent.visit, sent.text("step")
    visit.who.require("budgets")
    try:
        match step:
            case "edit":
                return _form(visit, sent.form, held=_held(visit, sent))
            case "end":
                held = budget_changes.held(
                    visit.who, sent.text("budget_id"), visit.now, facts=visit.parts.reach.facts
                )
                ended = {**budget_forms.filled(held, visit.now), "active": "no", "valid_to": ""}
                return _preview(visit, ended)
            case "apply":
                return _apply(visit, sent)
            case _:
                return _preview(visit, sent.form)
    except BudgetError as error:
        return _form(visit, sent.form, held=_held(visit, sent), faults=error.faults)
    except NotFoundError:
        raise
    except RequestError as error:
        return _form(visit, sent.form, held=_held(visit, sent), problem=problem_of(error))


def _apply(visit: Visit, sent: Act) -> Response:
    found, revision = budget_changes.set_budget(
        visit.desk,
        visit.who,
        budget_forms.document(sent.form),
        visit.caller,
        facts=visit.parts.reach.facts,
        source=_SOURCE,
        seen=sent.text("seen"),
    )
    # One that names no time begins with its change, which is later than the request.
    match found.budget.active, found.budget.valid_from > visit.desk.now:
        case True, is_to_come:
            said = "planned" if is_to_come else "set"
        case _, is_to_come:
            said = "withdrawn" if is_to_come else "ended"
    return to(link_of(visit.root, _PAGE, {"said": said, "revision": str(revision)}))


def _preview(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Return the page that says what a form would change, before anything does."""
    found = budget_changes.preview(
        visit.who,
        budget_forms.document(fields),
        visit.now,
        facts=visit.parts.reach.facts,
        source=_SOURCE,
    )
    rows = budget_forms.differences(found.change, visit.now) if found.change else []
    if found.change and not rows:
        raise BudgetError({"valid_from": _ALREADY})
    standing, problem = None, None
    if found.change and found.budget.active and found.budget.covers(visit.now):
        try:
            standing = budget_questions.standing(visit.desk, visit.who, found.budget, visit.caller)
        except AuditStreamError as error:  # what changes is known without it
            problem = problem_of(error)
    return visit.page(
        "budget_preview.html",
        id=found.budget.budget_id,
        words=_words(found),
        rows=rows,
        hides=_hidden(found.change) if found.change else [],
        starts=found.budget.valid_from if fields.get("valid_from") else None,
        remarks=found.remarks,
        budget=_budget(standing, visit) if standing else None,
        problem=problem,
        is_end=not found.budget.active,
        kept=[*budget_forms.kept(fields).items(), ("seen", found.seen)],
    )


def _hidden(change: Change) -> list[datetime]:
    """Return when what else was to hold would have begun: what is compared with stands in the table."""
    return [start for start in change.hides if change.before is None or start != change.before.valid_from]


def _form(
    visit: Visit,
    fields: Mapping[str, str],
    *,
    held: Budget | None = None,
    faults: Mapping[str, str] | None = None,
    problem: Problem | None = None,
) -> Response:
    faults = faults or {}
    tenants = visit.who.tenants
    said = {each: faults[each] for each in faults if each not in budget_forms.NAMED}
    return visit.page(
        "budget_form.html",
        status=problem.status if problem else 400 if faults else 200,
        problem=problem,
        form={name: fields.get(name, "") for name in budget_forms.FIELDS},
        faults={name: budget_forms.in_words(reason) for name, reason in faults.items()},
        said=[
            budget_forms.in_words(f"{name}: {reason}" if name else reason) for name, reason in said.items()
        ],
        held=held,
        is_to_come=held is not None and held.active and held.valid_from > visit.now,
        is_ended=held is not None and budget_forms.is_ended(held, visit.now),
        scope=BUDGET_SCOPE,
        periods=budget_forms.PERIODS,
        reactions=budget_forms.REACTIONS,
        tenants=None if tenants is None else sorted(tenants),
    )


def _held(visit: Visit, sent: Act) -> Budget | None:
    """Return the budget that a form is about when it is one that there is; a form may be of a new one."""
    try:
        return budget_changes.held(
            visit.who, sent.text("budget_id"), visit.now, facts=visit.parts.reach.facts
        )
    except NotFoundError:
        return None


def _standings(visit: Visit, tenant: str) -> list[dict[str, Any]]:
    found = budget_questions.budgets(visit.desk, visit.who, visit.caller, tenant=tenant)
    ordered = sorted(found, key=lambda each: (-each.spent_pct, each.budget.budget_id))
    return [_budget(each, visit) for each in ordered]


def _words(found: Preview) -> str:
    if found.change is None:
        return "It says so already"
    if found.change.before is None:
        return "It is a new budget"
    return "It ends" if not found.budget.active else "It changes"


def _rest(resting: Resting, visit: Visit) -> dict[str, Any]:
    budget = resting.budget
    return {
        "of": budget,
        "scope": _scope(budget),
        "since": resting.since,
        "is_to_come": resting.is_to_come,
        "link": _one(visit, budget),
    }


def _budget(standing: Standing, visit: Visit) -> dict[str, Any]:
    budget = standing.budget
    return {
        "id": budget.budget_id,
        "scope": _scope(budget),
        "period": budget.period,
        "ends": standing.period.end,
        "amount": budget.amount,
        "currency": budget.currency,
        "spent": standing.spent,
        "spent_pct": standing.spent_pct,
        "forecast": standing.forecast,
        "is_over": standing.spent_pct >= 100,
        "is_forecast_over": standing.is_forecast_over,
        "state": str(standing.state).lower(),
        "unpriced": standing.unpriced_events,
        "left_out": standing.left_out,
        "reaction": budget.reaction,
        "fallback_model": budget.fallback_model,
        "owner": budget.owner,
        "link": _one(visit, budget),
    }


def _scope(budget: Budget) -> str:
    return scope_of(budget).partition("/")[2].replace("/", ", ") or "everything"


def _one(visit: Visit, budget: Budget) -> Link:
    return link_of(visit.root, _ONE, {"id": budget.budget_id})


def _said(visit: Visit) -> dict[str, str] | None:
    """Return what was done a moment ago; of an address that was made up nothing but these words."""
    said, revision = visit.parameter("said"), visit.parameter("revision")
    if said not in _CHANGED or not (revision.isascii() and revision.isdigit()):
        return None
    return {"words": _CHANGED[said], "revision": revision[:12]}


ROUTES = (
    Route(_PAGE, budgets),
    Route("/parts/budgets", part),
    Route(_ONE, one, methods=["GET"]),
    Route(_ONE, act, methods=["POST"]),
)
