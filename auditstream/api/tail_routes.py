"""The live tail: events as they are recorded, as server-sent events.

A message `event` is one event. The last of what one look found carries an id: a client that comes back with
it in `Last-Event-ID` goes on there, and at worst sees again what the look that was broken off had found.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from auditstream.access import event_questions
from auditstream.api.descriptions import PROBLEMS
from auditstream.api.parameters import QueryParameter, TenantParameter, about
from auditstream.api.parts import Asker, AskerOf
from auditstream.core.errors import AuditStreamError
from auditstream.core.problem_details import problem
from auditstream.core.values import as_line
from auditstream.query import grammar
from auditstream.query.arrivals import Arrivals, position_text, read_position

router = APIRouter(tags=["events"], responses=PROBLEMS)

_QUIET_S = 15.0
"""A comment after so long without events: proxies give up connections on which nothing comes."""

_AGAIN_MS = 2_000
"""When a client that was cut off comes back."""


@router.get(
    "/tail",
    summary="Events as they are recorded",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events."}},
)
async def tail(
    *,
    ask: AskerOf,
    q: QueryParameter = "",
    tenant: TenantParameter = "",
    last_event_id: Annotated[str | None, Header(description="Where to go on.")] = None,
    looks: Annotated[int | None, Query(ge=1, le=100_000, description="End after so many looks.")] = None,
) -> Response:
    """Stream events from now on, or from where `Last-Event-ID` says, whatever their own time is."""
    terms = grammar.parse(q)
    with about("last-event-id"):
        after = read_position(last_event_id) if last_event_id else None
    close = ask.parts.tails.open(ask.who)
    try:
        arrivals = await run_in_threadpool(
            event_questions.arrivals, ask.desk, ask.who, q, terms, ask.caller, tenant=tenant, after=after
        )
    except BaseException:
        close()
        raise
    messages = _messages(ask, arrivals, looks, close)
    # Who leaves before the first message leaves a generator that never began, and never comes to its end.
    weakref.finalize(messages, close)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(messages, media_type="text/event-stream", headers=headers)


async def _messages(
    ask: Asker, arrivals: Arrivals, looks: int | None, close: Callable[[], None]
) -> AsyncIterator[str]:
    try:
        yield f"retry: {_AGAIN_MS}\nid: {position_text(arrivals.position)}\n\n"
        quiet_s, number = 0.0, 0
        while looks is None or number < looks:
            number += 1
            messages = await run_in_threadpool(_look, arrivals)
            for each in messages:
                yield each
            quiet_s = 0.0 if messages else quiet_s + ask.parts.look_s
            if quiet_s >= _QUIET_S:
                quiet_s = 0.0
                yield ": nothing\n\n"
            if not ask.parts.entry.still(ask.signed_in):
                yield _message("end", as_line({"reason": "the sign-in does not count any more"}))
                return
            if looks is None or number < looks:
                await asyncio.sleep(ask.parts.look_s)
    except AuditStreamError as error:
        yield _message("problem", as_line(problem(503, error.code, "the tail was broken off")))
    finally:
        close()


def _look(arrivals: Arrivals) -> list[str]:
    """Return the messages of what is new; the last has the id."""
    before = position_text(arrivals.position)
    found = arrivals.look()
    after = position_text(arrivals.position)
    lines = [as_line(record) for record in found.records()]
    if not lines:
        return [f"id: {after}\n\n"] if after != before else []
    return [*(_message("event", each) for each in lines[:-1]), _message("event", lines[-1], after)]


def _message(event: str, data: str, id_: str = "") -> str:
    named = f"id: {id_}\n" if id_ else ""
    return f"{named}event: {event}\ndata: {data}\n\n"
