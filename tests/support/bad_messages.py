"""Kinds of message that are not events, each with the reason that its dead letter must give."""

from __future__ import annotations

import io
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fastavro

from schemas.framing import header, prefix
from schemas.packaged import schema_json

EVENT_SCHEMA_ID = 1
"""Registry id of the AuditEvent schema in tests without a registry."""

OTHER_SCHEMA_ID = 2
"""Registry id of a schema that is no AuditEvent."""

UNKNOWN_SCHEMA_ID = 99

MAX_EVENT_BYTES = 1024 * 1024 - 1024
"""A little below the topic's max.message.bytes, which counts Kafka's own framing too."""


@dataclass(frozen=True, slots=True)
class BadMessage:
    """One kind.

    Attributes:
        name: What is wrong with it.
        value: The message's value.
        reason: Reason of its dead letter.
        headers: The message's headers.
    """

    name: str
    value: bytes | None
    reason: str
    headers: tuple[tuple[str, bytes], ...] = ()

    def __str__(self) -> str:
        return self.name


def datum(number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a small event as fastavro takes it; ids follow from the number."""
    return {
        "event_id": str(uuid.UUID(int=(0x0192 << 112) | (7 << 76) | (2 << 62) | number)),
        "event_type": "ai.inference",
        "event_time": datetime(2026, 1, 1, tzinfo=UTC),
        "source": "urn:test",
        **fields,
    }


def encoded(fields: dict[str, Any], *, wire_types: dict[str, Any] | None = None) -> bytes:
    """Return an event's bytes without asking the contract.

    Args:
        fields: Field values.
        wire_types: Avro types to write some top-level fields as, in place of their own: an `int` where an
            enum belongs writes the enum's index, whatever it is.
    """
    schema = schema_json("audit_event")
    for field in schema["fields"]:
        if wire_types and field["name"] in wire_types:
            field["type"] = wire_types[field["name"]]
            field.pop("default", None)
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(json.dumps(schema))), fields)
    return stream.getvalue()


def framed(number: int = 0, **fields: Any) -> bytes:
    """Return a good event as a producer would send it."""
    return prefix(EVENT_SCHEMA_ID) + encoded(datum(number, **fields))


def kinds() -> list[BadMessage]:
    """Return every kind."""
    return [*_framing(), *_length(), *_wire(), *_contract()]


def _framing() -> Iterator[BadMessage]:
    body = encoded(datum())
    yield BadMessage("null value", None, "null_value")
    yield BadMessage("empty value", b"", "empty_value")
    yield BadMessage("magic byte alone", b"\x00", "bad_framing")
    yield BadMessage("prefix cut short", b"\x00\x00\x00\x00", "bad_framing")
    yield BadMessage("unknown magic byte", b"\x02" + prefix(EVENT_SCHEMA_ID)[1:] + body, "bad_framing")
    yield BadMessage("JSON text", b'{"event_type": "ai.inference"}', "bad_framing")
    yield BadMessage("unknown schema id", prefix(UNKNOWN_SCHEMA_ID) + body, "unknown_schema")
    yield BadMessage("schema of another record", prefix(OTHER_SCHEMA_ID) + body, "unknown_schema")
    yield BadMessage("header with an unknown GUID", body, "unknown_schema", (header(uuid.UUID(int=7)),))
    yield BadMessage("header of a wrong length", body, "bad_framing", (("__value_schema_id", b"\x01\x02"),))


def _length() -> Iterator[BadMessage]:
    good = framed()
    yield BadMessage("prefix without a datum", prefix(EVENT_SCHEMA_ID), "undecodable")
    yield BadMessage("datum cut in half", good[: len(good) // 2], "undecodable")
    yield BadMessage("last byte missing", good[:-1], "undecodable")
    yield BadMessage("one zero byte too many", good + b"\x00", "undecodable")
    yield BadMessage("eight bytes too many", good + b"12345678", "undecodable")
    yield BadMessage("a second datum appended", good + encoded(datum(1)), "undecodable")
    yield BadMessage("guess of a guard, then a datum", good + b"12345678" + encoded(datum(1)), "undecodable")
    yield BadMessage("random bytes", prefix(EVENT_SCHEMA_ID) + random.Random(5).randbytes(300), "undecodable")
    garbage = random.Random(6).randbytes(MAX_EVENT_BYTES)
    yield BadMessage("the largest value, all garbage", prefix(EVENT_SCHEMA_ID) + garbage, "undecodable")


def _wire() -> Iterator[BadMessage]:
    def written(name: str, wire_type: Any, value: Any) -> bytes:
        fields = datum(**{name: value})
        return prefix(EVENT_SCHEMA_ID) + encoded(fields, wire_types={name: wire_type})

    too_long = {"type": "fixed", "name": "endless", "size": 11}
    yield BadMessage("event id is no UUID", framed(event_id="not-a-uuid"), "undecodable")
    yield BadMessage("event id is empty", framed(event_id=""), "undecodable")
    yield BadMessage("text is not UTF-8", written("event_type", "bytes", b"\xff\xfe"), "undecodable")
    yield BadMessage("enum index past the end", written("actor_type", "int", 99), "undecodable")
    yield BadMessage("enum index below zero", written("actor_type", "int", -1), "undecodable")
    yield BadMessage("union index past the end", written("duration_us", "long", 7), "undecodable")
    yield BadMessage("string of negative length", written("event_type", "long", -5), "undecodable")
    yield BadMessage("string longer than memory", written("event_type", "long", 2**40), "undecodable")
    yield BadMessage("number longer than 64 bits", written("source", too_long, b"\xff" * 11), "undecodable")
    yield BadMessage("array that never ends", written("actor_roles", "long", 2**40), "undecodable")


def _contract() -> Iterator[BadMessage]:
    usage = {"input_tokens": 10, "output_tokens": 1, "source": "PROVIDER"}
    inference = {"operation": "chat", "provider": "openai", "stream": False, "batch": False}
    yield BadMessage("no event type", framed(event_type=""), "contract")
    yield BadMessage("time before computers", framed(event_time=datetime(1600, 1, 1, tzinfo=UTC)), "contract")
    yield BadMessage(
        "tokens below zero", framed(inference=inference, usage={**usage, "input_tokens": -1}), "contract"
    )
    yield BadMessage(
        "more cached than input",
        framed(inference=inference, usage={**usage, "cache_read_tokens": 11}),
        "contract",
    )
    yield BadMessage("trace id of a wrong length", framed(trace_id="abc"), "contract")
    yield BadMessage("severity off the scale", framed(severity=99), "contract")
    yield BadMessage("no source", framed(source=""), "contract")
