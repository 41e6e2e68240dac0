"""AuditEvents in JSON, read in one step where there is nothing to say against them.

msgspec checks types and the contract's clauses about one field while it parses: a tenth of the time of
`strict_json`, `intake` and `contract` after each other. What it does not take here, and what it cannot judge,
they read: they find the same or name the fault.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, Required, TypedDict

import msgspec

from schemas.clauses import CLAUSES, Clause
from schemas.columns import COLUMNS, FAMILIES, Column
from schemas.contract import agrees

_UUID = r"\A(?!00000000-0000-0000-0000-000000000000)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z"
_BITS = {"int": 32, "long": 64}
_PLAIN: dict[str, Any] = {
    "string": str,
    "int": int,
    "long": int,
    "double": float,
    "boolean": bool,
    "uuid": Annotated[str, msgspec.Meta(pattern=_UUID)],
    "timestamp-micros": str,  # `_TIMES` sees to it
}
_TIMES = tuple(
    (clause.columns[0], clause.holds)
    for clause in CLAUSES
    for column in COLUMNS
    if clause.columns == (column.name,) and column.avro_type == "timestamp-micros" and not column.family
)


def datum_in(data: bytes) -> dict[str, Any] | None:
    """Return the datum of an event that keeps the contract; None where `intake` and `contract` must judge.

    Args:
        data: JSON text of one event. What is taken is nested three deep at most.

    Returns:
        The datum as `intake.datum_of` makes it of the same text, the id as its canonical text.
    """
    # A quotation mark could be written so, and the count below be wrong; most texts have no backslash at all.
    if b"\\" in data and b"\\u" in data:
        return None
    try:
        datum: dict[str, Any] = _decoder().decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # msgspec leaves out names that it does not know, and all but the last of those given twice.
    if _encode(datum).count(b'"') != data.count(b'"'):
        return None
    for name, holds in _TIMES:
        if name in datum:
            time = _time(datum[name])
            if time is None or not holds(time):
                return None
            datum[name] = time
    return datum if agrees(datum) else None


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is UTC:
            return time
        return None if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@cache
def _decoder() -> msgspec.json.Decoder[Any]:
    families = {name: record | None for name in FAMILIES if (record := _record(name)) is not None}
    return msgspec.json.Decoder(_record(None, **families))


def _record(family: str | None, **families: Any) -> Any:
    """Return the type of a record, of those fields that can be judged while they are parsed.

    Returns:
        None where one that cannot is required: then the record is not for here.
    """
    fields: dict[str, Any] = families
    for column in COLUMNS:
        if column.family == family:
            kind = _type(column)
            if kind is not None:
                fields[column.path[-1]] = Required[kind] if column.required else kind
            elif column.required:
                return None
    return TypedDict(family or "event", fields, total=False)  # type: ignore[operator]


def _type(column: Column) -> Any:
    """Return what msgspec takes for a column, null included; None where it would take too much."""
    kind = _plain_type(column)
    if column.avro_type in {"uuid", "timestamp-micros"}:
        return kind
    meta = msgspec.Meta()
    for clause in _CLAUSES.get(column.name, ()):
        if clause.meta is None:
            return None
        meta = clause.meta
    if kind is None:
        return None
    kind = Annotated[kind, meta if kind is not int else _bounds(_BITS[column.avro_type], meta)]
    is_optional = column.default is None and not column.required
    return kind | None if is_optional else kind


def _plain_type(column: Column) -> Any:
    match column.avro_type:
        case "enum":
            return Literal[column.symbols]
        case "array" if column.values == "string":
            return list[str]
        case "map" if column.values == "string":
            return dict[str, str]
        case "timestamp-micros" if column.family is not None:
            return None
    return _PLAIN.get(column.avro_type)


def _bounds(bits: int, meta: msgspec.Meta) -> msgspec.Meta:
    """Return bounds that are within a type's own."""
    most = (1 << bits - 1) - 1
    low, high = meta.ge, meta.le
    return msgspec.Meta(ge=-most - 1 if low is None else low, le=most if high is None else min(most, high))


_CLAUSES: dict[str, list[Clause]] = {}
for _clause in CLAUSES:
    if len(_clause.columns) == 1:
        _CLAUSES.setdefault(_clause.columns[0], []).append(_clause)
_encode = msgspec.json.Encoder().encode
