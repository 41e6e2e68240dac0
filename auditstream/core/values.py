"""One value as it leaves: in JSON, as a piece of text, or in a cell on a terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def as_json(value: Any) -> Any:
    """Return a value as JSON can hold it.

    Decimals are text, times ISO 8601 in UTC with Z, bytes hex; what JSON has no number for (NaN, infinity) is
    null.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {_as_word(name): as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return _as_word(value)


def as_text(value: Any) -> str:
    """Return a value as one piece of text: nothing for null, JSON for numbers, lists and maps."""
    plain = as_json(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else as_line(plain)


def as_line(value: Any) -> str:
    """Return a value as JSON on one line."""
    return json.dumps(as_json(value), ensure_ascii=False)


def as_cell(value: Any) -> str:
    """Return a value for a terminal: control characters, which could steer it, are written as escapes."""
    return "".join(each if each.isprintable() else _escape(each) for each in as_text(value))


def _as_word(value: object) -> str:
    match value:
        case datetime():
            moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
            return moment.isoformat().removesuffix("+00:00") + "Z"
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
