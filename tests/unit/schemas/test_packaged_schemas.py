"""The shipped `.avsc` files keep the rules of the contract."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, get_args

import avro.schema
import pytest

from schemas.packaged import SchemaName, canonical_form, fingerprint, parsed_schema, schema_json, schema_text

NAMES = get_args(SchemaName)


def _types(avro_type: Any) -> Iterator[dict[str, Any]]:
    """Yield every type that is written as an object, from the outside in."""
    if isinstance(avro_type, list):
        for branch in avro_type:
            yield from _types(branch)
    elif isinstance(avro_type, dict):
        yield avro_type
        for field in avro_type.get("fields", []):
            yield from _types(field["type"])
        for inner in ("items", "values"):
            yield from _types(avro_type.get(inner))


def _records(name: SchemaName) -> Iterator[dict[str, Any]]:
    return (found for found in _types(schema_json(name)) if found["type"] == "record")


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_implementation_takes_every_schema(name: SchemaName) -> None:
    parsed = avro.schema.parse(schema_text(name))

    assert parsed.fullname == f"audit.v1.{parsed.name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_record_field_and_enum_says_what_it_means(name: SchemaName) -> None:
    silent = [
        found.get("name")
        for record in _records(name)
        for found in (record, *record["fields"], *(t for t in _types(record) if t["type"] == "enum"))
        if not found.get("doc", "").endswith(".")
    ]

    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_every_enum_falls_back_to_unknown(name: SchemaName) -> None:
    enums = [found for found in _types(schema_json(name)) if found["type"] == "enum"]

    assert {(enum["symbols"][0], enum["default"]) for enum in enums} <= {("UNKNOWN", "UNKNOWN")}


@pytest.mark.parametrize("name", NAMES)
def test_every_optional_field_defaults_to_null(name: SchemaName) -> None:
    fields = [field for record in _records(name) for field in record["fields"]]
    unions = [field for field in fields if isinstance(field["type"], list)]

    assert all(field["type"][0] == "null" and field["default"] is None for field in unions)


def test_a_minimal_producer_gives_four_fields() -> None:
    fields = schema_json("audit_event")["fields"]

    required = [field["name"] for field in fields if "default" not in field]

    assert required == ["event_id", "event_type", "event_time", "source"]


def test_money_has_twelve_places_unit_prices_eighteen_and_quantities_nine() -> None:
    decimals = {
        (record["name"], field["name"]): next(_types(field["type"]))
        for name in NAMES
        for record in _records(name)
        for field in record["fields"]
        if '"decimal"' in json.dumps(field["type"]) and '"record"' not in json.dumps(field["type"])
    }

    scales = {key: (found["precision"], found["scale"]) for key, found in decimals.items()}

    assert scales.pop(("Cost", "quantity")) == (38, 9)
    assert scales.pop(("Cost", "list_unit_price")) == (38, 18)
    assert set(scales.values()) == {(38, 12)}


def test_the_fingerprint_is_the_hash_of_the_canonical_form() -> None:
    form = canonical_form("signal")

    assert form.startswith('{"name":"audit.v1.Signal","type":"record","fields":[{"name":"scope",')
    assert "doc" not in form
    assert fingerprint("signal") == hashlib.sha256(form.encode()).hexdigest()


def test_a_caller_may_change_its_copy_of_a_schema() -> None:
    schema_json("signal")["fields"].clear()

    assert schema_json("signal")["fields"]
    assert parsed_schema("signal") is parsed_schema("signal")
