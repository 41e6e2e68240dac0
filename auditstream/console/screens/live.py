"""The live tail: rows as they are recorded, by server-sent events that go on where a connection broke off."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from auditstream.access import event_questions
from auditstream.access.rates import TooManyRequestsError
from auditstream.console import columns, filters
from auditstream.console.links import link_of
from auditstream.console.problems import problem_of
from auditstream.console.screens.events import lines
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError
from auditstream.query.arrivals import Arrivals, position_text, read_position
from auditstream.query.events import Search
from auditstream.query.grammar import QueryError, Term, parse
from auditstream.query.reader import Table

MOST_ROWS = 200
"""Rows that a browser keeps: more than anybody reads while others come."""

_FIRST_ROWS = 30
_LOOK_S = 1.0  # a second apart a person sees a stream, and the store is asked once for what a segment brings
_BEAT_LOOKS = 15  # looks without news after which a comment is sent, so that nothing between us gives up
_RETRY_MS = 2_000
_FULL_RETRY_MS = 5_000  # as many tails as the role may have are open: one may be closed any moment
_SHOWN = ("time", "type", "tenant", "who", "what", "outcome", "cost")


def live(request: Request) -> Response:
    """Answer with the newest events, which the page then follows."""
    visit = visit_of(request)
    query = visit.parameter("q")
    shown = columns.chosen(_SHOWN)
    fault, rows = None, None
    try:
        terms = parse(query)
        found = event_questions.search(
            visit.desk, visit.who, query, Search(terms, limit=_FIRST_ROWS), visit.caller
        )
        rows = lines(found, shown, visit, link_of(visit.root, "/live", {"q": query}))
    except QueryError as error:
        fault = filters.fault(query, error.position, error.message, error.hint)
    return visit.page(
        "live.html",
        query=query,
        fault=fault,
        rows=rows,
        columns=shown,
        most=MOST_ROWS,
        page=link_of(visit.root, "/live", {"q": query}),
        stream=link_of(visit.root, "/parts/stream", {"q": query}),
        status=400 if fault else 200,
    )


async def stream(request: Request) -> Response:
    """Answer with events as they are recorded, each as the HTML of its row."""
    visit = await _off_loop(visit_of, request)
    query = visit.parameter("q")
    terms = parse(query)
    last = request.headers.get("last-event-id", "")
    after = read_position(last) if last else None
    try:
        close = visit.parts.reach.tails.open(visit.who)
    except TooManyRequestsError as error:
        # An answer of its own and no refusal, which a browser would take for the end: it asks again.
        return _stream(_busy(error))
    try:
        arrivals = await _off_loop(_arrivals, visit, query, terms, after)
    except BaseException:
        close()
        raise
    messages = _messages(visit, query, arrivals, close)
    # Who leaves before the first message leaves a generator that never began, and never comes to its end.
    weakref.finalize(messages, close)
    return _stream(messages)


def _stream(messages: AsyncIterator[str]) -> Response:
    return StreamingResponse(
        messages,
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _busy(error: TooManyRequestsError) -> AsyncIterator[str]:
    yield f"retry: {_FULL_RETRY_MS}\nevent: busy\ndata: Waiting: {_line(problem_of(error).message)}\n\n"


def _arrivals(visit: Visit, query: str, terms: list[Term], after: Any) -> Arrivals:
    return event_questions.arrivals(visit.desk, visit.who, query, terms, visit.caller, after=after)


async def _messages(
    visit: Visit, query: str, arrivals: Arrivals, close: Callable[[], None]
) -> AsyncIterator[str]:
    try:
        yield f"retry: {_RETRY_MS}\nevent: live\ndata: Live\n\n"
        quiet = 0
        while not await visit.request.is_disconnected():
            if not visit.parts.entry.still(visit.signed_in):
                yield "event: problem\ndata: The session has ended; sign in again.\n\n"
                return
            found = await _off_loop(arrivals.look)
            if found.rows:
                yield await _off_loop(_told, visit, query, found, position_text(arrivals.position))
                quiet = 0
            else:
                quiet += 1
                if quiet % _BEAT_LOOKS == 0:
                    yield ": nothing new\n\n"
            await asyncio.sleep(_LOOK_S)
    except AuditStreamError as error:
        yield f"event: problem\ndata: {_line(problem_of(error).message)}\n\n"
    finally:
        close()


def _told(visit: Visit, query: str, found: Table, position: str) -> str:
    """Return the messages of what arrived; the last of them carries the place where to go on."""
    rows = lines(found, columns.chosen(_SHOWN), visit, link_of(visit.root, "/live", {"q": query}))
    kept = rows[-MOST_ROWS:]  # a browser keeps no more: what it would drop at once is not sent
    texts = [_line(visit.text("live_row.html", row=row)) for row in kept]
    messages = [f"event: row\ndata: {text}\n\n" for text in texts]
    messages[-1] = f"id: {position}\n{messages[-1]}"
    return "".join(messages)


def _line(text: str) -> str:
    return " ".join(text.split())


async def _off_loop(work: Any, *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, partial(work, *arguments))


ROUTES = (Route("/live", live), Route("/parts/stream", stream))
