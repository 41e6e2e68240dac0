"""Usage of made-up tenants as messages of the usage topic, at whatever pace of event time is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

from schemas.codec import encode_prepared
from schemas.packaged import schema_json
from streams.detecting.delta import MINUTE_US, Delta, delta_of

_NOTHING: Mapping[str, Any] = {"string": "", "int": 0, "long": 0, "array": []}


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the usage topic.

    Attributes:
        datum: What it says.
        tenant: Its key; empty in a heartbeat.
    """

    datum: dict[str, Any]
    tenant: str = ""

    def encoded(self, prefix: bytes) -> bytes:
        """Return its value; the prefix names the schema."""
        return prefix + encode_prepared(self.datum, "usage_delta")

    def delta(self, written_us: int) -> Delta:
        """Return what detection reads, had Kafka got it at a moment."""
        return delta_of(self.datum, written_us)


def segment(log: str, minute: int, tenant: str, lines: Sequence[dict[str, Any]], *, part: int = 0) -> Message:
    """Return what a log's segment of one minute adds to a tenant's usage; each minute is a segment."""
    begin_us = minute * MINUTE_US
    times = {
        "watermark": begin_us + 59_000_000,
        "recorded_from": begin_us + 1_000_000,
        "recorded_until": begin_us + 59_000_000,
    }
    return Message(
        _filled(
            schema_json("usage_delta"), log_id=log, segment_id=f"{log}/{minute}", segment_index=minute,
            part=part, tenant_id=tenant, lines=list(lines), **times,
        ),
        tenant,
    )  # fmt: skip


def heartbeat(log: str, minute: int) -> Message:
    """Return a log's heartbeat once the segments before a minute are published."""
    return Message(_filled(schema_json("usage_delta"), log_id=log, segment_index=minute))


def line(minute: int, *, spend_usd: float = 0.0, **fields: Any) -> dict[str, Any]:
    """Return a line of a delta; what is not named is nothing."""
    lines: Any = next(each for each in _fields(schema_json("usage_delta")) if each["name"] == "lines")
    found = _filled(lines["type"]["items"], minute=minute * MINUTE_US, event_type="ai.inference", **fields)
    if spend_usd:
        data = round(spend_usd * 10**12).to_bytes(16, "big", signed=True)
        found["costs"] = [
            {"currency": "USD", **dict.fromkeys(("list", "contracted", "effective", "billed"), data)}
        ]
    return found


def _filled(record: Any, **given: Any) -> dict[str, Any]:
    """Return a datum of a record's schema with what is given, and nothing in every other field."""
    return {each["name"]: given.get(each["name"], _nothing(each)) for each in _fields(record)}


def _fields(record: Any) -> Any:
    return record["fields"]


def _nothing(field: Any) -> Any:
    """Return the field's default, else what is nothing of its type."""
    if "default" in field:
        return copy(field["default"])
    kind = field["type"]
    name = kind["type"] if isinstance(kind, dict) else kind
    return kind["symbols"][0] if name == "enum" else copy(_NOTHING[name])
