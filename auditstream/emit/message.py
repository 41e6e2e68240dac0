"""An event as the Kafka message that carries it: key, CloudEvents headers, framed value.

Headers follow the CloudEvents 1.0.2 Kafka binding in binary mode, with the partitioning extension, and W3C
trace context bare and mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from auditstream.core.event_types import CLOUD_EVENT_PREFIX
from auditstream.core.ports import Outbound
from schemas.codec import encode_prepared
from schemas.framing import prefix

CONTENT_TYPE = b"application/vnd.apache.avro"
_CONTENT_TYPE = ("content-type", CONTENT_TYPE)
_SPEC_VERSION = ("ce_specversion", b"1.0")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Route:
    """Where messages go, and how their values are framed.

    Attributes:
        topic: Kafka topic.
        schema_id: Registry id of the schema that values are written with.
        schema_uri: URI of that schema, for `ce_dataschema`.
    """

    topic: str
    schema_id: int
    schema_uri: str


def key_of(datum: Mapping[str, Any]) -> bytes:
    """Return the message key: `tenant|conversation`, or its trace, or its own id where it has neither.

    Events of one conversation stay in order on one partition, and the same event is always on the same.
    """
    tenant = datum.get("tenant_id", "")
    group = datum.get("conversation_id") or datum.get("trace_id") or datum["event_id"]
    return f"{tenant}|{group}".encode()


def message_of(datum: Mapping[str, Any], route: Route) -> Outbound:
    """Return the message of an event that `schemas.intake` has converted and the contract has checked."""
    key = key_of(datum)
    value = prefix(route.schema_id) + encode_prepared(datum, "audit_event")
    return Outbound(route.topic, key, value, _headers(datum, route, key))


def _headers(datum: Mapping[str, Any], route: Route, key: bytes) -> tuple[tuple[str, bytes], ...]:
    headers: tuple[tuple[str, bytes], ...] = (
        _CONTENT_TYPE,
        _SPEC_VERSION,
        ("ce_id", str(datum["event_id"]).encode()),
        _source(datum["source"]),
        _type(datum["event_type"]),
        ("ce_time", _encode(datum["event_time"])[1:-1]),  # RFC 3339, in a seventh of isoformat's time
        _schema(route.schema_uri),
    )
    get = datum.get
    conversation = get("conversation_id")
    if conversation:
        headers += (("ce_subject", conversation.encode()),)
    trace, span = get("trace_id"), get("span_id")
    if trace and span:
        parent = f"00-{trace}-{span}-01".encode()
        headers += (("traceparent", parent), ("ce_traceparent", parent))
    return (*headers, ("ce_partitionkey", key))


# Most events are of a few sources and types.
@lru_cache(maxsize=1_024)
def _source(source: str) -> tuple[str, bytes]:
    return "ce_source", source.encode()


@lru_cache(maxsize=1_024)
def _type(event_type: str) -> tuple[str, bytes]:
    return "ce_type", f"{CLOUD_EVENT_PREFIX}{event_type}.v1".encode()


@lru_cache(maxsize=64)
def _schema(uri: str) -> tuple[str, bytes]:
    return "ce_dataschema", uri.encode()
