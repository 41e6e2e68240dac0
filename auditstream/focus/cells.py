"""Values of a FOCUS file's cells, as text in a CSV or as Arrow's values in Parquet.

Formats: FOCUS 1.2, "Attributes": date/time format (ISO 8601, UTC), numeric format, null handling, key-value
format. What published files do beside it is taken, too: the word NULL, times without a zone (they are UTC).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_NULLS = ("", "NULL", "null")
# Far beyond any charge, and below what makes the sum of two numbers take gigabytes.
_LARGEST_EXPONENT = 30


class CellError(Exception):
    """A cell is not what its column holds; becomes a `BadRow` at the border of the room."""


def text(value: object) -> str:
    """Return a text, '' for null."""
    match value:
        case None:
            return ""
        case str():
            return "" if value in _NULLS else value
        case datetime() | date():
            return value.isoformat()
        case bool():
            return "true" if value else "false"
        case dict() | list():
            return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)
        case bytes():
            raise CellError("is bytes, not text")
        case _:
            return str(value)


def number(value: object) -> Decimal | None:
    """Return a number as it is written, None for null; a binary float as the shortest text that means it.

    Raises:
        CellError: It is none.
    """
    written = text(value).strip()
    if not written:
        return None
    try:
        found = Decimal(written)
    except InvalidOperation:
        raise CellError(f"{written!r:.40} is not a number") from None
    if not found.is_finite():
        raise CellError(f"{written!r:.40} is not a number")
    exponent = found.as_tuple().exponent
    if found and (found.adjusted() > _LARGEST_EXPONENT or int(exponent) < -2 * _LARGEST_EXPONENT):
        raise CellError(f"{written!r:.40} is out of range")
    return found


def moment(value: object) -> datetime | None:
    """Return a time in UTC, None for null; one without a zone is UTC.

    Raises:
        CellError: It is none.
    """
    if isinstance(value, datetime):
        found = value
    else:
        written = text(value).strip()
        if not written:
            return None
        try:
            found = datetime.fromisoformat(written)
        except ValueError:
            raise CellError(f"{written!r:.40} is not a time") from None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        raise CellError("is not of a year from 1 to 9999") from None


def tags(value: object) -> Mapping[str, str]:
    """Return the pairs of a key-value cell, as text by name.

    Args:
        value: A JSON object, or Arrow's map.

    Raises:
        CellError: It is no object; a value in it is an object or a list.
    """
    pairs: Any = value
    if value is None or value in _NULLS:
        return {}
    if isinstance(value, str):
        try:
            pairs = json.loads(value)
        except ValueError:
            raise CellError("is not JSON") from None
    elif isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):  # Arrow's map
        pairs = dict(value)
    if not isinstance(pairs, dict):
        raise CellError("is not a JSON object")
    for name, inner in pairs.items():
        if isinstance(inner, dict | list):
            raise CellError(f"{name!r:.40} is not a single value")
    return {str(name): text(inner) for name, inner in pairs.items()}


def _plain(value: object) -> Any:
    """Return the value with what JSON does not know as text."""
    match value:
        case dict():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return text(value)
