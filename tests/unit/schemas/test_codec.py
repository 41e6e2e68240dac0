"""The reference codec: round trips, evolution, and refusals that name the field."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from auditstream.core.errors import ContractError, DecodeError, SchemaError
from schemas.codec import DatumReader, decode, encode, encode_datum
from schemas.packaged import AvroSchema, parsed_schema, schema_json
from schemas.records.detection import Finding, Signal
from schemas.records.event import AuditEvent
from schemas.records.record import TopicRecord
from schemas.records.usage import UsageCost, UsageDelta, UsageLine
from schemas.records.vocabulary import FindingStatus, Outcome, SignalKind, SignalState
from tests.support.events import COST_LINE, EVENT_TIME, event, full_event

EVENT = schema_json("audit_event")


def _written(datum: dict[str, Any], schema: AvroSchema) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), datum)
    return stream.getvalue()


def _record(*fields: dict[str, Any]) -> AvroSchema:
    return {"type": "record", "name": "Probe", "fields": list(fields)}


def _field(avro_type: Any, name: str = "f", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": avro_type} | more


MONEY = UsageCost(
    currency="EUR", list=Decimal("1.5"), contracted=Decimal(1), effective=Decimal(1), billed=Decimal(0)
)
RECORDS: list[TopicRecord] = [
    AuditEvent.from_datum(full_event()),
    UsageDelta(
        log_id="audit.events.v1/3/1a2b3c4d",
        segment_id="audit.events.v1/3/1a2b3c4d/0-9",
        segment_index=0,
        tenant_id="acme",
        watermark=EVENT_TIME,
        lines=(
            UsageLine(
                minute=EVENT_TIME,
                event_type="ai.inference",
                outcome=Outcome.SUCCESS,
                events=2,
                costs=(MONEY,),
            ),
        ),
    ),
    Finding(
        finding_id="f1",
        tenant_id="acme",
        rule_id="D1",
        title="Unit cost tripled",
        status=FindingStatus.NEW,
        window_start=EVENT_TIME,
        window_end=EVENT_TIME,
        excess_cost=Decimal("12.5"),
        contributors={"model=gpt-4o": 0.75},
    ),
    Signal(
        scope="tenant=acme",
        tenant_id="acme",
        kind=SignalKind.BUDGET,
        rule_id="b1",
        state=SignalState.FALLBACK,
        effective=EVENT_TIME,
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was(record: TopicRecord) -> None:
    data = encode(record)

    assert type(record).from_datum(decode(data, schema_json(record.SCHEMA))) == record


def test_the_bytes_are_fastavros() -> None:
    assert encode(AuditEvent.from_datum(full_event())) == _written(full_event(), EVENT)
    assert encode_datum(event(), "audit_event") == _written(event(), EVENT)


def test_encoding_names_the_field_that_does_not_fit() -> None:
    with pytest.raises(ContractError, match=r"^http_status: does not fit 32 bits$"):
        encode_datum(event(http_status=2**40), "audit_event")
    record = AuditEvent(event_id="no", event_type="x", event_time=EVENT_TIME, source="s")  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=r"^event_id: is not a UUID$"):
        encode(record)


def test_a_required_field_that_is_none_in_a_record_is_named() -> None:
    record = AuditEvent(event_id=RECORDS[0].event_id, event_type="x", event_time=EVENT_TIME, source=None)  # type: ignore[arg-type, attr-defined]

    with pytest.raises(ContractError, match=r"^source: is required$"):
        encode(record)


def test_a_writer_with_more_fields_is_read_without_them() -> None:
    newer = schema_json("audit_event")
    newer["fields"].insert(3, _field("string", "novelty", default=""))
    newer["fields"][-1]["type"][1]["fields"].append(_field("long", "extra", default=0))
    heartbeat = full_event()["heartbeat"] | {"extra": 9}

    datum = decode(_written(full_event() | {"novelty": "x", "heartbeat": heartbeat}, newer), newer, EVENT)

    assert datum == decode(encode_datum(full_event(), "audit_event"), EVENT)


def test_a_writer_with_fewer_fields_is_read_with_defaults() -> None:
    older = schema_json("audit_event")
    kept = {"event_id", "event_type", "event_time", "source", "discovery"}
    older["fields"] = [f for f in older["fields"] if f["name"] in kept]
    discovery = older["fields"][-1]["type"][1]
    discovery["fields"] = [f for f in discovery["fields"] if f["name"] != "first_seen"]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    datum = decode(_written(event(discovery={"asset_type": "a", "asset_id": "b"}), older), older, EVENT)

    assert datum["observed_time"] == epoch
    assert datum["discovery"]["first_seen"] == epoch
    assert datum["outcome"] == "UNKNOWN"
    assert datum["costs"] == []
    assert datum["inference"] is None


def test_a_symbol_of_a_newer_writer_is_unknown() -> None:
    newer = schema_json("audit_event")
    outcome = next(f for f in newer["fields"] if f["name"] == "outcome")
    outcome["type"]["symbols"].append("DEFERRED")

    datum = decode(_written(event(outcome="DEFERRED"), newer), newer, EVENT)

    assert datum["outcome"] == "UNKNOWN"


def test_a_writer_whose_data_the_reader_cannot_read_is_refused_with_the_place() -> None:
    other = schema_json("audit_event")
    other["fields"] = [f for f in other["fields"] if f["name"] != "source"]

    with pytest.raises(
        SchemaError, match=r"AuditEvent cannot be read as AuditEvent: source: the writer does not"
    ):
        DatumReader(other, EVENT)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "record", "name": "A", "fields": [{"name": "x", "type": "nonsense"}]},
        {"type": "record", "name": "A", "fields": [{"name": "x"}]},
        {"type": "enum", "name": "A"},
        {},
    ],
)
def test_a_writer_schema_that_is_not_avro_is_refused(schema: AvroSchema) -> None:
    with pytest.raises(SchemaError, match="not valid Avro"):
        DatumReader(schema)


def test_a_recursive_writer_schema_is_refused_before_it_meets_data() -> None:
    schema = _record(_field(["null", "Probe"], "next"))

    with pytest.raises(SchemaError, match="refers to itself at Probe"):
        DatumReader(schema)


def test_a_writer_schema_that_multiplies_its_types_is_refused() -> None:
    schema: AvroSchema = {"type": "record", "name": "R0", "fields": [_field("null")]}
    for level in range(1, 40):
        both = [_field(schema, "a"), _field(f"R{level - 1}", "b")]
        schema = {"type": "record", "name": f"R{level}", "fields": both}

    with pytest.raises(SchemaError, match="more than 10000 values"):
        DatumReader(schema)


DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
FIXED = {"type": "fixed", "name": "F", "size": 3}
TIME = {"type": "long", "logicalType": "timestamp-micros"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
UUID = {"type": "string", "logicalType": "uuid"}
LONGEST = b"\xff" * 9 + b"\x01"

MALFORMED: list[tuple[Any, bytes, str]] = [
    ("string", b"\x06ab", "f: announces 3 bytes, 2 are left"),
    ("string", b"\x04\xc3\x28", "f: not UTF-8 at byte 0"),
    ("string", b"\x01", "f: negative length -1"),
    ("string", LONGEST, "f: negative length -9223372036854775808"),
    ("bytes", b"\x7e" * 3, "f: announces 63 bytes, 2 are left"),
    ("string", b"", "f: data ends in the middle of a number"),
    ("long", b"\x80", "f: data ends in the middle of a number"),
    ("long", b"\xff" * 10, "f: number is longer than 64 bits"),
    ("long", b"\xff" * 9 + b"\x02", "f: number is longer than 64 bits"),
    ("int", b"\x80\x80\x80\x80\x10", "f: 2147483648 does not fit 32 bits"),
    ("boolean", b"", "f: data ends before it"),
    ("boolean", b"\x02", "f: boolean byte is 2"),
    ("double", b"\x00" * 7, "f: needs 8 bytes, 7 are left"),
    ("float", b"\x00" * 3, "f: needs 4 bytes, 3 are left"),
    (FIXED, b"ab", "f: needs 3 bytes, 2 are left"),
    (ENUM, b"\x01", "f: no symbol -1, there are 2"),
    (ENUM, b"\x04", "f: no symbol 2, there are 2"),
    (["null", "string"], b"\x01\x02a", "f: no branch -1, there are 2"),
    (["null", "string"], b"\x06", "f: no branch 3, there are 2"),
    (UUID, b"\x06abc", "f: not a UUID"),
    (UUID, b"\x02\xff", "f: not UTF-8 at byte 0"),
    (TIME, b"\xfe" + b"\xff" * 8 + b"\x01", "f: time 9223372036854775807 is outside the years 1 to 9999"),
    (MILLIS, b"\x80\x80\x80\x80\x80\x80\x80\x08", "f: time 2251799813685248 is outside"),
    (DECIMAL, b"\x04\x27\x10", "f: more than 4 digits"),
    (DECIMAL, b"\x28" + b"\x7f" * 20, "f: more than 4 digits"),
    ({"type": "array", "items": "string"}, b"\x04\x02a\x06b\x00", "f[1]: announces 3 bytes, 2 are left"),
    ({"type": "array", "items": "null"}, b"\x80\x80\x80\x80\x04\x00", "f[0]: an item without bytes"),
    ({"type": "map", "values": "int"}, b"\x02\x02\xff\x02\x00", "f[0]: not UTF-8 at byte 0"),
    ({"type": "array", "items": ENUM}, b"\x03\x04\x00\x04\x00", "f[1]: no symbol 2, there are 2"),
    (_record(_field(ENUM, "inner")) | {"name": "Inner"}, b"\x04", "f.inner: no symbol 2, there are 2"),
    ("int", b"\x02\x00\x00", "datum: 2 bytes left over after it"),
    ("null", b"\x00", "datum: 1 bytes left over after it"),
]


@pytest.mark.parametrize(("avro_type", "data", "message"), MALFORMED)
def test_malformed_bytes_are_refused_with_field_and_reason(avro_type: Any, data: bytes, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(data, _record(_field(avro_type)))

    assert caught.value.message.startswith(message)
    assert caught.value.context["field"] == message.split(":")[0].replace("datum", "")


@pytest.mark.parametrize(
    ("avro_type", "data", "value"),
    [
        ({"type": "array", "items": "string"}, b"\x03\x08\x02a\x02b\x02\x02c\x00", ["a", "b", "c"]),
        ({"type": "map", "values": "int"}, b"\x02\x02a\x02\x00", {"a": 1}),
        ("long", b"\xfe" + b"\xff" * 8 + b"\x01", 2**63 - 1),
        ("long", LONGEST, -(2**63)),
        ("int", b"\xff\xff\xff\xff\x0f", -(2**31)),
        (DECIMAL, b"\x04\x27\x0f", Decimal("99.99")),
        (DECIMAL, b"\x00", Decimal("0.00")),
        ({"type": "string", "logicalType": "no-such"}, b"\x02a", "a"),
        (FIXED, b"abc", b"abc"),
        ("float", b"\x00\x00\x80\x3f", 1.0),
    ],
)
def test_unusual_but_valid_bytes_are_read(avro_type: Any, data: bytes, value: object) -> None:
    assert decode(data, _record(_field(avro_type))) == {"f": value}


def _long(value: int) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, "long", value)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("avro_type", "first", "last"),
    [
        (TIME, -62_135_596_800_000_000, 253_402_300_799_999_999),
        (MILLIS, -62_135_596_800_000, 253_402_300_799_999),
    ],
    ids=["micros", "millis"],
)
def test_times_of_the_years_1_to_9999_are_read_and_no_others(avro_type: Any, first: int, last: int) -> None:
    schema = _record(_field(avro_type))

    assert decode(_long(first), schema) == {"f": datetime(1, 1, 1, tzinfo=UTC)}
    assert decode(_long(last), schema)["f"].year == 9999
    for outside in (first - 1, last + 1):
        with pytest.raises(DecodeError, match=f"time {outside} is outside"):
            decode(_long(outside), schema)


def test_named_types_are_checked_wherever_they_are_used_again() -> None:
    schema = _record(_field(ENUM, "a"), _field("E", "b"), _field({"type": "array", "items": "E"}, "c"))

    assert decode(b"\x00\x02\x02\x02\x00", schema) == {"a": "A", "b": "B", "c": ["B"]}
    with pytest.raises(DecodeError, match=r"^c\[0\]: no symbol 7"):
        decode(b"\x00\x02\x02\x0e\x00", schema)


def test_a_failure_of_the_library_is_a_decode_error() -> None:
    class Broken:
        def __call__(self, data: bytes) -> None:
            return None

    reader = DatumReader(_record(_field(UUID)))
    reader._check = Broken()  # type: ignore[assignment]

    with pytest.raises(DecodeError, match="datum: ValueError"):
        reader.read(b"\x06abc")


def test_many_schemas_do_not_pile_up() -> None:
    for number in range(300):
        assert decode(b"\x02", _record(_field("int", f"f{number}"))) == {f"f{number}": 1}


def test_a_truncated_event_never_decodes() -> None:
    data = encode_datum(event(costs=[COST_LINE]), "audit_event")

    for length in range(len(data)):
        with pytest.raises(DecodeError):
            decode(data[:length], EVENT)
    assert parsed_schema("audit_event")
