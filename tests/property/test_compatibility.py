"""The compatibility check gives the verdict of Avro's own implementation."""

from __future__ import annotations

import json
from typing import Any

import avro.compatibility
import avro.schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.compatibility import unreadable
from schemas.packaged import AvroSchema
from tests.support.examples import examples

Strategy = st.SearchStrategy[Any]

_DEFAULTS: dict[str, Any] = {"int": 0, "long": 0, "float": 0.0, "double": 0.0, "string": "", "bytes": ""}
_PRIMITIVES = st.sampled_from(list(_DEFAULTS))
_SETTINGS = settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _types(path: str, depth: int) -> Strategy:
    """Return types for a place; named types are named after it, so that two schemas meet in them."""
    if depth == 0:
        return _PRIMITIVES
    inner = _types(path + "x", depth - 1)
    return st.one_of(
        _PRIMITIVES,
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda values: {"type": "map", "values": values}),
        inner.filter(lambda branch: not isinstance(branch, list)).map(lambda branch: ["null", branch]),
        st.tuples(st.sets(st.sampled_from("ABC"), min_size=1), st.booleans()).map(
            lambda drawn: _enum(path, sorted(drawn[0]), has_default=drawn[1])
        ),
        st.integers(1, 2).map(lambda size: {"type": "fixed", "name": f"F{path}", "size": size}),
        _records(path, depth),
    )


def _enum(path: str, symbols: list[str], *, has_default: bool) -> dict[str, Any]:
    enum = {"type": "enum", "name": f"E{path}", "symbols": symbols}
    return enum | {"default": symbols[0]} if has_default else enum


def _records(path: str, depth: int) -> Strategy:
    fields = [_fields(name, path + name, depth - 1) for name in ("a", "b")]
    chosen = st.sampled_from([(0,), (1,), (0, 1)]).flatmap(
        lambda picks: st.tuples(*(fields[pick] for pick in picks))
    )
    return chosen.map(lambda drawn: {"type": "record", "name": f"R{path}", "fields": list(drawn)})


def _fields(name: str, path: str, depth: int) -> Strategy:
    renamed = st.sampled_from([{"name": name}, {"name": name}, {"name": f"{name}2", "aliases": [name]}])
    return st.tuples(renamed, _types(path, depth), st.booleans()).map(
        lambda drawn: drawn[0] | {"type": drawn[1]} | (_default(drawn[1]) if drawn[2] else {})
    )


def _default(avro_type: Any) -> dict[str, Any]:
    if isinstance(avro_type, list):
        return {"default": None}
    return {"default": _DEFAULTS[avro_type]} if isinstance(avro_type, str) else {}


SCHEMAS = _records("r", 3)


@_SETTINGS
@given(reader=SCHEMAS, writer=SCHEMAS)
def test_the_verdict_is_that_of_the_reference_implementation(reader: AvroSchema, writer: AvroSchema) -> None:
    oracle = avro.compatibility.ReaderWriterCompatibilityChecker().get_compatibility(
        avro.schema.parse(json.dumps(reader)), avro.schema.parse(json.dumps(writer))
    )

    compatible = oracle.compatibility is avro.compatibility.SchemaCompatibilityType.compatible
    assert (unreadable(reader, writer) == []) == compatible
