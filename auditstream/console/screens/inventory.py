"""The inventory: agents, models, tools, servers, keys and hosts that are used, and whether they may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import asset_questions
from auditstream.console import filters
from auditstream.console.acts import Act, act_of, to
from auditstream.console.links import Link, link_of
from auditstream.console.problems import Problem, problem_of
from auditstream.console.ranges import Range, range_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.asset_types import ASSET_TYPES, AssetType
from auditstream.core.errors import AuditStreamError, NotAllowedError, RequestError
from auditstream.core.tenants import UNATTRIBUTED
from auditstream.query.inventory import ORDER, Listed
from auditstream.query.named_periods import Span
from auditstream.reference.assets import Asset

_STATE = ("status", "type", "tenant", "since", "from", "to")
_FORM = ("tenant", "status", "owner", "purpose")
_USUAL = "7d"
_MOST = 500  # rows of a page; filters find the rest
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

TYPES: Mapping[AssetType, tuple[str, str, str]] = {
    "agent": ("Agent", "bot", "agent"),
    "model": ("Model", "cpu", "model"),
    "tool": ("Tool", "wrench", "tool"),
    "mcp_server": ("MCP server", "layers", "mcp"),
    "credential": ("Key", "key-round", "credential"),
    "host": ("Host", "route", "host"),
}
"""Types of assets: what they are called, their icon, and the field of a query that names them."""

TONES: Mapping[str, str] = {"banned": "bad", "unregistered": "warn", "unlisted": "info", "registered": "good"}
MEANINGS: Mapping[str, str] = {
    "banned": "It may not be used: its next use is a critical finding.",
    "unregistered": "It is missing in a register that the tenant has.",
    "unlisted": "The tenant has no register of assets of this type.",
    "registered": "It is in the register.",
}


def inventory(request: Request) -> Response:
    """Answer with what was used in a range."""
    visit = visit_of(request)
    page = visit.link.at("/assets", *_STATE)
    status, kind = visit.parameter("status"), visit.parameter("type")
    period = range_of({}, visit.now, usual=_USUAL)
    found: list[Listed] | None = None
    problem = None
    try:
        _known("status", status, ORDER)
        _known("type", kind, ASSET_TYPES)
        period = range_of(request.query_params, visit.now, usual=_USUAL)
        found = asset_questions.used(
            visit.desk, visit.who, span_of(period), visit.caller, tenant=visit.parameter("tenant")
        )
    except NotAllowedError:
        raise
    except AuditStreamError as error:
        problem = problem_of(error)
    chosen = [each for each in found or () if status in {"", each.status} and kind in {"", each.asset_type}]
    return visit.page(
        "assets.html",
        status=problem.status if problem else 200,
        problem=problem,
        page=page,
        period=period,
        said=_said(visit),
        chosen_status=status,
        statuses=_choices(page, "status", found or (), kind, status),
        types=_types(page, found or (), status, kind),
        tenant=visit.parameter("tenant"),
        meanings=MEANINGS,
        found=found,
        rows=[_row(each, visit, period) for each in chosen[:_MOST]],
        total=len(chosen),
    )


def asset(request: Request) -> Response:
    """Answer with one asset: how it is used, and the forms that register or ban it."""
    visit = visit_of(request)
    return _asset(visit, dict(request.query_params))


async def state(request: Request) -> Response:
    """Register or ban an asset, and go back to the list."""
    act = await act_of(request)
    return await run_in_threadpool(_state, act)


def _state(act: Act) -> Response:
    visit = act.visit
    try:
        wanted = _wanted(act)
        revision = asset_questions.state(
            visit.desk, visit.who, wanted, visit.caller, facts=visit.parts.reach.facts
        )
    except RequestError as error:
        if isinstance(error, NotAllowedError) and not visit.who.may("register"):
            raise
        return _asset(visit, act.form, problem_of(error))
    said = {"said": wanted.status, "revision": str(revision)}
    return to(link_of(visit.root, "/assets", {"type": wanted.asset_type, **said}))


def _wanted(act: Act) -> Asset:
    try:
        return Asset.model_validate(
            {
                "asset_type": act.text("type"),
                "asset_id": act.text("id"),
                "tenant_id": act.text("tenant"),
                "status": act.text("status"),
                "owner": act.text("owner"),
                "purpose": act.text("purpose"),
                "valid_from": act.visit.now,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"][:1])) or "asset"
        raise RequestError(f"{field}: {first['msg'].removeprefix('Value error, ')}") from error


def _asset(visit: Visit, fields: Mapping[str, str], problem: Problem | None = None) -> Response:
    """Return the page of an asset; after a form with a problem, with what was filled in."""
    kind, id_, tenant = (fields.get(name, "").strip() for name in ("type", "id", "of"))
    _known("type", kind, ASSET_TYPES)
    period = range_of({}, visit.now, usual=_USUAL)
    used = asset_questions.used(visit.desk, visit.who, span_of(period), visit.caller, tenant=tenant)
    found = [each for each in used if (each.asset_type, each.asset_id) == (kind, id_)]
    tenants = visit.who.tenants
    return visit.page(
        "asset.html",
        status=problem.status if problem else 200,
        problem=problem,
        period=period,
        kind=TYPES[_type(kind)],
        asset_type=kind,
        asset_id=id_,
        of=tenant,
        rows=[_row(each, visit, period) for each in found],
        may_register=visit.who.may("register"),
        everybody=tenants is None,
        # What nobody owns is in nobody's register: only what holds for every tenant speaks of it.
        tenants=sorted(({each.tenant for each in found} | (tenants or set())) - {UNATTRIBUTED}),
        chosen=(fields.get("tenant", "") if problem else tenant.replace(UNATTRIBUTED, "")),
        form={name: fields.get(name, "") for name in _FORM} if problem else {},
        meanings=MEANINGS,
    )


def _row(each: Listed, visit: Visit, period: Range) -> dict[str, Any]:
    words, icon, field = TYPES[each.asset_type]
    terms = [filters.term(field, each.asset_id), filters.term("tenant", each.tenant)]
    return {
        "of": each,
        "words": words,
        "icon": icon,
        "tone": TONES[each.status],
        "events": link_of(visit.root, "/events", {"q": " ".join(terms), **period.parameters}),
        "costs": sorted(each.costs.items()),
        "link": link_of(
            visit.root, "/assets/one", {"type": each.asset_type, "id": each.asset_id, "of": each.tenant}
        ),
    }


def _choices(page: Link, name: str, found: Sequence[Listed], kind: str, chosen: str) -> list[dict[str, Any]]:
    counted = Counter(each.status for each in found if kind in {"", each.asset_type})
    every = [
        {
            "label": "All",
            "count": counted.total(),
            "link": page.with_(**{name: None}),
            "is_chosen": not chosen,
        }
    ]
    return every + [
        {
            "label": each,
            "count": counted[each],
            "link": page.with_(**{name: each}),
            "is_chosen": each == chosen,
        }
        for each in ORDER
    ]


def _types(page: Link, found: Sequence[Listed], status: str, chosen: str) -> list[dict[str, Any]]:
    counted = Counter(each.asset_type for each in found if status in {"", each.status})
    return [
        {
            "label": words,
            "icon": icon,
            "count": counted[kind],
            "link": page.with_(type=None if kind == chosen else kind),
            "is_chosen": kind == chosen,
        }
        for kind, (words, icon, _) in TYPES.items()
    ]


def span_of(period: Range) -> Span:
    """Return a page's range with both ends."""
    return Span(period.period.start or _EARLIEST, period.period.end or period.now)


def _known(name: str, value: str, names: Sequence[str]) -> None:
    if value and value not in names:
        raise RequestError(f"{name}: {value[:40]!r} is none of {', '.join(names)}")


def _type(text: str) -> AssetType:
    found: AssetType | None = next((each for each in get_args(AssetType) if each == text), None)
    if found is None:
        raise RequestError(f"type: {text[:40]!r} is none of {', '.join(ASSET_TYPES)}")
    return found


def _said(visit: Visit) -> dict[str, str] | None:
    """Return what was said a moment ago; of an address that was made up nothing but these words."""
    said, revision = visit.parameter("said"), visit.parameter("revision")
    if said not in {"registered", "banned"} or not (revision.isascii() and revision.isdigit()):
        return None
    return {"status": said, "revision": revision[:12]}


ROUTES = (
    Route("/assets", inventory, methods=["GET"]),
    Route("/assets/one", asset, methods=["GET"]),
    Route("/assets/one", state, methods=["POST"]),
)
