"""AuditEvents in JSON, read in one step where there is nothing to say against them.

msgspec checks types and most of the contract's clauses about one field while it parses: a tenth of the time
of `strict_json`, `intake` and `contract` after each other. What it does not take here, and what it cannot
judge, they read: they find the same or name the fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, Required, TypedDict

import msgspec
import numpy as np

from schemas.clauses import CLAUSES, Clause
from schemas.columns import COLUMNS, FAMILIES, Column
from schemas.contract import agree

_UUID = r"\A(?!00000000-0000-0000-0000-000000000000)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z"
_QUOTE, _OPENING, _CLOSING = b'"{}'
_BITS = {"int": 32, "long": 64}
_PLAIN: dict[str, Any] = {
    "string": str,
    "int": int,
    "long": int,
    "double": float,
    "boolean": bool,
    "uuid": str,  # likewise `_PATTERNS`
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
    if not _counts_quotes(data):
        return None
    try:
        datum: dict[str, Any] = _decoder().decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # msgspec leaves out names that it does not know, and all but the last of those given twice.
    if _encode(datum).count(b'"') != data.count(b'"'):
        return None
    return datum if _keeps(datum) else None


def datums_in(lines: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """Return of each line what `datum_in` returns of it; None where that would be None for some line.

    Half of its time: msgspec reads, and writes, all of them at once.

    Args:
        lines: JSON texts, without a line's end in them.
    """
    # What begins with a brace after one that ends the line before is not inside of a value: no value is on
    # two lines, and with as many values as lines there is one on each.
    if not all(lines) or [line for line in lines if line[0] != _OPENING or line[-1] != _CLOSING]:
        return None
    data = b"\n".join(lines)
    if not _counts_quotes(data):
        return None
    try:
        datums: list[dict[str, Any]] = _decoder().decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # No datum has more of them than its line, so that equal sums are sums of equals.
    if len(datums) != len(lines) or _quotes(_encode(datums)) != _quotes(data):
        return None
    return datums if _keep(datums) else None


def _quotes(data: bytes) -> int:
    """Return what `data.count` would, of long data in a quarter of its time."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == _QUOTE))


def _counts_quotes(data: bytes) -> bool:
    """Return whether counts of quotation marks tell whether something was left out: none is an escape."""
    return not (b"\\" in data and b"\\u0022" in data)  # most texts have no backslash at all


def _keeps(datum: dict[str, Any]) -> bool:
    """Return whether an event of the right types keeps the contract, and give it its times."""
    for name, matches in _PATTERNS:
        if name in datum:
            text = datum[name]
            if text is not None and not matches(text):
                return False
    for name, holds in _TIMES:
        if name in datum and not _give_time(datum, name, holds):
            return False
    return agree((datum,), datum.keys())


def _keep(datums: Sequence[dict[str, Any]]) -> bool:
    """Return whether `_keeps` would be true of each of the events, and give them their times."""
    names: set[str] = set().union(*datums)
    for name, matches in _PATTERNS:
        # Events that come together are of few types and of one tenant.
        if name in names and not all(
            matches(text) for text in {datum.get(name) for datum in datums} if text is not None
        ):
            return False
    for name, holds in _TIMES:
        if name in names and not all(_give_time(datum, name, holds) for datum in datums if name in datum):
            return False
    return agree(datums, names)


def _give_time(datum: dict[str, Any], name: str, holds: Callable[..., bool]) -> bool:
    time = _time(datum[name])
    if time is None or not holds(time):
        return False
    datum[name] = time
    return True


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
    if _pattern(column) is not None:  # `_PATTERNS` see to it
        return kind if column.required or column.default is not None else kind | None
    meta = msgspec.Meta()
    for clause in _CLAUSES.get(column.name, ()):
        if clause.meta is None:
            return None
        meta = _joined(meta, clause.meta)
    if kind is None:
        return None
    kind = Annotated[kind, meta if kind is not int else _bounds(_BITS[column.avro_type], meta)]
    is_optional = column.default is None and not column.required
    return kind | None if is_optional else kind


def _joined(one: msgspec.Meta, other: msgspec.Meta) -> msgspec.Meta:
    """Return what both demand; they never demand the same in two ways."""
    demands = ("ge", "le", "pattern", "min_length")
    return msgspec.Meta(
        **{
            name: value
            for meta in (one, other)
            for name in demands
            if (value := getattr(meta, name)) is not None
        }
    )


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


def _pattern(column: Column) -> str | None:
    """Return the regular expression of an envelope's text that has one.

    msgspec would call it for each text, in a third of the whole time of an event.
    """
    if column.family is not None:
        return None
    if column.avro_type == "uuid":
        return _UUID
    metas = [clause.meta for clause in _CLAUSES.get(column.name, ())]
    return metas[0].pattern if len(metas) == 1 and metas[0] is not None else None


_CLAUSES: dict[str, list[Clause]] = {}
for _clause in CLAUSES:
    if len(_clause.columns) == 1:
        _CLAUSES.setdefault(_clause.columns[0], []).append(_clause)
_encode = msgspec.json.Encoder().encode
_PATTERNS = tuple(
    (column.name, re.compile(pattern).match)
    for column in COLUMNS
    if (pattern := _pattern(column)) is not None
)
