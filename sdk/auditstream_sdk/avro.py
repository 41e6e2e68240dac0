"""Events as Avro values of the packaged schema; needs fastavro, which the extra `[kafka]` brings.

The schema is a copy of the product's `schemas/audit_event.avsc`, held equal by a test. What JSON has no types
for is turned into them here: times from RFC 3339, decimals and UUIDs from texts, bytes from base64.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from typing import Any
from uuid import UUID

from auditstream_sdk.errors import SettingsError

Convert = Callable[[Any], Any]


class MisfitError(Exception):
    """A value does not fit its field.

    Attributes:
        field: Path of the field.
        reason: What is wrong.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@cache
def schema_text() -> str:
    """Return the schema as it is registered."""
    return resources.files(__package__).joinpath("audit_event.avsc").read_text(encoding="utf-8")


def datum_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event of JSON as a datum of the schema.

    Raises:
        MisfitError: A field is unknown, missing, or of the wrong type.
    """
    found: dict[str, Any] = _converter()(event)
    return found


def encoded(datum: Mapping[str, Any]) -> bytes:
    """Return a datum as Avro, without framing.

    Raises:
        MisfitError: It is no datum of the schema.
    """
    stream = io.BytesIO()
    try:
        _fastavro().schemaless_writer(stream, _parsed(), datum)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise MisfitError("event", str(error)[:200]) from None
    return stream.getvalue()


@cache
def _parsed() -> Any:
    return _fastavro().parse_schema(json.loads(schema_text()))


def _fastavro() -> Any:
    try:
        import fastavro  # noqa: PLC0415  an extra's, and slow to load
    except ImportError:
        raise SettingsError(
            "url: kafka:// needs fastavro", hint="pip install 'auditstream-sdk[kafka]'"
        ) from None
    return fastavro


@cache
def _converter() -> Convert:
    return _convert(json.loads(schema_text()), "")


def _convert(avro: Any, path: str) -> Convert:
    if isinstance(avro, list):
        inner = _convert(avro[1], path)
        return lambda value: None if value is None else inner(value)
    kind = avro if isinstance(avro, str) else avro.get("logicalType", avro["type"])
    if kind == "record":
        return _record(avro, path)
    if kind in {"array", "map"}:
        return _many(_convert(avro["items" if kind == "array" else "values"], f"{path}[]"), kind, path)
    if kind == "enum":
        return _symbol(frozenset(avro["symbols"]), path)
    if kind in _PARSED:
        return _parser(_PARSED[kind], path)
    expected: Any = _PLAIN[kind]
    return lambda value: _checked(value, expected, path)


def _many(each: Convert, kind: str, path: str) -> Convert:
    if kind == "array":
        return lambda value: [each(item) for item in _checked(value, list, path)]
    return lambda value: {key: each(item) for key, item in _checked(value, dict, path).items()}


def _record(avro: Any, path: str) -> Convert:
    start = f"{path}." if path else ""
    fields = {each["name"]: _convert(each["type"], start + each["name"]) for each in avro["fields"]}
    required = [each["name"] for each in avro["fields"] if "default" not in each]

    def record(value: Any) -> dict[str, Any]:
        given = _checked(value, dict, path or "event")
        for name in required:
            if name not in given:
                raise MisfitError(start + name, "is required")
        for name in given:
            if name not in fields:
                raise MisfitError(f"{start}{name}"[:200], "no such field")
        return {name: fields[name](each) for name, each in given.items()}

    return record


def _symbol(symbols: frozenset[str], path: str) -> Convert:
    def symbol(value: Any) -> str:
        if value not in symbols:
            raise MisfitError(path, f"is none of {', '.join(sorted(symbols))}")
        return str(value)

    return symbol


def _parser(parse: Convert, path: str) -> Convert:
    def parsed(value: Any) -> Any:
        try:
            return parse(value)
        except (ValueError, TypeError, InvalidOperation, binascii.Error, OverflowError, AttributeError):
            raise MisfitError(path, "is not of its type, or not in its form") from None

    return parsed


def _checked(value: Any, expected: Any, path: str) -> Any:
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        raise MisfitError(path, f"got {type(value).__name__}")
    return value


def _time(value: Any) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime.fromtimestamp(value // 1_000_000, timezone.utc).replace(microsecond=value % 1_000_000)
    at = datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
    if at.tzinfo is None:
        raise ValueError("has no offset from UTC")
    return at.astimezone(timezone.utc)


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise TypeError("a decimal is a string")
    return Decimal(value)


_PARSED: dict[str, Convert] = {
    "timestamp-micros": _time,
    "decimal": _decimal,
    "uuid": UUID,
    "bytes": lambda value: base64.b64decode(value, validate=True),
}
_PLAIN: dict[str, Any] = {
    "string": str,
    "int": int,
    "long": int,
    "double": (int, float),
    "boolean": bool,
}
