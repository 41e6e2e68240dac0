"""The typed records are the `.avsc` files in Python: same fields, types, defaults and order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest

from schemas.packaged import schema_json
from schemas.records.detection import Finding, Signal
from schemas.records.event import AuditEvent
from schemas.records.families import Tool
from schemas.records.record import EPOCH, Record, TopicRecord
from schemas.records.usage import UsageDelta
from schemas.records.vocabulary import Outcome, SideEffect
from tests.support.events import event, full_event

TOPIC_RECORDS = [AuditEvent, UsageDelta, Finding, Signal]

_PYTHON = {
    "string": str,
    "int": int,
    "long": int,
    "double": float,
    "boolean": bool,
    "bytes": bytes,
    "uuid": UUID,
    "timestamp-micros": datetime,
    "decimal": Decimal,
}


def _shape(hint: Any) -> Any:
    """Return a type hint as nested data, a record by its name and fields, an enum by its symbols."""
    arguments = get_args(hint)
    if type(None) in arguments:
        return ("optional", _shape(arguments[0]))
    if get_origin(hint) is tuple:
        return ("array", _shape(arguments[0]))
    if get_origin(hint) is Mapping:
        return ("map", _shape(arguments[1]))
    if issubclass(hint, StrEnum):
        return ("enum", hint.__name__, [member.value for member in hint])
    if issubclass(hint, Record):
        return _record_shape(hint)
    return hint


def _record_shape(cls: type[Any]) -> Any:
    hints = get_type_hints(cls)
    fields = [(f.name, _shape(hints[f.name]), _default(f)) for f in dataclasses.fields(cls)]
    return ("record", cls.__name__, fields)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING:
        return "required"
    return {EPOCH: 0, (): []}.get(field.default, field.default)


def _avro_shape(avro_type: Any) -> Any:
    """Return an Avro type in the same form."""
    if isinstance(avro_type, list):
        return ("optional", _avro_shape(avro_type[1]))
    if isinstance(avro_type, str):
        return _PYTHON[avro_type]
    match avro_type.get("logicalType", avro_type["type"]):
        case "array":
            return ("array", _avro_shape(avro_type["items"]))
        case "map":
            return ("map", _avro_shape(avro_type["values"]))
        case "enum":
            return ("enum", avro_type["name"], avro_type["symbols"])
        case "record":
            fields = [
                (f["name"], _avro_shape(f["type"]), f.get("default", "required")) for f in avro_type["fields"]
            ]
            return ("record", avro_type["name"], fields)
        case scalar:
            return _PYTHON[scalar]


@pytest.mark.parametrize("cls", TOPIC_RECORDS)
def test_a_record_has_the_fields_types_defaults_and_order_of_its_schema(cls: type[TopicRecord]) -> None:
    assert _record_shape(cls) == _avro_shape(schema_json(cls.SCHEMA))


def test_a_datum_survives_the_way_through_the_record() -> None:
    datum = full_event()

    again = AuditEvent.from_datum(datum).to_datum()

    assert again == datum
    assert list(again) == [field["name"] for field in schema_json("audit_event")["fields"]]


def test_a_record_is_immutable_and_has_no_room_for_other_attributes() -> None:
    record = AuditEvent.from_datum(event())

    with pytest.raises(dataclasses.FrozenInstanceError):
        record.source = "other"  # type: ignore[misc]
    assert not hasattr(record, "__dict__")


def test_what_a_datum_lacks_takes_its_default() -> None:
    record = AuditEvent.from_datum(event(tool={"name": "search"}))

    assert record.observed_time == EPOCH
    assert record.costs == ()
    assert record.tool == Tool(name="search", side_effect=SideEffect.UNKNOWN)


def test_a_symbol_that_this_version_does_not_know_reads_as_unknown() -> None:
    assert AuditEvent.from_datum(event(outcome="EXPLODED")).outcome is Outcome.UNKNOWN


def test_a_field_that_this_version_does_not_know_is_left_out() -> None:
    record = AuditEvent.from_datum(event(added_in_v9="x", tool={"name": "t", "added": 1}))

    assert record == AuditEvent.from_datum(event(tool={"name": "t"}))


def test_a_required_field_cannot_be_left_out_of_a_record() -> None:
    with pytest.raises(TypeError, match="source"):
        AuditEvent(event_id=UUID(int=1), event_type="ai.inference", event_time=EPOCH)  # type: ignore[call-arg]
