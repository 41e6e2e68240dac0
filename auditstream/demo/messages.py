"""Drafts as Kafka messages: key, framed Avro value, CloudEvents headers."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import fastavro

from auditstream.demo.drafts import Draft
from schemas.framing import Headers, prefix
from schemas.packaged import parsed_schema

EVENT_TYPE_PREFIX = "io.auditstream."
Kind = Literal["event", "duplicate", "dead letter"]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent.

    Attributes:
        key: Tenant and conversation: what one conversation did stays in order.
        value: Framed Avro, or what is planted instead.
        headers: CloudEvents binary mode, and the W3C trace context.
        kind: What it is in the plan of the hour.
    """

    key: bytes
    value: bytes | None
    headers: Headers = field(default=(), repr=False)
    kind: Kind = "event"

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return len(self.key) + len(self.value or b"") + sum(len(name) + len(v) for name, v in self.headers)


class Envelopes:
    """Turns drafts into messages.

    Args:
        schema_id: The registry's id of the event contract.
        registry_url: Base URL of the registry, for `ce_dataschema`.
    """

    def __init__(self, schema_id: int, registry_url: str) -> None:
        self._schema = parsed_schema("audit_event")
        self._prefix = prefix(schema_id)
        self._fixed: Headers = [
            ("content-type", b"application/vnd.apache.avro"),
            ("ce_specversion", b"1.0"),
            ("ce_dataschema", f"{registry_url}/schemas/ids/{schema_id}".encode()),
        ]

    def message(self, draft: Draft) -> Message:
        """Return a draft as a message."""
        stream = io.BytesIO()
        stream.write(self._prefix)
        # Straight to the encoder: the codec's checks of every field would cost as much as the rest together.
        fastavro.schemaless_writer(stream, self._schema, draft)
        scope = draft.get("conversation_id") or draft["trace_id"]
        key = f"{draft.get('tenant_id', '')}|{scope}".encode()
        return Message(key, stream.getvalue(), self._headers(draft, key))

    def _headers(self, draft: Draft, key: bytes) -> Headers:
        trace = f"00-{draft['trace_id']}-{draft['span_id']}-01".encode()
        at = datetime.fromtimestamp(draft["event_time"] / 1e6, UTC)
        return [
            *self._fixed,
            ("ce_id", draft["event_id"].encode()),
            ("ce_source", draft["source"].encode()),
            ("ce_type", f"{EVENT_TYPE_PREFIX}{draft['event_type']}.v1".encode()),
            ("ce_time", at.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()),
            ("ce_partitionkey", key),
            ("traceparent", trace),
            ("ce_traceparent", trace),
        ]
