"""The SDK's messages to Kafka are those that the product itself makes of the same events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import auditstream_sdk
from auditstream.emit.message import Route, message_of
from auditstream_sdk import avro
from auditstream_sdk.encoding import encoded
from auditstream_sdk.kafka import message_of as sdk_message_of
from schemas.intake import datum_of
from schemas.packaged import schema_text
from tests.support.events import event, full_event

ROUTE = Route("audit.direct.acme.v1", 7, "http://registry/schemas/ids/7")


def as_json(given: dict[str, Any]) -> dict[str, Any]:
    """Return an event as it is in the SDK's spool."""
    told: dict[str, Any] = json.loads(encoded(given))
    return told


def test_the_sdks_copy_of_the_schema_is_the_products():
    copy = Path(auditstream_sdk.__file__).with_name("audit_event.avsc").read_text(encoding="utf-8")

    assert copy == schema_text("audit_event") == avro.schema_text()


@pytest.mark.parametrize(
    "given",
    [
        event(),
        full_event(),
        event(tenant_id="acme", trace_id="ab" * 16, span_id="cd" * 8),
        event(tenant_id="acme", conversation_id="c-1"),
    ],
    ids=["smallest", "full", "trace", "conversation"],
)
def test_an_event_becomes_the_same_message(given):
    ours = sdk_message_of(as_json(given), 7, ROUTE.schema_uri)
    theirs = message_of(datum_of(as_json(given), "audit_event"), ROUTE)

    assert (ours.key, ours.value, tuple(ours.headers)) == (theirs.key, theirs.value, theirs.headers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"event_time": "yesterday"}, "event_time: is not of its type"),
        ({"event_time": None}, "event_time: is not of its type"),
        ({"event_id": 7}, "event_id: is not of its type"),
        ({"duration_us": "7"}, "duration_us: got str"),
        ({"duration_us": True}, "duration_us: got bool"),
        ({"duration_us": 1 << 70}, "event: "),
        ({"outcome": "GOOD"}, "outcome: is none of"),
        ({"tool": {}}, r"tool\.name: is required"),
        ({"tool": {"name": "x", "label": "y"}}, r"tool\.label: no such field"),
        ({"costs": [{"meter": "x"}]}, r"costs\[\]\.quantity: is required"),
        ({"sealed": {"prompt": "no base64!"}}, r"sealed\[\]: is not of its type"),
        ({"unknown": 1}, "unknown: no such field"),
    ],
)
def test_what_is_no_event_of_the_schema_is_refused_by_field(changes, message):
    with pytest.raises(avro.MisfitError, match=message):
        sdk_message_of(as_json(event()) | changes, 7, ROUTE.schema_uri)
