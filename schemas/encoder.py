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
_EIGHT, _NINE = 1 << 49, 1 << 56  # from here on a number takes eight bytes, and nine
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
    return compiled(avro, scalars=_SCALARS, structured=_STRUCTURED, optional=_Optional)


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
        self._number = 0
        self._known: dict[str, Any] = {"ONE": _ONE, "SOME_OF": _SOME_OF, "SOME": _SOME, "long": _long}

    def add(self, name: str, write: Write) -> bytes:
        """Write one more field; return its part of the template."""
        self._number += 1
        self._lines.append(f"v = datum[{name!r}]")
        if isinstance(write, _Optional):
            return self._optional(write)
        sized = {_string: "v.encode()", _uuid: "str(v).encode()"}.get(write)
        if isinstance(write, _Decimal):
            sized = f"v if v.__class__ is bytes else {self._knows(write.unscaled)}(v)"
        if sized is not None:
            return self._sized(sized)
        if write is _long:  # counts are small, most often
            return self._value("ONE[v << 1] if 0 <= v < 0x40 else long(v)")
        if isinstance(write, _Enum):
            return self._value(f"{self._knows(write.codes)}[v]")
        return self._value(f"{self._knows(write)}(v)")

    def _optional(self, write: _Optional) -> bytes:
        if write.inner is _string:
            number = self._number
            self._lines += [
                f"if v is None: v{number} = b''; s{number} = b'\\x00'",
                f"else: v{number} = v.encode(); n = len(v{number}); "
                f"s{number} = SOME_OF[n] if n < 0x40 else SOME + long(n)",
            ]
            self._values += [f"s{number}", f"v{number}"]
            return b"%b%b"
        if write.inner is _long:
            return self._value("b'\\x00' if v is None else SOME_OF[v] if 0 <= v < 0x40 else SOME + long(v)")
        if isinstance(write.inner, _Enum):
            codes = {symbol: _SOME + code for symbol, code in write.inner.codes.items()}
            return self._value(f"{self._knows({None: _NULL, **codes})}[v]")
        return self._value(f"b'\\x00' if v is None else SOME + {self._knows(write.inner)}(v)")

    def _sized(self, value: str) -> bytes:
        """Write the bytes that an expression gives, after their number."""
        number = self._number
        self._lines.append(
            f"v{number} = {value}; n = len(v{number}); s{number} = ONE[n << 1] if n < 0x40 else long(n)"
        )
        self._values += [f"s{number}", f"v{number}"]
        return b"%b%b"

    def _value(self, value: str) -> bytes:
        """Write what an expression gives."""
        self._lines.append(f"v{self._number} = {value}")
        self._values.append(f"v{self._number}")
        return b"%b"

    def _knows(self, value: Any) -> str:
        """Return the name that the function knows a value by."""
        name = f"known_{self._number}"
        self._known[name] = value
        return name

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


class _Optional:
    """Writes values that may be null."""

    def __init__(self, inner: Write) -> None:
        self.inner = inner

    def __call__(self, value: Any) -> bytes:
        return _NULL if value is None else _SOME + self.inner(value)


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


class _Enum:
    """Writes symbols."""

    def __init__(self, avro: Any) -> None:
        self.codes = {symbol: _long(place) for place, symbol in enumerate(avro["symbols"])}

    def __call__(self, symbol: str) -> bytes:
        return self.codes[symbol]


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
    if _EIGHT <= rest < _NINE:  # times of these centuries
        low, high = rest & 0xFFF_FFFF, rest >> 28
        return _TWO[low & 0x3FFF] + _TWO[low >> 14] + _TWO[high & 0x3FFF] + _LAST_TWO[high >> 14]
    return _TWO[rest & 0x3FFF] + _TWO[rest >> 14 & 0x3FFF] + _base128(rest >> 28)


def _bytes(data: bytes) -> bytes:
    size = len(data)
    return (_ONE[size << 1] if size < 0x40 else _long(size)) + data


def _uuid(value: Any) -> bytes:
    return _string(str(value))


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
    "enum": _Enum,
    "decimal": _Decimal,
}
_SCALARS: dict[str, Write] = {
    "string": _string,
    "int": _long,
    "long": _long,
    "double": struct.Struct("<d").pack,
    "boolean": lambda value: b"\x01" if value else b"\x00",
    "bytes": _bytes,
    "uuid": _uuid,
    "timestamp-micros": _time,
}
