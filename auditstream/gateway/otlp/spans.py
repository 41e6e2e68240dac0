"""Spans as events: one a model call, tool call, agent's step, retrieval, and one for each evaluation inside.

What a span becomes is in `kinds`, what becomes of its attributes in the dialects' tables. Spans that are no
events are left out: they are neither accepted nor rejected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from auditstream.gateway.drafts import Draft, Refusal
from auditstream.gateway.otlp.entries import Role
from auditstream.gateway.otlp.event_ids import span_event_id
from auditstream.gateway.otlp.gathering import Gathered
from auditstream.gateway.otlp.index import FIRST_TOKEN
from auditstream.gateway.otlp.kinds import is_answer, is_message, kind_of_span, type_of_event
from auditstream.gateway.otlp.origins import Origin, event_from
from auditstream.gateway.otlp.values import attributes_of

_NANOS_PER_US = 1_000
_STATUS_IN_MESSAGE = re.compile(r"\bError code: ([1-5][0-9]{2})\b")
"""How the exceptions of the openai and anthropic packages begin, and so the status message of their spans."""
_MESSAGE_LABELS = frozenset({"gen_ai.system", "gen_ai.provider.name", "event.name"})
"""Attributes of a message event that are not the message."""
_LINKS_KEPT = 8


def spans_to_drafts(request: ExportTraceServiceRequest) -> list[Draft]:
    """Return the events of a request's spans, and the refusals of spans that cannot be events.

    A draft's index is that of its span in the request; a span with an evaluation inside has two drafts.
    """
    return list(_drafts(request))


def _drafts(request: ExportTraceServiceRequest) -> Iterator[Draft]:
    index = 0
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            origin = Origin.of(resource.resource, scope.scope, scope.schema_url or resource.schema_url)
            for span in scope.spans:
                yield from _of_span(index, span, origin)
                index += 1


def _of_span(index: int, span: Span, origin: Origin) -> Iterator[Draft]:
    attributes = attributes_of(span.attributes)
    kind = kind_of_span(attributes)
    inner = [(place, event) for place, event in enumerate(span.events) if type_of_event(event.name)]
    if kind.event_type is None and not inner:
        return
    refusal = _misfit(span)
    if refusal is not None:
        yield Draft(index, None, refusal)
        return
    subject = None
    if kind.event_type is not None:
        event = _event_of(span, attributes, kind.event_type, kind.operation, origin)
        subject = str(event["event_id"])
        yield Draft(index, event)
    for place, found in inner:
        yield Draft(index, _inner_event(span, place, found, subject, origin))


def _misfit(span: Span) -> Refusal | None:
    """Return why a span is no span: an id of another length or all zeros, or no start."""
    for name, value, length in (("trace_id", span.trace_id, 16), ("span_id", span.span_id, 8)):
        if len(value) != length or not any(value):
            return Refusal("malformed", name, f"{name}: is not {length} bytes with a bit set")
    if span.parent_span_id and len(span.parent_span_id) != 8:
        return Refusal("malformed", "parent_span_id", "parent_span_id: is not 8 bytes")
    if not span.start_time_unix_nano:
        return Refusal("malformed", "start_time_unix_nano", "start_time_unix_nano: is not set")
    return None


def _event_of(
    span: Span, attributes: dict[str, Any], event_type: str, operation: str, origin: Origin
) -> dict[str, Any]:
    gathered = Gathered(event_type)
    gathered.take(attributes)
    first_token = _take_events(span, gathered)
    failed = span.status.code == Status.STATUS_CODE_ERROR or "error.type" in attributes
    gathered.kept.setdefault("span.name", span.name)
    _keep_links(span, gathered)
    event = event_from(origin, gathered, operation=operation, name=span.name, failed=failed)
    call = event.get("inference")
    if call is not None and first_token is not None:
        call.setdefault("ttft_us", (first_token - span.start_time_unix_nano) // _NANOS_PER_US)
    if call is not None and call.get("ttft_us") is not None:
        call["stream"] = True
    if failed:
        _explain(event, span)
    event["event_id"] = span_event_id(span.trace_id, span.span_id, span.start_time_unix_nano)
    event["event_time"] = span.start_time_unix_nano // _NANOS_PER_US
    if span.end_time_unix_nano >= span.start_time_unix_nano:
        event["duration_us"] = (span.end_time_unix_nano - span.start_time_unix_nano) // _NANOS_PER_US
    event["trace_id"], event["span_id"] = span.trace_id.hex(), span.span_id.hex()
    if any(span.parent_span_id):
        event["parent_span_id"] = span.parent_span_id.hex()
    return event


def _take_events(span: Span, gathered: Gathered) -> int | None:
    """Gather the messages among a span's events; return the time of its first token, in nanoseconds."""
    first: int | None = None
    for place, event in enumerate(span.events):
        if event.name in FIRST_TOKEN:
            if event.time_unix_nano >= span.start_time_unix_nano:
                first = min(first or event.time_unix_nano, event.time_unix_nano)
        elif is_message(event.name):
            role = Role.OUTPUT if is_answer(event.name) else Role.INPUT
            for name, value in attributes_of(event.attributes).items():
                if name not in _MESSAGE_LABELS:
                    gathered.contents.add(role, f"{place}.{event.name}.{name}", value)
    return first


def _explain(event: dict[str, Any], span: Span) -> None:
    """Fill an error's class and HTTP status from the recorded exception, whose words are dropped."""
    for recorded in span.events:
        if recorded.name == "exception":
            kind = attributes_of(recorded.attributes).get("exception.type")
            if isinstance(kind, str) and kind:
                event.setdefault("error_type", kind)
    event.setdefault("error_type", "error")
    found = _STATUS_IN_MESSAGE.search(span.status.message[:1000])
    if found is not None:
        event.setdefault("http_status", int(found.group(1)))


def _keep_links(span: Span, gathered: Gathered) -> None:
    links = [f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in span.links[:_LINKS_KEPT]]
    if links:
        gathered.kept.setdefault("otel.links", links)


def _inner_event(
    span: Span, place: int, found: Span.Event, subject: str | None, origin: Origin
) -> dict[str, Any]:
    event_type = type_of_event(found.name)
    assert event_type is not None
    attributes = attributes_of(found.attributes)
    gathered = Gathered(event_type)
    gathered.take(attributes)
    failed = "error.type" in attributes
    event = event_from(origin, gathered, operation="", name=found.name, failed=failed)
    time_ns = found.time_unix_nano or span.start_time_unix_nano
    event["event_id"] = span_event_id(span.trace_id, span.span_id, span.start_time_unix_nano, place)
    event["event_time"] = time_ns // _NANOS_PER_US
    event["trace_id"], event["parent_span_id"] = span.trace_id.hex(), span.span_id.hex()
    if subject is not None:
        event["causation_id"] = subject
        if "evaluation" in event:
            event["evaluation"].setdefault("subject_event_id", subject)
    return event
