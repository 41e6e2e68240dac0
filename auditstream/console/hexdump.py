"""Bytes as people read them: sixteen a line, in hexadecimal digits and as the letters that they may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_ACROSS = 16
_FIRST, _LAST = 0x20, 0x7E  # printable ASCII; whatever else there is may move a cursor or a direction
_OTHER = "·"


@dataclass(frozen=True, slots=True)
class Line:
    """Some bytes.

    Attributes:
        offset: Where they begin, in eight hexadecimal digits.
        digits: The bytes, two digits each, a wider space in the middle.
        letters: Printable ASCII, and a dot for every other byte.
    """

    offset: str
    digits: str
    letters: str


def lines(data: bytes) -> Iterator[Line]:
    """Yield the lines of some bytes; nothing of theirs but printable ASCII comes through."""
    for at in range(0, len(data), _ACROSS):
        row = data[at : at + _ACROSS]
        halves = (row[: _ACROSS // 2], row[_ACROSS // 2 :])
        digits = "  ".join(" ".join(f"{byte:02x}" for byte in half) for half in halves if half)
        letters = "".join(chr(byte) if _FIRST <= byte <= _LAST else _OTHER for byte in row)
        yield Line(f"{at:08x}", digits, letters)
