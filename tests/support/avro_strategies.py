"""Hypothesis strategies for datums, derived from a schema's JSON data, as the codec decodes them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from schemas.columns import COLUMNS, FAMILIES
from schemas.packaged import schema_json
from tests.support.events import full_event

Strategy = st.SearchStrategy[Any]

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SCALARS: dict[str, Strategy] = {
    "string": _TEXT,
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=8),
    "uuid": st.uuids(),
    "timestamp-micros": st.datetimes(
        datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), timezones=st.just(UTC)
    ),
}


def datums(schema: Any) -> Strategy:
    """Return a strategy for full datums of a schema: every field present, families and costs now and then."""
    if isinstance(schema, list):
        return st.none() | datums(schema[1])
    if isinstance(schema, str):
        return _SCALARS[schema]
    match schema.get("logicalType", schema["type"]):
        case "record":
            return st.fixed_dictionaries({field["name"]: datums(field["type"]) for field in schema["fields"]})
        case "array":
            return st.lists(datums(schema["items"]), max_size=2)
        case "map":
            return st.dictionaries(_TEXT, datums(schema["values"]), max_size=2)
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "decimal":
            return _decimals(schema["precision"], schema["scale"])
        case scalar:
            return _SCALARS[scalar]


def events() -> Strategy:
    """Return a strategy for AuditEvents: the full one without some families, and with a few other values.

    It is far quicker than drawing every field, and comes by every field and family all the same.
    """
    return st.builds(_event, st.sets(st.sampled_from(FAMILIES), max_size=len(FAMILIES)), _CHANGES)


def _event(absent: set[str], changes: dict[str, Any]) -> dict[str, Any]:
    event = full_event()
    for column in COLUMNS:
        if column.name in changes:
            holder = event if column.family is None else event[column.family]
            holder[column.path[-1]] = changes[column.name]
    return event | dict.fromkeys(absent)


def _field_type(path: tuple[str, ...]) -> Any:
    fields = {field["name"]: field["type"] for field in schema_json("audit_event")["fields"]}
    if len(path) == 1:
        return fields[path[0]]
    return {field["name"]: field["type"] for field in fields[path[0]][1]["fields"]}[path[1]]


def _decimals(precision: int, scale: int) -> Strategy:
    limit = 10**precision - 1
    return st.integers(-limit, limit).map(lambda unscaled: _scaled(unscaled, scale))


def _scaled(unscaled: int, scale: int) -> Decimal:
    sign, digits, _ = Decimal(unscaled).as_tuple()
    return Decimal((sign, digits, -scale))


_VALUES = {column.name: datums(_field_type(column.path)) for column in COLUMNS}
_CHANGES = st.sets(st.sampled_from(sorted(_VALUES)), max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({name: _VALUES[name] for name in sorted(names)})
)
