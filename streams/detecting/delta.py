"""Usage deltas as detection reads them: whole numbers only, so that the order of adding does not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import polars as pl

from auditstream.core.errors import DecodeError
from auditstream.core.event_types import CALL_TYPES, DECISION, OPERATIONAL_COST
from auditstream.core.ports import Headers
from schemas.codec import DatumReader
from schemas.framing import SchemaRef, framing_of
from schemas.packaged import AvroSchema, schema_json

MINUTE_US = 60_000_000

MONEY = 10**9
"""Money is counted in whole billionths: a thousandth of what a price is exact to, and 64 bits hold nine
billions of any currency."""

NAMES = {"tenant": pl.String} | dict.fromkeys(
    ("project", "credential", "agent", "model", "tool", "currency"), pl.String
)
COUNTS = (
    "events", "calls", "failures", "blocked", "denied", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "reasoning_tokens", "unpriced", "timed", "duration_sum_us", "paced_us",
    "paced_tokens", "spend", "usage_spend", "decisions", "blocked_decisions",
)  # fmt: skip
SINCE = "since"
"""Broker time of the first record of a row's segment: what decides whether it came in time."""

ROW: dict[str, Any] = {SINCE: pl.Int64, **NAMES, **dict.fromkeys(COUNTS, pl.Int64)}
"""Columns of rows: what detection keeps of a line, its minute aside."""

_MOST = 2**62
_FROM_PICO = 10**12 // MONEY
_SAME = (
    "denied", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "unpriced", "timed", "duration_sum_us", "paced_us", "paced_tokens",
)  # fmt: skip

Row = tuple[Any, ...]

Entity = tuple[str, str, str, str]
"""Tenant, credential, kind and name of something that a credential's events name."""


@dataclass(frozen=True, slots=True)
class Delta:
    """One message of the usage topic; times in microseconds since 1970.

    Attributes:
        log_id: Log that it tells of.
        index: Index of the segment's first leaf; in a heartbeat, the index that comes next.
        part: Which of the segment's messages for the tenant.
        tenant_id: The tenant; empty in a heartbeat.
        watermark_us: Highest event time.
        recorded_from_us: Broker time of the segment's first record.
        recorded_until_us: Broker time up to which the log is recorded.
        written_us: When Kafka got the message.
        is_heartbeat: Whether it is one.
        rows: By minute since 1970, in the columns of `ROW`.
        entities: What credentials' events name, by minute since 1970.
    """

    log_id: str
    index: int
    part: int
    tenant_id: str
    watermark_us: int
    recorded_from_us: int
    recorded_until_us: int
    written_us: int
    is_heartbeat: bool = False
    rows: dict[int, list[Row]] = field(default_factory=dict)
    entities: dict[int, list[Entity]] = field(default_factory=dict)


class DeltaReader:
    """Reads messages of the usage topic; remembers schemas.

    Args:
        schema_of: Gives a registered schema; blocks while the registry is asked.
    """

    def __init__(self, schema_of: Callable[[SchemaRef], AvroSchema]) -> None:
        self._schema_of = schema_of
        self._readers: dict[SchemaRef, DatumReader] = {}
        self._seen_as = cast("AvroSchema", _plain(schema_json("usage_delta")))

    def read(self, value: bytes | None, headers: Headers | None, written_ms: int) -> Delta:
        """Return the delta of a message.

        Raises:
            DecodeError: It is none; says why.
            SchemaError: Its schema is not one that can be read as ours.
            RegistryDownError: The registry does not answer.
        """
        if value is None:
            raise DecodeError("a message without a value is no usage delta", field="")
        framing = framing_of(value, headers)
        reader = self._readers.get(framing.schema)
        if reader is None:
            written = cast("AvroSchema", _plain(self._schema_of(framing.schema)))
            reader = self._readers[framing.schema] = DatumReader(written, self._seen_as)
        return delta_of(reader.read(value[framing.payload_offset :]), written_ms * 1_000)


def delta_of(datum: dict[str, Any], written_us: int) -> Delta:
    """Return the delta that a datum is; its times are whole microseconds, its decimals unscaled bytes."""
    rows: dict[int, list[Row]] = {}
    tenant, since_us = datum["tenant_id"], datum["recorded_from"]
    for line in datum["lines"]:
        rows.setdefault(line["minute"] // MINUTE_US, []).append(_row(since_us, tenant, line))
    entities: dict[int, list[Entity]] = {}
    for each in datum.get("entities", ()):
        if each["credential_id"]:
            entity = tenant, each["credential_id"], each["kind"], each["name"]
            entities.setdefault(each["minute"] // MINUTE_US, []).append(entity)
    return Delta(
        log_id=datum["log_id"],
        index=datum["segment_index"],
        part=datum["part"],
        tenant_id=tenant,
        watermark_us=datum["watermark"],
        recorded_from_us=datum["recorded_from"],
        recorded_until_us=datum["recorded_until"],
        written_us=written_us,
        is_heartbeat=not datum["segment_id"],
        rows=rows,
        entities=entities,
    )


def frame_of(rows: Iterable[Row]) -> pl.DataFrame:
    """Return rows as a frame with the columns of `ROW`."""
    return pl.DataFrame(list(rows), schema=ROW, orient="row")


def _row(since_us: int, tenant: str, line: dict[str, Any]) -> Row:
    costs = line["costs"]
    spend = int.from_bytes(costs[0]["effective"], "big", signed=True) // _FROM_PICO if costs else 0
    spend = max(-_MOST, min(_MOST, spend))
    events, blocked = line["events"], line["blocked"]
    is_decision = line["event_type"] == DECISION
    return (
        since_us,
        tenant,
        line["project_id"],
        line["credential_id"],
        line["agent_id"],
        line["model"],
        line["tool_name"],
        costs[0]["currency"] if costs else "",
        events,
        events if line["event_type"] in CALL_TYPES else 0,
        line["failures"],
        blocked,
        *(line[name] for name in _SAME),
        spend,
        0 if line["event_type"] == OPERATIONAL_COST else spend,  # a bill for hours is no spend of its minute
        events if is_decision else 0,
        blocked if is_decision else 0,
    )


def _plain(avro: Any) -> Any:
    """Return a schema without logical types: a time is its number then, and a decimal its bytes."""
    if isinstance(avro, list):
        return [_plain(each) for each in avro]
    if not isinstance(avro, dict):
        return avro
    left_out = {"logicalType", "precision", "scale"} if "logicalType" in avro else set()
    return {name: _plain(value) for name, value in avro.items() if name not in left_out}
