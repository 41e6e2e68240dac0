"""Routes about events: pages, counts over time and by value, one event with its proof, one trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from auditstream.access import event_questions, evidence_questions
from auditstream.api.descriptions import PROBLEMS, ROWS, document
from auditstream.api.forms import document_response, rows_response
from auditstream.api.parameters import AskedFor, about, cursor_of
from auditstream.api.parts import AskerOf
from auditstream.core.errors import RequestError
from auditstream.query import events, facets, histograms
from auditstream.query.traces import Step, Trace

router = APIRouter(tags=["events"], responses=PROBLEMS)

_MOST_FACETS = 20


@router.get("/events", summary="A page of events, newest first", responses=ROWS)
def list_events(
    *,
    request: Request,
    ask: AskerOf,
    asked: AskedFor,
    limit: Annotated[int, Query(ge=1, le=events.MOST_ROWS)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="Where the page before ended.")] = None,
) -> Response:
    """Return the newest events that match; costs and attribution are as they are known now."""
    wanted = replace(asked.search, limit=limit, after=cursor_of(cursor))
    found = event_questions.search(ask.desk, ask.who, asked.text, wanted, ask.caller)
    after = events.next_page(found, wanted)
    return rows_response(request, found.columns, found.rows, next_cursor=after.text() if after else None)


@router.get("/events/{event_id}", summary="Everything that is known of one event", responses=document())
def show_event(event_id: str, ask: AskerOf) -> Response:
    """Return every row of an event, repeats included, in the order in which they were recorded."""
    with about("event_id"):
        rows = event_questions.show(ask.desk, ask.who, event_id, ask.caller)
    return document_response({"data": rows})


@router.get(
    "/events/{event_id}/proof",
    summary="The receipt of one event",
    responses={200: {"content": {"text/plain": {}}, "description": "A C2SP tlog-proof."}},
    response_class=Response,
)
def prove_event(event_id: str, ask: AskerOf) -> Response:
    """Return the event's proof: anybody can check it offline with `auditstream verify --receipt`."""
    with about("event_id"):
        receipt, place = evidence_questions.receipt(
            ask.desk, ask.who, event_id, ask.caller, evidence=ask.parts.evidence
        )
    headers = {
        "content-disposition": 'attachment; filename="event.tlog-proof"',
        "x-log-id": place.log_id,
        "x-leaf-index": str(place.index),
    }
    return Response(receipt.to_bytes(), media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/histogram", summary="Events by time and outcome", responses=document())
def histogram(
    ask: AskerOf,
    asked: AskedFor,
    spans: Annotated[int, Query(ge=1, le=histograms.MOST_SPANS, description="Bars wished for.")] = 60,
) -> Response:
    """Return how many events match in each span of time; the sum is the number of all that match."""
    found = event_questions.histogram(ask.desk, ask.who, asked.text, asked.search, ask.caller, spans=spans)
    return document_response(
        {
            "width_s": int(found.width.total_seconds()),
            "from": found.period.start,
            "to": found.period.end,
            "events": found.events,
            "data": [
                {"start": each.start, "events": each.events, "outcomes": each.outcomes}
                for each in found.spans
            ],
        }
    )


@router.get("/facets", summary="The most frequent values of fields", responses=document())
def count_values(
    *,
    ask: AskerOf,
    asked: AskedFor,
    field: Annotated[
        list[str] | None, Query(max_length=_MOST_FACETS, description="Fields, as a search names them.")
    ] = None,
    values: Annotated[int, Query(ge=1, le=facets.MOST_VALUES, description="Values of each.")] = 10,
) -> Response:
    """Return counts by value; a field that takes too long is given up by itself, with `in_time` false."""
    fields = field or facets.SUGGESTED
    if any(len(each) > 64 for each in fields):
        raise RequestError("field: no field has so long a name", field="field")
    with about("field"):
        found = event_questions.count_values(
            ask.desk, ask.who, asked.text, asked.search, ask.caller, fields=fields, values=values
        )
    return document_response(
        {
            "data": [
                {
                    "field": each.field,
                    "values": [{"value": value.text, "events": value.events} for value in each.values],
                    "others": each.others,
                    "in_time": each.in_time,
                }
                for each in found
            ]
        }
    )


@router.get("/traces/{trace_id}", summary="A trace as a tree", responses=document())
def show_trace(trace_id: str, ask: AskerOf) -> Response:
    """Return the events of a trace, each with what it led to, and their tokens and cost in all."""
    with about("trace_id"):
        found = event_questions.trace(ask.desk, ask.who, trace_id, ask.caller)
    return document_response(_trace(found))


def _trace(found: Trace) -> dict[str, Any]:
    return {
        "trace_id": found.trace_id,
        "events": found.events,
        "is_whole": found.is_whole,
        "start": found.start,
        "end": found.end,
        "input_tokens": found.tokens("input_tokens"),
        "output_tokens": found.tokens("output_tokens"),
        "costs": found.costs,
        "unpriced": found.unpriced,
        "data": [_step(depth, step) for depth, step in found.walk()],
    }


def _step(depth: int, step: Step) -> dict[str, Any]:
    """Return a step with its depth; nested, a long chain would be deeper than readers of JSON allow."""
    return {
        **step.event,
        "depth": depth,
        "start": step.start,
        "end": step.end,
        "children": len(step.children),
    }
