"""Events as the OTLP spans by which an instrumented application tells of them.

A span's event has an id that the gateway derives from trace, span and start; the day uses it from the
beginning, so that other events can name it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from auditstream.demo.cast import Door
from auditstream.gateway.otlp.event_ids import span_event_id

_NANOS_PER_US = 1_000
_TYPES = frozenset({"ai.inference", "ai.embedding", "ai.retrieval"})
"""What instrumentations make spans of, of all that a service without an agent does."""

_SCOPE = "demo-instrumentation"
_RESOURCE = {
    "source": "service.name",
    "source_instance": "service.instance.id",
    "environment": "deployment.environment.name",
}
_ENVELOPE = {
    "actor_id": "user.id",
    "session_id": "session.id",
    "src_country": "geo.country.iso_code",
    "conversation_id": "gen_ai.conversation.id",
    "project_id": "auditstream.project_id",
    "team_id": "auditstream.team_id",
    "cost_center": "auditstream.cost_center",
    "feature_id": "auditstream.feature_id",
    "error_type": "error.type",
    "http_status": "http.response.status_code",
}
_FAMILIES = {
    "inference": {
        "operation": "gen_ai.operation.name",
        "provider": "gen_ai.provider.name",
        "request_model": "gen_ai.request.model",
        "response_model": "gen_ai.response.model",
        "response_id": "gen_ai.response.id",
        "finish_reasons": "gen_ai.response.finish_reasons",
        "temperature": "gen_ai.request.temperature",
        "stream": "gen_ai.request.stream",
        "prompt_name": "gen_ai.prompt.name",
        "prompt_version": "traceloop.prompt.version",  # the conventions have no name for it
    },
    "usage": {
        "input_tokens": "gen_ai.usage.input_tokens",
        "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
        "output_tokens": "gen_ai.usage.output_tokens",
        "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    },
    "retrieval": {"data_source_id": "gen_ai.data_source.id"},
}


def is_span(door: Door, event_type: str) -> bool:
    """Return whether a service that sends by a door tells of such an event by a span."""
    return door == "otlp" and event_type in _TYPES


def span_id_of(draft: Mapping[str, Any]) -> str:
    """Return the event id that the gateway gives to a draft's span."""
    trace_id, span_id = bytes.fromhex(draft["trace_id"]), bytes.fromhex(draft["span_id"])
    return str(span_event_id(trace_id, span_id, draft["event_time"] * _NANOS_PER_US))


def request_of(drafts: Sequence[Mapping[str, Any]]) -> ExportTraceServiceRequest:
    """Return an export request of the spans of some drafts, by their resources."""
    by_resource = defaultdict(list)
    for draft in drafts:
        by_resource[tuple((name, draft.get(field, "")) for field, name in _RESOURCE.items())].append(draft)
    request = ExportTraceServiceRequest()
    for resource, of_resource in by_resource.items():
        holder = request.resource_spans.add()
        holder.resource.attributes.extend(_pairs({name: value for name, value in resource if value}))
        scope = holder.scope_spans.add()
        scope.scope.name = _SCOPE
        scope.spans.extend(map(_span, of_resource))
    return request


def _span(draft: Mapping[str, Any]) -> Span:
    attributes = _renamed(draft, _ENVELOPE)
    for family, names in _FAMILIES.items():
        attributes |= _renamed(draft.get(family) or {}, names)
    call = draft.get("inference") or {}
    if "ttft_us" in call:
        attributes["gen_ai.response.time_to_first_chunk"] = call["ttft_us"] / 1e6
    operation = attributes.setdefault("gen_ai.operation.name", "retrieval")
    start_ns = draft["event_time"] * _NANOS_PER_US
    failed = draft["outcome"] == "FAILURE"
    return Span(
        trace_id=bytes.fromhex(draft["trace_id"]),
        span_id=bytes.fromhex(draft["span_id"]),
        parent_span_id=bytes.fromhex(draft["parent_span_id"]),
        name=f"{operation} {call.get('request_model', '')}".strip(),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + draft.get("duration_us", 0) * _NANOS_PER_US,
        attributes=_pairs(attributes),
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
    )


def _renamed(record: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: record[field] for field, name in names.items() if record.get(field) is not None}


def _pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in attributes.items()]


def _value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(_value, value)))
    return AnyValue(string_value=value)
