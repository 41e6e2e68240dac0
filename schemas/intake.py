"""Events as JSON or Python values to datums: every value checked and turned into what its Avro type takes.

JSON has no types for most of ours, so a producer writes: a uuid as its text; a time as RFC 3339 with an
offset, or as microseconds since the epoch; a decimal as a string or an integer, never as a float; bytes as
base64; an enum as its symbol. Python values of the types themselves are taken as they are.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import cache
from typing import Any
from uuid import UUID

from auditstream.core.errors import ContractError
from schemas.compiled import compiled
from schemas.misfit import Misfit
from schemas.packaged import SchemaName, schema_json

Convert = Callable[[Any], Any]
"""Returns a value as its Avro type takes it, or raises Misfit."""


def datum_of(event: Mapping[str, Any], name: SchemaName) -> dict[str, Any]:
    """Return an event as a datum of a packaged schema.

    Only types are looked at here; what the contract demands beyond them is in `schemas.contract`.

    Args:
        event: Field names to values; families are mappings, `costs` a list of them. Fields that have a
            default may be left out, and stay out.
        name: Packaged schema.

    Raises:
        ContractError: A field is missing, unknown, or of the wrong type or range: the first one found. Its
            message is `field: reason` and `context["field"]` has the path, as `costs[0].unit`.
    """
    try:
        datum: dict[str, Any] = _converter_of(name)(event)
    except Misfit as misfit:
        raise ContractError(f"{misfit.path or 'event'}: {misfit.reason}", field=misfit.path) from None
    return datum


@cache
def _converter_of(name: SchemaName) -> Convert:
    return _converter(schema_json(name))


def _converter(avro: Any) -> Convert:
    return compiled(avro, scalars=_SCALARS, structured=_STRUCTURED, optional=_optional)


def _record(avro: Any) -> Convert:
    converters = {field["name"]: _converter(field["type"]) for field in avro["fields"]}
    required = frozenset(field["name"] for field in avro["fields"] if "default" not in field)

    def record(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _expected("an object", value)
        datum: dict[str, Any] = {}
        name: Any = None
        try:  # around all fields: this is the path of every event, and a call a field would double its cost
            for name, item in value.items():
                datum[name] = converters.get(name, _unknown)(item)
        except Misfit as misfit:
            raise misfit.within(f".{name}") from None
        if not datum.keys() >= required:
            missing = next(each for each in converters if each in required and each not in datum)
            raise Misfit("is required").within(f".{missing}")
        return datum

    return record


def _unknown(_value: Any) -> Any:
    raise Misfit("no such field; put what the contract has no field for into `attributes`")


def _optional(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _array(convert: Convert) -> Convert:
    def array(value: Any) -> list[Any]:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise _expected("a list", value)
        return [_item(convert, index, item) for index, item in enumerate(value)]

    return array


def _map(convert: Convert) -> Convert:
    def mapping(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _expected("an object", value)
        for key in value:
            _string(key)
        return {key: _item(convert, key, item) for key, item in value.items()}

    return mapping


def _item(convert: Convert, key: int | str, value: Any) -> Any:
    try:
        return convert(value)
    except Misfit as misfit:
        raise misfit.within(f"[{key}]") from None


def _enum(symbols: Sequence[str]) -> Convert:
    known = frozenset(symbols)

    def enum(value: Any) -> str:
        if not isinstance(value, str):
            raise _expected("a string", value)
        if value not in known:
            raise Misfit(f"{value!r:.40} is none of {', '.join(symbols)}")
        return str(value)

    return enum


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _expected("a string", value)
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Misfit("has half of a surrogate pair, which UTF-8 cannot carry") from None
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _expected("true or false", value)
    return value


def _integer(bits: int) -> Convert:
    def integer(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _expected("an integer", value)
        if not -(1 << bits - 1) <= value < 1 << bits - 1:
            raise Misfit(f"does not fit {bits} bits")
        return value

    return integer


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _expected("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Misfit("is not a finite number")
    return number


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise _expected("base64 text", value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Misfit("is not base64") from None


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str):
        raise _expected("a UUID", value)
    try:
        return UUID(value)
    except ValueError:
        raise Misfit("is not a UUID") from None


def _timestamp(value: Any) -> datetime:
    if isinstance(value, str):
        value = _parsed_time(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = _time_at(value)
    if not isinstance(value, datetime):
        raise _expected("a time", value)
    if value.tzinfo is None:
        raise Misfit("has no offset from UTC")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Misfit("is not of a year from 1 to 9999") from None


def _parsed_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Misfit("is not a time as in 2026-01-31T12:00:00.000001Z") from None


def _time_at(micros: int) -> datetime:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
    except OverflowError:
        raise Misfit("is not of a year from 1 to 9999 in microseconds since 1970") from None


def _decimal(precision: int, scale: int) -> Convert:
    step = Decimal(1).scaleb(-scale)

    def decimal(value: Any) -> Decimal:
        number = _number(value)
        if number and number.adjusted() >= precision - scale:
            raise Misfit(f"has more than {precision - scale} digits before the point")
        exact = number.quantize(step, context=_EXACT)
        if exact != number:
            raise Misfit(f"has more than {scale} decimal places")
        return exact

    return decimal


def _number(value: Any) -> Decimal:
    if isinstance(value, float):
        raise Misfit("is a float, which is not exact: send a decimal as a string")
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise _expected("a decimal", value)
    if isinstance(value, str) and not _DECIMAL_TEXT.fullmatch(value):
        raise Misfit("is not a decimal number")
    number = Decimal(value)
    if not number.is_finite():
        raise Misfit("is not a finite number")
    return number


def _expected(what: str, value: Any) -> Misfit:
    return Misfit(f"expected {what}, got {_JSON_NAMES.get(type(value), type(value).__name__)}")


_EXACT = Context(prec=60)  # more than the 38 digits of any decimal here, so that quantize never rounds to fit
_DECIMAL_TEXT = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,6})?")
_JSON_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}
_STRUCTURED: dict[str, Callable[[Any], Convert]] = {
    "record": _record,
    "array": lambda avro: _array(_converter(avro["items"])),
    "map": lambda avro: _map(_converter(avro["values"])),
    "enum": lambda avro: _enum(avro["symbols"]),
    "decimal": lambda avro: _decimal(avro["precision"], avro["scale"]),
}
_SCALARS: dict[str, Convert] = {
    "string": _string,
    "int": _integer(32),
    "long": _integer(64),
    "double": _double,
    "boolean": _boolean,
    "bytes": _bytes,
    "uuid": _uuid,
    "timestamp-micros": _timestamp,
}
