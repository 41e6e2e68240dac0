"""Events as messages: keys, headers, framing."""

from __future__ import annotations

import io
import uuid
from typing import Any

import fastavro
import pytest

from auditstream.emit.message import Route, key_of, message_of
from schemas.intake import datum_of
from schemas.packaged import parsed_schema
from tests.support.events import EVENT_ID, event

ROUTE = Route("audit.events.v1", 258, "http://registry/schemas/ids/258")
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"tenant_id": "acme", "conversation_id": "c-1", "trace_id": TRACE}, b"acme|c-1"),
        ({"tenant_id": "acme", "trace_id": TRACE}, f"acme|{TRACE}".encode()),
        ({"tenant_id": "acme", "conversation_id": ""}, f"acme|{EVENT_ID}".encode()),
        ({}, f"|{EVENT_ID}".encode()),
        ({"tenant_id": "ä", "conversation_id": "ö"}, "ä|ö".encode()),
    ],
)
def test_the_key_is_tenant_and_conversation_or_what_there_is_instead(
    fields: dict[str, Any], key: bytes
) -> None:
    assert key_of(event(**fields)) == key


def test_the_value_is_the_schema_id_and_the_datum() -> None:
    message = message_of(datum_of(event(tenant_id="acme"), "audit_event"), ROUTE)

    assert message.value is not None
    assert message.value[:5] == b"\x00\x00\x00\x01\x02"
    read = fastavro.schemaless_reader(io.BytesIO(message.value[5:]), parsed_schema("audit_event"), None)
    assert (read["event_id"], read["tenant_id"]) == (EVENT_ID, "acme")


def test_the_headers_are_those_of_cloudevents_in_binary_mode() -> None:
    message = message_of(event(conversation_id="c-1", tenant_id="acme"), ROUTE)

    assert message.topic == "audit.events.v1"
    assert dict(message.headers) == {
        "content-type": b"application/vnd.apache.avro",
        "ce_specversion": b"1.0",
        "ce_id": str(EVENT_ID).encode(),
        "ce_source": b"svc://checkout",
        "ce_type": b"io.auditstream.ai.inference.v1",
        "ce_time": b"2026-03-01T12:30:15.123456Z",
        "ce_subject": b"c-1",
        "ce_dataschema": b"http://registry/schemas/ids/258",
        "ce_partitionkey": b"acme|c-1",
    }
    assert message.key == b"acme|c-1"


def test_trace_context_is_written_bare_and_mirrored_when_there_is_a_span() -> None:
    traced = dict(message_of(event(trace_id=TRACE, span_id="b7ad6b7169203331"), ROUTE).headers)
    spanless = dict(message_of(event(trace_id=TRACE), ROUTE).headers)

    parent = f"00-{TRACE}-b7ad6b7169203331-01".encode()
    assert (traced["traceparent"], traced["ce_traceparent"]) == (parent, parent)
    assert "traceparent" not in spanless


def test_the_same_event_is_the_same_message() -> None:
    one = event(event_id=uuid.UUID(str(EVENT_ID)))

    assert message_of(one, ROUTE) == message_of(dict(one), ROUTE)
