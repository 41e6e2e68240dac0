"""Log records as events: evaluations, feature flags, and model calls whose span nobody exports.

A record of `gen_ai.client.inference.operation.details` says what the span of the same call says. It cannot
have that event's id, in which the span's start is, so it would be a second event of one call. Therefore it is
an event only when its span is not exported (not sampled, or no span at all), and rejected with that reason
otherwise. Messages and other records are left out: they are neither accepted nor rejected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from auditstream.gateway.drafts import Draft, Refusal
from auditstream.gateway.otlp.event_ids import record_event_id
from auditstream.gateway.otlp.gathering import Gathered
from auditstream.gateway.otlp.kinds import DETAILS, INFERENCE, Kind, kind_of_span, type_of_event
from auditstream.gateway.otlp.origins import Origin, event_from
from auditstream.gateway.otlp.values import attributes_of, python_value

_NANOS_PER_US = 1_000
_SAMPLED = 0x01
"""Bit of W3C trace flags, which a record carries in the lowest byte of its flags."""

_TOLD_BY_ITS_SPAN = Refusal(
    "not_an_event",
    "event_name",
    f"event_name: {DETAILS} says again what its span says, and the span is the event",
)
_SEVERITIES = ((21, 6), (17, 4), (13, 3), (1, 1))
"""Lowest OpenTelemetry severity number, and the OCSF severity from there on: fatal, high, medium,
informational."""


def logs_to_drafts(request: ExportLogsServiceRequest) -> list[Draft]:
    """Return the events of a request's log records, and the refusals of records that cannot be events.

    A draft's index is that of its record in the request.
    """
    return list(_drafts(request))


def _drafts(request: ExportLogsServiceRequest) -> Iterator[Draft]:
    index = 0
    for resource in request.resource_logs:
        serialised = resource.resource.SerializeToString(deterministic=True)
        for scope in resource.scope_logs:
            origin = Origin.of(resource.resource, scope.scope, scope.schema_url or resource.schema_url)
            for record in scope.log_records:
                yield from _of_record(index, record, origin, serialised)
                index += 1


def _of_record(index: int, record: LogRecord, origin: Origin, resource: bytes) -> Iterator[Draft]:
    attributes = attributes_of(record.attributes)
    name = record.event_name or str(attributes.pop("event.name", ""))
    kind = _kind_of(name, attributes)
    if kind is None or kind.event_type is None:
        return
    refusal = _misfit(record)
    if refusal is None and name == DETAILS and record.span_id and record.flags & _SAMPLED:
        refusal = _TOLD_BY_ITS_SPAN
    if refusal is not None:
        yield Draft(index, None, refusal)
        return
    event = _event_of(record, name, attributes, kind, origin)
    serialised = record.SerializeToString(deterministic=True)
    yield Draft(index, {**event, "event_id": record_event_id(serialised, resource, _time_ns(record))})


def _kind_of(name: str, attributes: dict[str, Any]) -> Kind | None:
    if name == DETAILS:
        kind = kind_of_span(attributes)
        return kind if kind.event_type is not None else Kind(INFERENCE, "chat")
    event_type = type_of_event(name)
    return None if event_type is None else Kind(event_type)


def _misfit(record: LogRecord) -> Refusal | None:
    for name, value, length in (("trace_id", record.trace_id, 16), ("span_id", record.span_id, 8)):
        if value and len(value) != length:
            return Refusal("malformed", name, f"{name}: is not {length} bytes")
    if not record.time_unix_nano and not record.observed_time_unix_nano:
        detail = "time_unix_nano: is not set, nor is observed_time_unix_nano"
        return Refusal("malformed", "time_unix_nano", detail)
    return None


def _time_ns(record: LogRecord) -> int:
    return record.time_unix_nano or record.observed_time_unix_nano


def _event_of(
    record: LogRecord, name: str, attributes: dict[str, Any], kind: Kind, origin: Origin
) -> dict[str, Any]:
    """Return the event of a record, all but its id."""
    assert kind.event_type is not None
    gathered = Gathered(kind.event_type)
    gathered.take(attributes)
    body = python_value(record.body)
    if isinstance(body, dict):  # up to 1.37 of the conventions, an event's fields were in its body
        gathered.take(body)
    event = event_from(
        origin, gathered, operation=kind.operation, name=name, failed="error.type" in attributes
    )
    event["event_time"] = _time_ns(record) // _NANOS_PER_US
    if record.observed_time_unix_nano:
        event["observed_time"] = record.observed_time_unix_nano // _NANOS_PER_US
    event["severity"] = next((ours for from_, ours in _SEVERITIES if record.severity_number >= from_), 0)
    if any(record.trace_id):
        event["trace_id"] = record.trace_id.hex()
    if any(record.span_id):
        event["span_id" if name == DETAILS else "parent_span_id"] = record.span_id.hex()
    return event
