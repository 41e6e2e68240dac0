"""Incompatibilities are found where they are, with the reason, in both directions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from auditstream.core.errors import SchemaError
from schemas.compatibility import Incompatibility, Level, incompatibilities, unreadable
from schemas.packaged import AvroSchema, schema_json


def _record(*fields: dict[str, Any], **more: Any) -> AvroSchema:
    return {"type": "record", "name": "R", "namespace": "n", "fields": list(fields)} | more


def _field(avro_type: Any, name: str = "f", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": avro_type} | more


def _enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols)} | more


def _decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def _inner(*fields: dict[str, Any], name: str = "Inner") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        ("long", "int"),
        ("float", "int"),
        ("double", "int"),
        ("double", "long"),
        ("float", "long"),
        ("double", "float"),
        ("bytes", "string"),
        ("string", "bytes"),
        (["null", "string"], "string"),
        (["null", "long"], ["null", "int"]),
        ("string", ["string"]),
        (_enum("A", "B"), _enum("A")),
        (_enum("A", default="A"), _enum("A", "B")),
        (_enum("A") | {"name": "New", "aliases": ["E"]}, _enum("A")),
        (_inner(_field("int", "new", aliases=["old"])), _inner(_field("int", "old"))),
        (_inner(_field("int", "added", default=0)), _inner()),
        (_inner(), _inner(_field("int", "dropped"))),
        (_inner(_field(["null", "Inner"], "next")), _inner(_field(["null", "Inner"], "next"))),
        (_decimal(9, 2), _decimal(9, 2)),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}),
    ],
)
def test_what_the_specification_lets_a_reader_read(reader: Any, writer: Any) -> None:
    assert unreadable(_record(_field(reader)), _record(_field(writer))) == []


@pytest.mark.parametrize(
    ("reader", "writer", "finding"),
    [
        ("int", "long", "f: long cannot be read as int"),
        ("string", "int", "f: int cannot be read as string"),
        ("string", ["null", "string"], "f: null cannot be read as string"),
        (["null", "int"], "string", "f: string is none of the reader's [null, int]"),
        (["null", "int"], ["null", "long"], "f: long is none of the reader's [null, int]"),
        (_enum("A"), _enum("A", "B", "C"), "f: reader lacks B, C and has no default symbol"),
        (_enum("A") | {"name": "Other"}, _enum("A"), "f: named n.E, reader has n.Other"),
        (
            _inner(_field("int", "x")),
            _inner(),
            "f.x: the writer does not have it and the reader has no default",
        ),
        (_inner(_field("int", "x")), _inner(_field("long", "x")), "f.x: long cannot be read as int"),
        (
            ["null", _inner(_field("int", "x"))],
            ["null", _inner(_field("string", "x"))],
            "f.x: string cannot be read as int",
        ),
        (
            {"type": "array", "items": _inner(_field("int", "x"))},
            {"type": "array", "items": _inner(_field("string", "x"))},
            "f[].x: string cannot be read as int",
        ),
        (
            {"type": "map", "values": "int"},
            {"type": "map", "values": "string"},
            "f{}: string cannot be read as int",
        ),
        (
            {"type": "map", "values": "int"},
            {"type": "array", "items": "int"},
            "f: array cannot be read as map",
        ),
        (_decimal(9, 2), _decimal(9, 3), "f: logical type decimal(9, 3), reader has decimal(9, 2)"),
        (_decimal(9, 2), "bytes", "f: logical type none, reader has decimal(9, 2)"),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            {"type": "long", "logicalType": "timestamp-millis"},
            "f: logical type timestamp-millis, reader has timestamp-micros",
        ),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            "int",
            "f: logical type none, reader has timestamp-micros",
        ),
        (
            {"type": "fixed", "name": "F", "size": 4},
            {"type": "fixed", "name": "F", "size": 8},
            "f: fixed of 8 bytes, reader has 4",
        ),
    ],
)
def test_what_a_reader_cannot_read_is_found_in_its_place(reader: Any, writer: Any, finding: str) -> None:
    assert [str(i) for i in unreadable(_record(_field(reader)), _record(_field(writer)))] == [finding]


def test_every_incompatibility_is_listed() -> None:
    reader = _record(_field("int", "a"), _field("string", "b"), _field("long", "c"))
    writer = _record(_field("string", "a"), _field("int", "c"))

    assert [i.path for i in unreadable(reader, writer)] == ["a", "b"]


def test_another_record_is_named() -> None:
    assert [str(i) for i in unreadable(_record(name="A"), _record(name="B"))] == [
        "(record): named n.B, reader has n.A"
    ]


OLD = _record(_field("int", "a"))
DROPS_A = _record()
ADDS_B = _record(_field("int", "a"), _field("string", "b"))
ADDS_B_WITH_DEFAULT = _record(_field("int", "a"), _field("string", "b", default=""))


@pytest.mark.parametrize(
    ("new", "level", "found"),
    [
        (ADDS_B, "BACKWARD", [("b", "backward")]),
        (ADDS_B, "FORWARD", []),
        (ADDS_B, "FULL", [("b", "backward")]),
        (ADDS_B, "NONE", []),
        (DROPS_A, "BACKWARD", []),
        (DROPS_A, "FORWARD", [("a", "forward")]),
        (DROPS_A, "FULL", [("a", "forward")]),
        (ADDS_B_WITH_DEFAULT, "FULL_TRANSITIVE", []),
    ],
)
def test_a_level_says_who_must_read_whom(new: AvroSchema, level: Level, found: list[tuple[str, str]]) -> None:
    assert [(i.path, i.direction) for i in incompatibilities(new, [OLD], level)] == found


@pytest.mark.parametrize(("level", "versions"), [("BACKWARD", []), ("BACKWARD_TRANSITIVE", [1])])
def test_only_a_transitive_level_looks_past_the_latest(level: Level, versions: list[int]) -> None:
    history = [DROPS_A, OLD]

    assert [i.version for i in incompatibilities(OLD, history, level)] == versions


@pytest.mark.parametrize("level", ["FULL_TRANSITIVE", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE"])
def test_a_first_schema_and_an_unchanged_one_are_always_compatible(level: Level) -> None:
    schema = schema_json("audit_event")

    assert incompatibilities(schema, [], level) == []
    assert incompatibilities(schema, [copy.deepcopy(schema)], level) == []


def test_an_audit_event_may_gain_a_field_and_a_symbol_and_nothing_else() -> None:
    released = schema_json("audit_event")
    grown = schema_json("audit_event")
    outcome = next(f for f in grown["fields"] if f["name"] == "outcome")
    outcome["type"]["symbols"].append("DEFERRED")
    grown["fields"].append(_field(["null", "string"], "novelty", default=None))
    retyped = schema_json("audit_event")
    severity = next(f for f in retyped["fields"] if f["name"] == "severity")
    severity["type"] = "long"
    required = schema_json("audit_event")
    required["fields"].append(_field("string", "novelty"))

    assert incompatibilities(grown, [released]) == []
    assert incompatibilities(retyped, [released]) == [
        Incompatibility("severity", "long cannot be read as int", "forward", 1)
    ]
    assert [i.path for i in incompatibilities(required, [released])] == ["novelty"]


def test_a_schema_that_is_not_avro_is_refused() -> None:
    with pytest.raises(SchemaError, match="not valid Avro"):
        unreadable(_record(_field("nonsense")), _record())
