"""An encoder compiled from a packaged schema: what its fields are written as is known before the first event.

fastavro looks at every field of every record, and most of ours are absent: an absent field is its default,
whose bytes never change. A tenth of fastavro's time, and its bytes exactly; it is the tests' oracle.

Records are put together as text of which each character is a byte, as Latin-1 has it: most fields are ASCII,
and then need not be encoded one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal
from functools import cache
from typing import Any

from schemas.base128 import ONE, base128_text, long, low_text
from schemas.compiled import compiled
from schemas.packaged import SchemaName, schema_json
from schemas.records.record import EPOCH

Write = Callable[[Any], bytes]
"""Returns a value's encoding."""

_MOST = 0x2000  # numbers below this, as most are, take no more than two bytes
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
    return compiled(avro, scalars=_SCALARS, structured=_STRUCTURED, optional=_Optional)


class _Record:
    """Writes the present fields, and the bytes of all the absent ones between them at once."""

    def __init__(self, avro: Any) -> None:
        self._fields = _Fields(avro)
        self._shapes: dict[tuple[str, ...], Callable[[Mapping[str, Any]], str]] = {}

    def __call__(self, datum: Mapping[str, Any]) -> bytes:
        return self.text(datum).encode("latin-1")

    def text(self, datum: Mapping[str, Any]) -> str:
        """Return the encoding, a character a byte."""
        names = tuple(datum)
        write = self._shapes.get(names)
        if write is None:
            write = self._fields.shape(names)
            if len(self._shapes) >= _MOST_SHAPES:
                self._shapes.clear()
            self._shapes[names] = write
        return write(datum)


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

    def shape(self, names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], str]:
        """Return what writes records with just these fields, as text.

        Raises:
            KeyError: A field is missing or unknown.
        """
        if missing := self._required.difference(names):
            raise KeyError(*missing)
        present = sorted((*self._writers[name], name) for name in names)
        begin = 0
        source = _Source(names)
        for place, write, name in present:
            source.say(b"".join(self._defaults[begin:place]))
            source.add(name, write)
            begin = place + 1
        source.say(b"".join(self._defaults[begin:]))
        return source.compiled()


class _Source:
    """The text of a function that writes records of one shape.

    The calls that a loop over writers would make for strings, which most fields are, take half of its time;
    a line of a usage delta has four decimals.
    All that is not fixed text in it are names of fields, from the packaged schemas.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._values = {name: f"v{number}" for number, name in enumerate(names)}
        self._lines: list[str] = []
        self._texts: list[str] = []
        self._sizes: list[str] = []
        self._pieces: list[str] = []
        self._known: dict[str, Any] = {
            "NUMBER": _NUMBERS, "SOME_OF": _SOME_NUMBERS, "base128": base128_text, "utf8": _utf8
        }  # fmt: skip

    def say(self, data: bytes) -> None:
        """Write fixed bytes."""
        if data:
            self._pieces.append(repr(data.decode("latin-1")))

    def add(self, name: str, write: Write) -> None:
        """Write one more field."""
        v = self._values[name]
        if isinstance(write, _Optional):
            self._optional(v, write.inner)
        elif write is _string or write is _uuid:
            if write is _uuid:
                self._lines.append(f"if {v}.__class__ is not str: {v} = str({v})")
            self._texts.append(v)
            self._sized(v)
        elif isinstance(write, _Decimal):
            self._lines.append(f"if {v}.__class__ is not bytes: {v} = {self._knows(write.unscaled)}({v})")
            self._lines.append(f"{v} = {v}.decode('latin-1')")
            self._sized(v)
        else:
            self._lines.append(f"{v} = {self._one(v, write)}")
            self._pieces.append(v)

    def _optional(self, v: str, write: Write) -> None:
        """Write a value that may be null."""
        if write is not _string:
            self._lines.append(f"{v} = '\\0' if {v} is None else {self._some(v, write)}")
            self._pieces.append(v)
            return
        size = f"s{v}"
        self._lines += [f"{size} = {v} is None", f"if {size}: {v} = ''"]
        self._sizes += [
            f"if {size}: {size} = '\\0'",
            f"else: n = len({v}); {size} = SOME_OF[n] if n < {_MOST:#x} else '\\2' + base128(n << 1)",
        ]
        self._texts.append(v)
        self._pieces += [size, v]

    def _sized(self, v: str) -> None:
        """Write text after its size."""
        size = f"s{v}"
        self._sizes.append(f"n = len({v}); {size} = NUMBER[n] if n < {_MOST:#x} else base128(n << 1)")
        self._pieces += [size, v]

    def _some(self, v: str, write: Write) -> str:
        """Return the expression of an optional value that is there."""
        if write is long:  # counts are small, most often
            return f"SOME_OF[{v}] if 0 <= {v} < {_MOST:#x} else '\\2' + base128({v} << 1 ^ {v} >> 63)"
        if isinstance(write, _Enum):
            codes = {symbol: "\2" + code for symbol, code in write.texts.items()}
            return f"{self._knows(codes)}[{v}]"
        return f"'\\2' + ({self._one(v, write)})"

    def _one(self, v: str, write: Write) -> str:
        """Return the expression of a value."""
        if write is long:
            return f"NUMBER[{v}] if 0 <= {v} < {_MOST:#x} else base128({v} << 1 ^ {v} >> 63)"
        if isinstance(write, _Enum):
            return f"{self._knows(write.texts)}[{v}]"
        if isinstance(write, _Record):
            return f"{self._knows(write.text)}({v})"
        if write is _time:
            return f"{self._knows(_time_text())}({v})"
        if write is _boolean:
            return f"'\\1' if {v} else '\\0'"
        return f"{self._knows(write)}({v}).decode('latin-1')"

    def _knows(self, value: Any) -> str:
        """Return the name that the function knows a value by."""
        name = f"known_{len(self._known)}"
        self._known[name] = value
        return name

    def compiled(self) -> Callable[[Mapping[str, Any]], str]:
        """Return the function."""
        lines = [f"{', '.join(self._values.values())}, = datum.values()"] if self._values else []
        lines += self._lines
        if self._texts:
            utf8 = "; ".join(f"{v} = utf8({v})" for v in self._texts)
            lines.append(f"if not ''.join(({', '.join(self._texts)},)).isascii(): {utf8}")
        body = "\n    ".join([*lines, *self._sizes, f"return ''.join(({', '.join(self._pieces)},))"])
        found: dict[str, Callable[[Mapping[str, Any]], str]] = {}
        exec(f"def record(datum):\n    {body}", self._known, found)  # noqa: S102
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
        return b"".join([long(len(items)), *map(write, items), _END])

    return array


def _map(avro: Any) -> Write:
    write = writer_of(avro["values"])

    def mapping(items: Mapping[str, Any]) -> bytes:
        if not items:
            return _END
        pairs = [_string(name) + write(value) for name, value in items.items()]
        return b"".join([long(len(items)), *pairs, _END])

    return mapping


class _Enum:
    """Writes symbols."""

    def __init__(self, avro: Any) -> None:
        self._codes = {symbol: long(place) for place, symbol in enumerate(avro["symbols"])}
        self.texts = {symbol: code.decode("latin-1") for symbol, code in self._codes.items()}

    def __call__(self, symbol: str) -> bytes:
        return self._codes[symbol]


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


def _time_text() -> Callable[[datetime | int], str]:
    """Return what writes the times of one field as text.

    Events that came together were seen at one moment, and most happened within the two minutes in which the
    high bits of the number stay.
    """
    memory: tuple[Any, str, int, str] = (None, "", 0, "")

    def text(value: datetime | int) -> str:
        nonlocal memory
        last, written, high, high_text = memory  # in one go: another thread may change it
        if value is last:
            return written
        number = _microseconds(value)
        rest = number << 1 ^ number >> 63
        if rest >> 28 != high:
            high = rest >> 28
            high_text = base128_text(high)
        written = low_text(rest) + high_text if high else base128_text(rest)
        memory = value, written, high, high_text
        return written

    return text


def _utf8(text: str) -> str:
    """Return UTF-8, a character a byte."""
    return text.encode().decode("latin-1")


def _boolean(value: object) -> bytes:
    return b"\x01" if value else b"\x00"


def _bytes(data: bytes) -> bytes:
    size = len(data)
    return (ONE[size << 1] if size < 0x40 else long(size)) + data


def _uuid(value: Any) -> bytes:
    return _string(str(value))


def _string(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    return (ONE[size << 1] if size < 0x40 else long(size)) + data


def _time(value: datetime | int) -> bytes:
    return long(_microseconds(value))


def _microseconds(value: datetime | int) -> int:
    if isinstance(value, int):
        return value
    since = value - EPOCH
    return (since.days * _DAY_S + since.seconds) * _SECOND_US + since.microseconds


_EXACT = Context(prec=60)  # more than the 38 digits of any decimal here
_NUMBERS = [base128_text(number << 1) for number in range(_MOST)]
_SOME_NUMBERS = ["\2" + number for number in _NUMBERS]
_STRUCTURED: dict[str, Callable[[Any], Write]] = {
    "record": _Record,
    "array": _array,
    "map": _map,
    "enum": _Enum,
    "decimal": _Decimal,
}
_SCALARS: dict[str, Write] = {
    "string": _string,
    "int": long,
    "long": long,
    "double": struct.Struct("<d").pack,
    "boolean": _boolean,
    "bytes": _bytes,
    "uuid": _uuid,
    "timestamp-micros": _time,
}
