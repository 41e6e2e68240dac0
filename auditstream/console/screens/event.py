"""One event: its page, the panel beside a list, its bytes, its proof and its receipt."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import event_questions, evidence_questions
from auditstream.console import details
from auditstream.console.links import Link, link_of
from auditstream.console.problems import problem_of
from auditstream.console.summaries import summary
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, NotAllowedError, RetryableError, VerificationError
from auditstream.evidence import proving
from auditstream.query.datums import decode_rows

_STATE = ("q", "since", "from", "to", "columns")
_VALUE_BYTES = 32  # SHA-256
_ROOT_DIGITS = 16


def event(request: Request) -> Response:
    """Answer with the page of one event."""
    visit = visit_of(request)
    wanted = request.path_params["id"]
    rows = event_questions.show(visit.desk, visit.who, wanted, visit.caller)
    return visit.page("event.html", wanted=wanted, **_told(visit, wanted, rows, "/events"))


def peek(request: Request) -> Response:
    """Answer with the panel of one event."""
    visit = visit_of(request)
    of = visit.parameter("of")
    rows = event_questions.show(visit.desk, visit.who, visit.parameter("id"), visit.caller)
    told = _told(visit, visit.parameter("id"), rows, of if of.startswith("/") else "/events")
    return visit.part("peek.html", **told)


def panel(visit: Visit, wanted: str, of: str) -> str:
    """Return the text of a panel for a page that has it open from the start; an error is one, too.

    Args:
        visit: The request of the page.
        wanted: The event.
        of: Path of the page.
    """
    try:
        rows = event_questions.show(visit.desk, visit.who, wanted, visit.caller)
    except AuditStreamError as error:
        return visit.text("problem_fragment.html", problem=problem_of(error))
    return visit.text("peek.html", **_told(visit, wanted, rows, of))


def raw(request: Request) -> Response:
    """Answer with the bytes of an event as they were received, decoded and as they are."""
    visit = visit_of(request)
    visit.who.require("contents")
    rows = event_questions.show(visit.desk, visit.who, visit.parameter("id"), visit.caller)
    row = _first(rows)
    document, why = _decoded(row, visit)
    return visit.part("raw.html", document=document, why=why, hex=_hex(row["raw"]), size=len(row["raw"]))


def proof(request: Request) -> Response:
    """Answer with whether an event is in the signed log as it was received; checks it here and now."""
    visit = visit_of(request)
    wanted = visit.parameter("id")
    evidence = visit.parts.evidence
    try:
        receipt, _ = evidence_questions.receipt(
            visit.desk, visit.who, wanted, visit.caller, evidence=evidence
        )
        _, trust = evidence()
        proved = proving.check(receipt, trust)
    except NotAllowedError:
        raise
    except RetryableError as error:
        return visit.part("proof.html", proved=None, **_verdict("warn", "Not sealed yet", error, "clock"))
    except VerificationError as error:
        return visit.part("proof.html", proved=None, **_verdict("bad", "It does not hold", error, "shield-x"))
    checkpoint = proved.checkpoint
    return visit.part(
        "proof.html",
        proved={
            "value_hash": proved.entry[-_VALUE_BYTES:].hex(),
            "index": proved.index,
            "size": checkpoint.size,
            "hashes": len(receipt.proof),
            "root": checkpoint.root.hex()[:_ROOT_DIGITS] + "…",
            "origin": checkpoint.origin,
            "cosigners": proved.cosigners,
        },
        receipt_url=link_of(visit.root, f"/receipts/{wanted}"),
    )


def receipt(request: Request) -> Response:
    """Answer with the receipt of an event as a file."""
    visit = visit_of(request)
    wanted = request.path_params["id"]
    made, _ = evidence_questions.receipt(
        visit.desk, visit.who, wanted, visit.caller, evidence=visit.parts.evidence
    )
    name = f"{wanted.replace('/', '_')}.tlog-proof"
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Response(
        made.to_bytes(),
        media_type="text/plain; charset=utf-8",
        headers={"content-disposition": disposition},
    )


def _told(visit: Visit, wanted: str, rows: list[dict[str, Any]], of: str) -> dict[str, Any]:
    row = _first(rows)
    state = visit.link.at(of, *_STATE)
    searched = state if of == "/events" else link_of(visit.root, "/events", {"since": "all"})
    query = visit.parameter("q") if of == "/events" else ""
    parts = link_of(visit.root, "/parts", {"id": wanted})
    return {
        "row": row,
        "rows": rows,
        "summary": summary(row),
        "recorded": row.get("inserted_at"),
        "related": details.related(row, visit.root),
        "tiles": details.tiles(row),
        "costs": row.get("costs") or [],
        "change": details.change(row),
        "groups": details.groups(row, searched, query),
        "leaf_hash": row["leaf_hash"].hex(),
        "anchor": hashlib.sha256(wanted.encode()).hexdigest()[:8],
        "own_page": link_of(visit.root, f"/events/{wanted}"),
        "closed": state,
        "proof_url": _at(parts, "/parts/proof"),
        "raw_url": _at(parts, "/parts/raw") if visit.who.may("contents") else None,
    }


def _at(link: Link, path: str) -> Link:
    return link.at(path, "id")


def _first(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row that counts: the first that is no repeat."""
    return next((row for row in rows if row["duplicate_of"] is None), rows[0])


def _decoded(row: dict[str, Any], visit: Visit) -> tuple[dict[str, Any] | None, str]:
    try:
        (datum,) = asyncio.run(decode_rows([row], visit.parts.settings.registry))
    except AuditStreamError as error:
        return None, error.message
    if datum is not None:
        return datum, ""
    try:
        return json.loads(row["raw"]), ""
    except ValueError:
        return None, "They are not a datum of their schema."


def _hex(raw: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in raw)


def _verdict(tone: str, title: str, error: AuditStreamError, symbol: str) -> dict[str, Any]:
    return {"tone": tone, "title": title, "text": f"{error.message}. {error.hint}", "symbol": symbol}


ROUTES = (
    Route("/parts/event", peek),
    Route("/parts/raw", raw),
    Route("/parts/proof", proof),
    Route("/receipts/{id:path}", receipt),
    Route("/events/{id:path}", event),
)
