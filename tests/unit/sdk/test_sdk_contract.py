"""The SDK's recorders against the event contract: every family, every field, and events that pass intake."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from auditstream_sdk import AuditClient, audit_context
from auditstream_sdk.fields import ENVELOPE_NAMES, FAMILY_NAMES, FILLED_NAMES, REQUIRED_NAMES, ContextFields
from auditstream_sdk.pending import Gap
from auditstream_sdk.recorders import KINDS
from auditstream_sdk.reports import EVENT_TYPE, Reporter
from auditstream_sdk.testing import MemoryRecorder, audit_recorder  # noqa: F401  the fixture
from schemas import contract
from schemas.intake import datum_of
from schemas.packaged import schema_json

EVENT = {field["name"]: field for field in schema_json("audit_event")["fields"]}
TEXT = {"event_id": "0197f3a0-1c2b-7d4e-8f00-123456789abc", "src_country": "DE", "currency": "EUR"}
HEX_ENDINGS = ("_hmac", "_hash")


def family_record(field: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record of a family's field, None for a field of the envelope."""
    kind = field["type"]
    candidate = kind[1] if isinstance(kind, list) else kind.get("items") if isinstance(kind, dict) else None
    return candidate if isinstance(candidate, dict) and candidate.get("type") == "record" else None


FAMILIES = {name: record for name, field in EVENT.items() if (record := family_record(field)) is not None}


def value_of(name: str, kind: Any) -> Any:
    """Return a value for a field, by its type."""
    if isinstance(kind, list):
        return value_of(name, kind[1])
    if isinstance(kind, dict):
        made: dict[str, Callable[[], Any]] = {
            "enum": lambda: kind["symbols"][1],
            "array": lambda: [value_of(name, kind["items"])],
            "map": lambda: {"text": value_of(name, kind["values"])},
            "timestamp-micros": lambda: "2026-03-01T12:30:00Z",
            "decimal": lambda: "1.5",
            "uuid": lambda: TEXT["event_id"],
        }
        return made[kind.get("logicalType", kind["type"])]()
    if kind == "string":
        return _text(name)
    return {"int": 1, "long": 1, "double": 0.5, "boolean": True, "bytes": b"\x01"}[kind]


def _text(name: str) -> str:
    if name in TEXT:
        return TEXT[name]
    if name in {"trace_id", "span_id", "parent_span_id"}:
        return "ab" * (16 if name == "trace_id" else 8)
    return "ab" * 32 if name.endswith(HEX_ENDINGS) else "text"


def full(record: dict[str, Any]) -> dict[str, Any]:
    """Return every field of a record."""
    fields = {field["name"]: value_of(field["name"], field["type"]) for field in record["fields"]}
    return fields | {"http_status": 200} if "http_status" in fields else fields


def checked(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as a datum that keeps the contract."""
    datum = datum_of(event, "audit_event")
    contract.check(datum)
    return datum


def test_every_family_of_the_schema_has_a_recorder():
    by_methods = {"usage", "heartbeat"}  # `call.usage()`, and the client itself

    assert {kind.family for kind in KINDS.values()} | by_methods == FAMILIES.keys()


def test_the_sdks_names_are_those_of_the_schema():
    assert {name: {f["name"] for f in record["fields"]} for name, record in FAMILIES.items()} == FAMILY_NAMES
    assert EVENT.keys() - FAMILIES.keys() == ENVELOPE_NAMES | FILLED_NAMES
    assert set(ContextFields.__annotations__) - {"actor"} < ENVELOPE_NAMES
    assert {
        name: tuple(field["name"] for field in record["fields"] if "default" not in field)
        for name, record in FAMILIES.items()
    } == REQUIRED_NAMES


def test_no_field_of_a_family_is_hidden_by_one_of_the_envelope():
    assert {name: names & ENVELOPE_NAMES for name, names in FAMILY_NAMES.items() if name != "usage"} == {
        name: frozenset() for name in FAMILY_NAMES if name != "usage"
    }


@pytest.mark.parametrize("name", KINDS)
def test_every_recorders_event_passes_intake_and_contract(name, audit_recorder: MemoryRecorder):  # noqa: F811
    kind = KINDS[name]
    with getattr(AuditClient(), name)(**full(FAMILIES[kind.family])) as call:
        call.usage(
            input_tokens=9, cache_read_tokens=5, cache_write_tokens=3, output_tokens=4, reasoning_tokens=2
        )

    (event,) = audit_recorder.events
    datum = checked(event)

    assert datum["event_type"] == kind.event_type
    family = datum[kind.family][0] if kind.family == "costs" else datum[kind.family]
    assert family.keys() == FAMILY_NAMES[kind.family]


@pytest.mark.parametrize("name", KINDS)
def test_the_smallest_event_of_every_recorder_passes(name, audit_recorder: MemoryRecorder):  # noqa: F811
    kind = KINDS[name]
    fields = full(FAMILIES[kind.family])

    getattr(AuditClient(), name)(**{each: fields[each] for each in REQUIRED_NAMES[kind.family]}).record()

    checked(audit_recorder.events[0])


def test_every_field_of_the_envelope_passes(audit_recorder: MemoryRecorder):  # noqa: F811
    record = {"fields": [field for name, field in EVENT.items() if name in ENVELOPE_NAMES]}
    with audit_context(actor="user-1", attributes={"count": 3}):
        AuditClient().tool_call(name="search", **full(record)).record()

    datum = checked(audit_recorder.events[0])

    assert datum.keys() >= ENVELOPE_NAMES
    assert datum["attributes"] == {"count": "3", "text": "text"}


def test_heartbeats_and_reports_of_losses_pass():
    reporter = Reporter(
        "svc://x", "0197f3a0-1c2b-7d4e-8f00-123456789abc", 1_772_000_000_000, 60.0, {"tenant_id": "t"}
    )
    now_ns = 1_772_000_060_000_000_000
    beat = reporter.heartbeat(now_ns, last=7, dropped=1, lag_us=5, number=7)
    loss = reporter.loss(Gap(3, 5, "queue_full", now_ns, "x"), dropped=3, number=5)

    told = [checked(json.loads(record.event)) for record in (beat, loss)]

    assert [each["event_type"] for each in told] == [EVENT_TYPE, EVENT_TYPE]
    assert told[0]["heartbeat"] == {"interval_us": 60_000_000, "last_seq": 7, "dropped": 1, "lag_us": 5}
    assert told[1]["attributes"]["lost.count"] == "3"
