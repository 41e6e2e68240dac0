"""One line of JSON as an object."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from auditstream.emit.reading import BadLineError, text_of


def object_of(content: bytes | None) -> dict[str, Any]:
    """Return a line's JSON object.

    Raises:
        BadLineError: The line is not JSON (NaN and Infinity are not), not an object, or says a name twice.
    """
    try:
        value = json.loads(text_of(content), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadLineError("line", f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadLineError("line", "is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadLineError(twice, "is given twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
