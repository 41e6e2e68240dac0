"""An encoder compiled from a packaged schema: what its fields are written as is known before the first event.

fastavro looks at every field of every record, and most of ours are absent: an absent field is its default,
whose bytes never change. A fifth of fastavro's time, and its bytes exactly; it is the tests' oracle.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Context, Decimal
from functools import cache
from typing import Any

from schemas.compiled import compiled
from schemas.packaged import SchemaName, schema_json
from schemas.records.record import EPOCH

Write = Callable[[Any], bytes]
"""Returns a value's encoding."""

_MOST_SHAPES = 1_024
_SECOND_US = 1_000_000
_DAY_S = 86_400
_NULL = b"\x00"
_SOME = b"\x02"
_ONE_ITEM = b"\x02"
_END = b"\x00"  # of an array's or a map's blocks


@cache
def encoder_of(name: SchemaName) -> Write:
    """Return what encodes a packaged schema's datums, as `schemas.intake.datum_of` gives them.

    Times may also come as microseconds and decimals as their unscaled bytes, as fastavro takes them. Values
    are not looked at: a wrong type is an error of Python's, or a wrong encoding.
    """
    return writer_of(schema_json(name))


def writer_of(avro: Any) -> Write:
    """Return what encodes values of a type, as in a packaged schema; see `encoder_of`."""
    return compiled(avro, scalars=_SCALARS, structured=_STRUCTURED, optional=_optional)


def _record(avro: Any) -> Write:
    """Return what writes the present fields, and the bytes of all the absent ones between them at once."""
    fields = _Fields(avro)
    shapes: dict[tuple[str, ...], Write] = {}

    def record(datum: Mapping[str, Any]) -> bytes:
        names = tuple(datum)
        write = shapes.get(names)
        if write is None:
            write = fields.shape(names)
            if len(shapes) >= _MOST_SHAPES:
                shapes.clear()
            shapes[names] = write
        return write(datum)

    return record


class _Fields:
    """What a record's fields are written by, and as what its absent ones are written."""

    def __init__(self, avro: Any) -> None:
        self._writers: dict[str, tuple[int, Write]] = {}
        self._required: set[str] = set()
        self._defaults: list[bytes] = []
        for place, field in enumerate(avro["fields"]):
            self._writers[field["name"]] = (place, writer_of(field["type"]))
            default = _default(field)
            if default is None:
                self._required.add(field["name"])
            self._defaults.append(default or b"")

    def shape(self, names: tuple[str, ...]) -> Write:
        """Return what writes records with just these fields.

        Raises:
            KeyError: A field is missing or unknown.
        """
        if missing := self._required.difference(names):
            raise KeyError(*missing)
        present = sorted((*self._writers[name], name) for name in names)
        template = b""
        begin = 0
        source = _Source()
        for place, write, name in present:
            template += b"".join(self._defaults[begin:place]).replace(b"%", b"%%") + source.add(name, write)
            begin = place + 1
        template += b"".join(self._defaults[begin:]).replace(b"%", b"%%")
        return source.compiled(template)


class _Source:
    """The text of a function that writes records of one shape.

    The calls that a loop over writers would make for strings, which most fields are, take half of its time;
    a line of a usage delta has four decimals.
    All that is not fixed text in it are names of fields, from the packaged schemas.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._values: list[str] = []
        self._known: dict[str, Any] = {"ONE": _ONE, "SOME_OF": _SOME_OF, "SOME": _SOME, "long": _long}

    def add(self, name: str, write: Write) -> bytes:
        """Write one more field; return its part of the template."""
        number = len(self._lines)
        size = f"s{number} = ONE[n{number} << 1] if n{number} < 0x40 else long(n{number})"
        if isinstance(write, _Decimal):
            self._known[f"unscaled_{number}"] = write.unscaled
            self._lines += [
                f"v{number} = datum[{name!r}]",
                f"if v{number}.__class__ is not bytes: v{number} = unscaled_{number}(v{number})",
                f"n{number} = len(v{number}); {size}",
            ]
            self._values += [f"s{number}", f"v{number}"]
            return b"%b%b"
        if write is _long:  # counts are small, most often
            self._lines.append(
                f"v{number} = datum[{name!r}]; "
                f"v{number} = ONE[v{number} << 1] if 0 <= v{number} < 0x40 else long(v{number})"
            )
            self._values.append(f"v{number}")
            return b"%b"
        if write not in {_string, _optional_string}:
            self._known[f"write_{number}"] = write
            self._lines.append(f"v{number} = write_{number}(datum[{name!r}])")
            self._values.append(f"v{number}")
            return b"%b"
        value = f"v{number} = datum[{name!r}].encode(); n{number} = len(v{number}); "
        if write is _string:
            self._lines.append(value + size)
        else:
            size = f"s{number} = SOME_OF[n{number}] if n{number} < 0x40 else SOME + long(n{number})"
            self._lines += [
                f"if datum[{name!r}] is None: v{number} = b''; s{number} = b'\\x00'",
                f"else: {value}{size}",
            ]
        self._values += [f"s{number}", f"v{number}"]
        return b"%b%b"

    def compiled(self, template: bytes) -> Write:
        """Return the function."""
        body = "\n    ".join([*self._lines, f"return template % ({''.join(f'{v}, ' for v in self._values)})"])
        found: dict[str, Write] = {}
        exec(f"def record(datum):\n    {body}", self._known | {"template": template}, found)  # noqa: S102
        return found["record"]


def _default(field: Any) -> bytes | None:
    """Return the encoding of an absent field; None where it must not be absent."""
    if "default" not in field:
        return None
    default = field["default"]
    if isinstance(default, str) and isinstance(field["type"], Mapping) and field["type"]["type"] == "bytes":
        default = default.encode("latin-1")  # as Avro's JSON has bytes
    return writer_of(field["type"])(default)


def _optional(write: Write) -> Write:
    if write is _string:  # most fields are: one call, not two
        return _optional_string
    if write is _long:
        return _optional_long
    return lambda value: _NULL if value is None else _SOME + write(value)


def _optional_string(text: str | None) -> bytes:
    if text is None:
        return _NULL
    data = text.encode()
    size = len(data)
    return (_SOME_OF[size] if size < 0x40 else _SOME + _long(size)) + data


def _optional_long(number: int | None) -> bytes:
    return _NULL if number is None else _SOME + _base128(number << 1 ^ number >> 63)


def _array(avro: Any) -> Write:
    write = writer_of(avro["items"])

    def array(items: Any) -> bytes:
        if not items:
            return _END
        if len(items) == 1:
            return _ONE_ITEM + write(items[0]) + _END
        return b"".join([_long(len(items)), *map(write, items), _END])

    return array


def _map(avro: Any) -> Write:
    write = writer_of(avro["values"])

    def mapping(items: Mapping[str, Any]) -> bytes:
        if not items:
            return _END
        pairs = [_string(name) + write(value) for name, value in items.items()]
        return b"".join([_long(len(items)), *pairs, _END])

    return mapping


def _enum(avro: Any) -> Write:
    codes = {symbol: _long(place) for place, symbol in enumerate(avro["symbols"])}
    return codes.__getitem__


class _Decimal:
    """Writes decimals of one scale."""

    def __init__(self, avro: Any) -> None:
        self._scale = avro["scale"]

    def __call__(self, value: Decimal | bytes) -> bytes:
        return _bytes(value if isinstance(value, bytes) else self.unscaled(value))

    def unscaled(self, value: Decimal) -> bytes:
        """Return a decimal as Avro has it: big-endian, two's complement."""
        unscaled = int(value.scaleb(self._scale, _EXACT))
        # One byte more than needed for some negative numbers, as every fastavro writes them.
        return unscaled.to_bytes((unscaled.bit_length() + 8) // 8, "big", signed=True)


def _long(number: int) -> bytes:
    """Return zigzag and base 128 (Avro 1.12, "Binary encoding")."""
    return _base128(number << 1 ^ number >> 63)


def _base128(rest: int) -> bytes:
    if rest < 0x80:
        return _ONE[rest]
    if rest < 0x4000:
        return _LAST_TWO[rest]
    if rest < 0x20_0000:
        return _TWO[rest & 0x3FFF] + _ONE[rest >> 14]
    if rest < 0x1000_0000:
        return _TWO[rest & 0x3FFF] + _LAST_TWO[rest >> 14]
    return _TWO[rest & 0x3FFF] + _TWO[rest >> 14 & 0x3FFF] + _base128(rest >> 28)


def _bytes(data: bytes) -> bytes:
    size = len(data)
    return (_ONE[size << 1] if size < 0x40 else _long(size)) + data


def _string(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    return (_ONE[size << 1] if size < 0x40 else _long(size)) + data


def _time(value: datetime | int) -> bytes:
    if isinstance(value, int):
        return _long(value)
    since = value - EPOCH
    return _long((since.days * _DAY_S + since.seconds) * _SECOND_US + since.microseconds)


_EXACT = Context(prec=60)  # more than the 38 digits of any decimal here
_ONE = [bytes([number]) for number in range(0x80)]
_TWO = [bytes([number & 0x7F | 0x80, number >> 7 | 0x80]) for number in range(0x4000)]
_LAST_TWO = [bytes([number & 0x7F | 0x80, number >> 7]) for number in range(0x4000)]
_SOME_OF = [_SOME + _ONE[size << 1] for size in range(0x40)]
_STRUCTURED: dict[str, Callable[[Any], Write]] = {
    "record": _record,
    "array": _array,
    "map": _map,
    "enum": _enum,
    "decimal": _Decimal,
}
_SCALARS: dict[str, Write] = {
    "string": _string,
    "int": _long,
    "long": _long,
    "double": struct.Struct("<d").pack,
    "boolean": lambda value: b"\x01" if value else b"\x00",
    "bytes": _bytes,
    "uuid": lambda value: _string(str(value)),
    "timestamp-micros": _time,
}
