"""An encoder of columns: the datums of many rows at once, without an object of Python's for a value.

The bytes are those of `schemas.encoder`, row for row. A column that says the same in every row is one value
instead of a column, and encoded once. For schemas that the product itself fills: values are not looked at.

Source: Avro 1.12 specification, "Binary Encoding".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.compiled import compiled
from schemas.encoder import writer_of

Numbers = NDArray[np.int64]
"""Whole numbers, or of type object where they need more than 64 bits."""

Part: TypeAlias = bytes | pa.BinaryArray | Numbers
"""Bytes of each row, those that every row has, or a number of each row that is still to be encoded."""

_Write = Callable[[Any], list[Part]]

_NONE, _ONE = b"\x00", b"\x02"  # how many items come; the first also ends an array
_SEVEN_BITS = np.uint64(0x7F)
_MORE = np.uint8(0x80)
_DECIMAL_BYTES = 8  # of what 64 bits hold


@dataclass(frozen=True, slots=True)
class Lists:
    """An array of numbers for each row.

    Attributes:
        items: The items of all rows.
        borders: Where those of each row begin, and the end of the last one's.
    """

    items: Numbers
    borders: Numbers


@dataclass(frozen=True, slots=True)
class AtMostOne:
    """An array of one record or none for each row.

    Attributes:
        given: Which rows have one, or whether all have.
        columns: Its fields by name; of rows without one they do not matter.
    """

    given: NDArray[np.bool_] | bool
    columns: Mapping[str, Any]


def encoded_rows(avro: Any, columns: Mapping[str, Any], count: int) -> pa.BinaryArray:
    """Return the datum of each row.

    Args:
        avro: JSON data of a record schema whose fields are strings, enums, whole numbers, times, decimals,
            arrays of numbers, and arrays of one record at most.
        columns: Every field by name. Texts: a series without nulls, or a text. Numbers, times in
            microseconds, unscaled decimals: an array, or a number. Arrays: `Lists` or `AtMostOne`.
        count: Number of rows.
    """
    return _as_array(_record(avro)(columns), count)


def _as_array(parts: Iterable[Part], count: int) -> pa.BinaryArray:
    merged = list(_merged(_coded(list(parts), count)))
    if len(merged) == 1 and isinstance(merged[0], bytes):
        return pa.repeat(pa.scalar(merged[0], pa.binary()), count)
    return pc.binary_join_element_wise(*merged, b"")


def _coded(parts: list[Part], count: int) -> Iterator[bytes | pa.BinaryArray]:
    """Yield the parts with all numbers encoded, which is done at once: each call takes its time."""
    numbers = [part for part in parts if isinstance(part, np.ndarray)]
    coded = _varints(_zigzag(np.concatenate(numbers))) if numbers else None
    begin = 0
    for part in parts:
        if coded is None or not isinstance(part, np.ndarray):
            yield part
        else:
            yield coded.slice(begin, count)
            begin += count


def _merged(parts: Iterable[bytes | pa.BinaryArray]) -> Iterator[bytes | pa.BinaryArray]:
    """Yield the parts, neighbours that are the same in every row as one: a join takes its time for each."""
    for is_same, neighbours in groupby(parts, key=lambda part: isinstance(part, bytes)):
        if is_same:
            yield b"".join(neighbours)
        else:
            yield from neighbours


def _record(avro: Any) -> _Write:
    fields = [(field["name"], str(field["type"]), _writer(field["type"])) for field in avro["fields"]]

    def write(columns: Mapping[str, Any]) -> list[Part]:
        # Fields can share a column, as amounts do that a contract does not change: it is encoded once.
        made: dict[tuple[str, int], list[Part]] = {}
        parts: list[Part] = []
        for name, kind, write_field in fields:
            values = columns[name]
            key = kind, id(values)
            if key not in made:
                made[key] = write_field(values)
            parts += made[key]
        return parts

    return write


def _writer(avro: Any) -> _Write:
    return compiled(avro, scalars=_SCALARS, structured=_STRUCTURED, optional=_refuse)


def _refuse(_write: _Write) -> _Write:
    raise NotImplementedError("no column of ours may be null")


def _text(values: pl.Series | str) -> list[Part]:
    if isinstance(values, str):
        return [writer_of("string")(values)]
    texts = _binary(values)
    return [pc.binary_length(texts).to_numpy().astype(np.int64), texts]


def _binary(texts: pl.Series) -> pa.BinaryArray:
    return texts.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string()).cast(pa.binary())


def _enum(avro: Any) -> _Write:
    codes = {symbol: place for place, symbol in enumerate(avro["symbols"])}

    def write(values: pl.Series | str) -> list[Part]:
        if isinstance(values, str):
            return _long(codes[values])
        return _long(values.replace_strict(codes, return_dtype=pl.Int64).to_numpy())

    return write


def _long(values: Numbers | int) -> list[Part]:
    if isinstance(values, int):
        return [writer_of("long")(values)]
    return [values]


def _zigzag(numbers: Numbers) -> NDArray[np.uint64]:
    zigzag: NDArray[np.uint64] = (numbers << 1 ^ numbers >> 63).view(np.uint64)
    return zigzag


def _varints(numbers: NDArray[np.uint64]) -> pa.BinaryArray:
    """Return numbers to base 128, the lowest digit first, each byte but the last with the highest bit set."""
    width = max(1, -(-int(numbers.max(initial=0)).bit_length() // 7))
    sizes = np.ones(len(numbers), np.int32)
    digits = np.empty((len(numbers), width), np.uint8)
    rest = numbers
    for place in range(width):
        digits[:, place] = rest & _SEVEN_BITS
        rest = rest >> np.uint64(7)
        if place + 1 < width:
            goes_on = rest != 0
            digits[:, place] |= goes_on * _MORE
            sizes += goes_on
    return _slices(digits[np.arange(width) < sizes[:, None]], sizes)


def _slices(data: NDArray[np.uint8], sizes: NDArray[np.int32]) -> pa.BinaryArray:
    """Return bytes that follow each other as values of these sizes."""
    ends = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    return _binary_array(ends, data)


def _binary_array(ends: NDArray[np.int32], data: NDArray[np.uint8] | pa.Buffer) -> pa.BinaryArray:
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(data)])


def _decimal(_avro: Any) -> _Write:
    return lambda values: [_unscaled(values)]


def _unscaled(values: Numbers | int) -> Part:
    """Return unscaled decimals with their sizes: big-endian, two's complement, as few bytes as can be."""
    if isinstance(values, int):
        return _sized(values)
    if values.dtype == object:
        return pa.array([_sized(value) for value in values], pa.binary())
    sizes = np.ones(len(values), np.int32)
    absolute = np.abs(values)  # of the least of all numbers itself, which is why it is compared as unsigned
    for size in range(1, _DECIMAL_BYTES):
        sizes += absolute.view(np.uint64) >= np.uint64(1 << (8 * size - 1))
    row = np.empty((len(values), 1 + _DECIMAL_BYTES), np.uint8)
    row[:, 1:] = values.astype(">i8").view(np.uint8).reshape(-1, _DECIMAL_BYTES)
    begins = _DECIMAL_BYTES - sizes
    row[np.arange(len(values)), begins] = sizes << 1  # the size stands before the first byte that counts
    return _slices(row[np.arange(1 + _DECIMAL_BYTES) >= begins[:, None]], sizes + 1)


def _sized(value: int) -> bytes:
    return writer_of("bytes")(value.to_bytes((value.bit_length() + 8) // 8, "big", signed=True))


def _array(avro: Any) -> _Write:
    items = avro["items"]
    if not isinstance(items, str):
        return _at_most_one(_record(items))

    def write(lists: Lists) -> list[Part]:
        coded = _varints(_zigzag(lists.items))
        ends = np.frombuffer(coded.buffers()[1], np.int32)[lists.borders]
        sizes = np.diff(lists.borders)
        counts = _varints(_zigzag(sizes))
        if not sizes.all():
            counts = pc.if_else(pa.array(sizes != 0), counts, b"")
        return [counts, _binary_array(ends, coded.buffers()[2]), _NONE]

    return write


def _at_most_one(record: _Write) -> _Write:
    def write(one: AtMostOne) -> list[Part]:
        if one.given is False or not np.any(one.given):
            return [_NONE]
        given = [_ONE, *record(one.columns), _NONE]
        if one.given is True or np.all(one.given):
            return given
        return [pc.if_else(pa.array(one.given), _as_array(given, len(one.given)), _NONE)]

    return write


_SCALARS: dict[str, _Write] = {
    "string": _text, "int": _long, "long": _long, "timestamp-micros": _long,
}  # fmt: skip
_STRUCTURED: dict[str, Callable[[Any], _Write]] = {
    "enum": _enum, "decimal": _decimal, "array": _array, "record": _record,
}  # fmt: skip
