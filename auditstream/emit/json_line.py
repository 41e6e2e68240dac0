"""One line of JSON as an object."""

from __future__ import annotations

from typing import Any

from auditstream.core.errors import DecodeError
from auditstream.emit.reading import BadLineError
from schemas.strict_json import parse


def object_of(content: bytes | None) -> dict[str, Any]:
    """Return a line's JSON object.

    Raises:
        BadLineError: The line is too long, not JSON (NaN and Infinity are not), not an object, or says a name
            twice.
    """
    if content is None:
        raise BadLineError("line", "is too long for an event")
    try:
        value = parse(content)
    except DecodeError as error:
        raise BadLineError(str(error.context["field"]) or "line", error.message) from error
    if not isinstance(value, dict):
        raise BadLineError("line", "is not a JSON object")
    return value
