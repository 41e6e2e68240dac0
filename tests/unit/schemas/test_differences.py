"""What differs between two schemas."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.differences import Difference, differences
from schemas.packaged import schema_json

COLOUR = {"type": "enum", "name": "Colour", "symbols": ["RED", "GREEN"], "default": "RED"}
INNER = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "int"}]}


def record(*fields: tuple[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": n, "type": t} | more for n, t in fields]}


def test_a_schema_does_not_differ_from_itself() -> None:
    assert differences(schema_json("audit_event"), schema_json("audit_event")) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (record(("a", "int")), record(("a", "long")), [("changed", "a", "type", "int", "long")]),
        (
            record(("a", "int")),
            record(("a", "int"), ("b", INNER)),
            [("added", "b", "field", "", "record Inner")],
        ),
        (record(("a", "int"), ("b", "int")), record(("a", "int")), [("removed", "b", "field", "int", "")]),
        (
            record(("a", COLOUR)),
            record(("a", COLOUR | {"symbols": ["RED", "BLUE"]})),
            [("changed", "a", "symbols", '["RED", "GREEN"]', '["RED", "BLUE"]')],
        ),
        (
            record(("a", ["null", INNER])),
            record(("a", ["null", INNER | {"fields": [{"name": "x", "type": "string"}]}])),
            [("changed", "a.x", "type", "int", "string")],
        ),
        (
            record(("a", {"type": "array", "items": "int"})),
            record(("a", {"type": "array", "items": "long"})),
            [("changed", "a[]", "type", "int", "long")],
        ),
        (
            record(("a", {"type": "map", "values": "int"})),
            record(("a", {"type": "map", "values": "long"})),
            [("changed", "a{}", "type", "int", "long")],
        ),
        (
            record(("a", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 12})),
            record(("a", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 18})),
            [("changed", "a", "scale", "12", "18")],
        ),
        (record(("a", "int")), record(("a", "int"), default=1), [("added", "a", "default", "", "1")]),
        (
            record(("a", "int"), doc="x"),
            record(("a", "int"), doc="y"),
            [("changed", "a", "doc", '"x"', '"y"')],
        ),
    ],
)
def test_a_difference_is_named_once_at_its_path(
    old: dict[str, Any], new: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    assert differences(old, new) == [Difference(*each) for each in expected]


def test_a_recursive_type_is_followed_once() -> None:
    node = record(("next", ["null", "R"]), ("a", "int"))
    other = record(("next", ["null", "R"]), ("a", "long"))

    assert differences(node, other) == [Difference("changed", "a", "type", "int", "long")]
