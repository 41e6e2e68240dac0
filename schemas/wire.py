"""The Avro binary encoding, value by value: each step checks one value and finds its end.

Source: Avro 1.12 specification, "Binary encoding" and "Logical Types".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from schemas.misfit import Misfit

Step = Callable[[bytes, int], int]
"""Checks one value that starts at an offset; returns the offset after it or raises Misfit."""

_VARINT_BYTES = 10
"""Longest varint: 64 bits, seven a byte."""

_FIRST_US = -62_135_596_800_000_000  # 0001-01-01, the first time that a datetime can hold
_LAST_US = 253_402_300_799_999_999  # 9999-12-31, the last one


def _long(data: bytes, at: int) -> tuple[int, int]:
    shift = value = 0
    for position in range(at, at + _VARINT_BYTES):
        if position >= len(data):
            raise Misfit("data ends in the middle of a number")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return (value >> 1) ^ -(value & 1), position + 1
        shift += 7
    raise Misfit("number is longer than 64 bits")


def _span(data: bytes, at: int) -> tuple[int, int]:
    """Return where a length-prefixed value starts and ends."""
    size, start = _long(data, at)
    if size < 0:
        raise Misfit(f"negative length {size}")
    if size > len(data) - start:
        raise Misfit(f"announces {size} bytes, {len(data) - start} are left")
    return start, start + size


def _null(data: bytes, at: int) -> int:
    return at


def _boolean(data: bytes, at: int) -> int:
    if at >= len(data):
        raise Misfit("data ends before it")
    if data[at] > 1:
        raise Misfit(f"boolean byte is {data[at]}")
    return at + 1


def _int(data: bytes, at: int) -> int:
    value, end = _long(data, at)
    if not -(1 << 31) <= value < 1 << 31:
        raise Misfit(f"{value} does not fit 32 bits")
    return end


def _any_long(data: bytes, at: int) -> int:
    return _long(data, at)[1]


def _bytes(data: bytes, at: int) -> int:
    return _span(data, at)[1]


def _string(data: bytes, at: int) -> int:
    _text(data, at)
    return _span(data, at)[1]


def _text(data: bytes, at: int) -> str:
    start, end = _span(data, at)
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise Misfit(f"not UTF-8 at byte {error.start}") from None


def _fixed(size: int) -> Step:
    def fixed(data: bytes, at: int) -> int:
        if size > len(data) - at:
            raise Misfit(f"needs {size} bytes, {len(data) - at} are left")
        return at + size

    return fixed


def _index(count: int, noun: str) -> Step:
    def index(data: bytes, at: int) -> int:
        value, end = _long(data, at)
        if not 0 <= value < count:
            raise Misfit(f"no {noun} {value}, there are {count}")
        return end

    return index


def union(branches: list[Step]) -> Step:
    """Return the step of a union: the branch's index, then its value."""
    index = _index(len(branches), "branch")

    def branch(data: bytes, at: int) -> int:
        end = index(data, at)
        return branches[_long(data, at)[0]](data, end)

    return branch


def pair(value: Step) -> Step:
    """Return the step of one entry of a map: a string, then the value."""

    def entry(data: bytes, at: int) -> int:
        return value(data, _string(data, at))

    return entry


def blocks(item: Step) -> Step:
    """Return the step of an array or a map: blocks of items, each with its count, the last one empty."""

    def items(data: bytes, at: int) -> int:
        number = 0
        while True:
            count, at = _long(data, at)
            if count == 0:
                return at
            if count < 0:  # a block that also says its size in bytes, for readers that skip it
                count, (_, at) = -count, _long(data, at)
            for _ in range(count):
                at = _item(item, data, at, number)
                number += 1

    return items


def _item(step: Step, data: bytes, at: int, number: int) -> int:
    try:
        end = step(data, at)
    except Misfit as misfit:
        raise misfit.within(f"[{number}]") from None
    if end == at:  # the count alone would say how many there are: five bytes for a billion of them
        raise Misfit("an item without bytes").within(f"[{number}]")
    return end


def leaf(avro: Any) -> Step:
    """Return the step of a type without types inside: by name, or as a dict with its attributes."""
    if isinstance(avro, str):
        return _PRIMITIVES[avro]
    if avro["type"] == "enum":
        return _index(len(avro["symbols"]), "symbol")
    if avro["type"] == "fixed":
        return _fixed(avro["size"])
    return _LOGICAL.get(avro.get("logicalType"), _plain)(avro)


def _plain(avro: Any) -> Step:
    return _PRIMITIVES[avro["type"]]


def _uuid(avro: Any) -> Step:
    def uuid(data: bytes, at: int) -> int:
        text = _text(data, at)
        try:
            UUID(text)
        except ValueError:
            raise Misfit("not a UUID") from None
        return _bytes(data, at)

    return uuid if avro["type"] == "string" else _plain(avro)


def _timestamp(avro: Any) -> Step:
    factor = 1000 if avro["logicalType"].endswith("millis") else 1

    def timestamp(data: bytes, at: int) -> int:
        value, end = _long(data, at)
        if not _FIRST_US <= value * factor <= _LAST_US:
            raise Misfit(f"time {value} is outside the years 1 to 9999")
        return end

    return timestamp


def _decimal(avro: Any) -> Step:
    limit = 10 ** avro["precision"]

    def decimal(data: bytes, at: int) -> int:
        start, end = _span(data, at)
        if abs(int.from_bytes(data[start:end], "big", signed=True)) >= limit:
            raise Misfit(f"more than {avro['precision']} digits")
        return end

    return decimal if avro["type"] == "bytes" else _plain(avro)


_PRIMITIVES: dict[str, Step] = {
    "null": _null,
    "boolean": _boolean,
    "int": _int,
    "long": _any_long,
    "float": _fixed(4),
    "double": _fixed(8),
    "bytes": _bytes,
    "string": _string,
}
_LOGICAL: dict[str | None, Callable[[Any], Step]] = {
    "uuid": _uuid,
    "decimal": _decimal,
    "timestamp-micros": _timestamp,
    "timestamp-millis": _timestamp,
    "local-timestamp-micros": _timestamp,
    "local-timestamp-millis": _timestamp,
}
