"""Builders of OTLP requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from auditstream.gateway.otlp.spans import spans_to_drafts

TRACE_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c")
SPAN_ID = bytes.fromhex("eee19b7ec3c1b174")
START_NS = 1_772_368_215_123_456_789
"""2026-03-01 12:30:15.123456789 UTC."""


def any_value(value: Any) -> AnyValue:
    """Return a Python value as OTLP carries it."""
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    return AnyValue()


def pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """Return attributes as OTLP carries them."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def span(attributes: Mapping[str, Any], **changes: Any) -> Span:
    """Return a span of one second."""
    fields: dict[str, Any] = {
        "trace_id": TRACE_ID,
        "span_id": SPAN_ID,
        "name": "chat gpt-4o",
        "start_time_unix_nano": START_NS,
        "end_time_unix_nano": START_NS + 1_000_000_000,
    }
    return Span(attributes=pairs(attributes), **{**fields, **changes})


def inner(name: str, attributes: Mapping[str, Any] | None = None, *, after_ns: int = 0) -> Span.Event:
    """Return an event inside a span."""
    return Span.Event(name=name, time_unix_nano=START_NS + after_ns, attributes=pairs(attributes or {}))


def traces(
    *spans: Span, resource: Mapping[str, Any] | None = None, schema_url: str = ""
) -> ExportTraceServiceRequest:
    """Return a request of spans of one scope."""
    request = ExportTraceServiceRequest()
    holder = request.resource_spans.add()
    holder.resource.attributes.extend(pairs({"service.name": "checkout"} if resource is None else resource))
    scope = holder.scope_spans.add(schema_url=schema_url)
    scope.scope.name = "tests"
    scope.spans.extend(spans)
    return request


def logs(*records: LogRecord) -> ExportLogsServiceRequest:
    """Return a request of log records of one scope."""
    request = ExportLogsServiceRequest()
    holder = request.resource_logs.add()
    holder.resource.attributes.extend(pairs({"service.name": "checkout"}))
    holder.scope_logs.add().log_records.extend(records)
    return request


def record(name: str, attributes: Mapping[str, Any], **changes: Any) -> LogRecord:
    """Return a log record."""
    fields: dict[str, Any] = {"event_name": name, "time_unix_nano": START_NS}
    return LogRecord(attributes=pairs(attributes), **{**fields, **changes})


def event_of(attributes: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the event of a span with these attributes."""
    (draft,) = spans_to_drafts(traces(span(attributes, **changes)))
    assert draft.event is not None, draft.refusal
    return dict(draft.event)
