"""Events to measure with: a small one of about 300 bytes, a typical one of about 1.5 kB."""

from __future__ import annotations

import hashlib
import io
import itertools
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Literal

import fastavro
from confluent_kafka import Producer

from schemas.framing import prefix
from schemas.packaged import parsed_schema

Size = Literal["small", "typical"]
SCHEMA_ID = 1

# The id is the datum's first field: one length byte, then 36 characters.
_ID = slice(1, 37)
_TEMPLATES = 500

_SMALL: dict[str, Any] = {
    "event_type": "ai.inference",
    "source": "urn:gateway:eu-1",
    "source_instance": "gw-7f9c",
    "tenant_id": "acme",
    "project_id": "support-bot",
    "credential_id": "key-0042",
    "outcome": "SUCCESS",
    "duration_us": 1_234_567,
}
_INFERENCE: dict[str, Any] = {
    "operation": "chat",
    "provider": "openai",
    "request_model": "gpt-4o",
    "response_model": "gpt-4o-2024-08-06",
    "stream": True,
    "batch": False,
}
_FULL: dict[str, Any] = {
    "team_id": "customer-care",
    "feature_id": "answer-drafts",
    "cost_center": "cc-4711",
    "environment": "production",
    "actor_type": "AGENT",
    "actor_id": "b1946ac92492d2347c6235b4d2611184",
    "actor_roles": ["support", "reader"],
    "session_id": "s-8f14e45fceea167a",
    "agent_id": "agent-triage",
    "agent_name": "Ticket triage",
    "agent_version": "2.3.1",
    "agent_framework": "langgraph",
    "src_ip": "203.0.113.0",
    "user_agent": "auditstream-sdk/0.1 python/3.11 httpx/0.28",
    "content_ref": "s3://acme-content/2026/01/01/0192f0c1-2345-7abc-8def-0123456789ab.json",
    "content_hmac": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "content_bytes": 18_432,
    "data_classes": ["pii", "support"],
    "attributes": {f"gen_ai.custom.attribute.{number}": f"value-{number:032d}" for number in range(10)},
}


def datum(size: Size, number: int, minute: datetime | None = None) -> dict[str, Any]:
    """Return one event's fields.

    Args:
        size: Which event.
        number: Number of the event.
        minute: When it happened; one of sixty minutes, by its number, when None.
    """
    tokens = {"input_tokens": 900 + number % 400, "output_tokens": 100 + number % 90}
    fields = {
        **_SMALL,
        "event_id": str(uuid.UUID(int=number)),
        "event_time": minute or datetime(2026, 1, 1, 12, number % 60, tzinfo=UTC),
        "source_seq": number,
        "trace_id": f"{number * 7919:032x}",
        "span_id": f"{number + 1:016x}",
        "conversation_id": f"c-{number // 6}",
        "inference": _INFERENCE,
        "usage": {**tokens, "source": "PROVIDER"},
    }
    return fields if size == "small" else {**fields, **_FULL}


def encoded(size: Size, number: int, minute: datetime | None = None) -> bytes:
    """Return one event as Avro, without framing; see `datum`."""
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parsed_schema("audit_event"), datum(size, number, minute))
    return stream.getvalue()


def values(size: Size, count: int | None = None) -> Iterator[bytes]:
    """Yield framed events, without end when no count is given: some hundreds that differ, each id once."""
    templates = [_Template.of(encoded(size, number), number) for number in range(_TEMPLATES)]
    for number in itertools.count() if count is None else range(count):
        yield templates[number % _TEMPLATES].filled(number)


def values_until(end: datetime, size: Size, count: int, *, per_minute: int) -> Iterator[bytes]:
    """Yield framed events as `values`, `per_minute` of them in each minute before a point of time."""
    minutes = -(-count // per_minute)
    for passed in range(minutes):
        minute = end - timedelta(minutes=minutes - passed)
        templates = [_Template.of(encoded(size, each, minute), each) for each in range(_TEMPLATES)]
        for number in range(passed * per_minute, min(count, (passed + 1) * per_minute)):
            yield templates[number % _TEMPLATES].filled(number)


class _Template:
    """A framed event without its ids: what is left does compress, ids do not."""

    def __init__(self, start: bytes, middle: bytes, end: bytes) -> None:
        self._parts = (start, middle, end)

    @classmethod
    def of(cls, event: bytes, number: int) -> _Template:
        """Cut event id, trace id and span id out of the event with this number."""
        ids = _trace_and_span(number)
        before, found, after = event.partition(ids)
        assert found, "trace id and span id stand side by side"
        return cls(prefix(SCHEMA_ID) + before[: _ID.start], before[_ID.stop :], after)

    def filled(self, number: int) -> bytes:
        """Return the event with ids of its own."""
        start, middle, end = self._parts
        event_id = str(uuid.UUID(int=(0x0192_0000_0000_7000 << 64) | (1 << 63) | number)).encode()
        digits = hashlib.blake2b(number.to_bytes(8), digest_size=24).hexdigest().encode()
        return b"".join([start, event_id, middle, _side_by_side(digits), end])


def _side_by_side(digits: bytes) -> bytes:
    """Return a trace id and a span id as two optional strings that follow each other in Avro."""
    return b"\x02\x40" + digits[:32] + b"\x02\x20" + digits[32:]


def _trace_and_span(number: int) -> bytes:
    return _side_by_side(f"{number * 7919:032x}{number + 1:016x}".encode())


class Feeder:
    """Writes events round robin over the partitions of a topic."""

    def __init__(self, bootstrap: str, topic: str, events: Iterator[bytes], *, partitions: int) -> None:
        self.written = self.bytes = 0
        self._topic = topic
        self._partitions = partitions
        self._values = events
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "linger.ms": 50,
                "batch.size": 1_000_000,
                # As producers of the product do; every case reads the same batches.
                "compression.type": "zstd",
            }
        )

    def write(self, count: int) -> None:
        """Write so many more."""
        for value in itertools.islice(self._values, count):
            while True:
                try:
                    self._producer.produce(self._topic, value, partition=self.written % self._partitions)
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self.written += 1
            self.bytes += len(value)
            self._producer.poll(0)

    def run(self, wanted: Callable[[], int], over: Event) -> None:
        """Keep `wanted()` events written until it is over."""
        while not over.wait(0.05):
            self.write(max(0, wanted() - self.written))
        self.flush()

    def flush(self) -> None:
        """Wait until the broker has everything."""
        self._producer.flush()
