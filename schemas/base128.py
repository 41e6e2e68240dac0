"""Numbers as Avro has them: zigzag, then seven bits a byte, the low ones first.

As bytes, and as text of which each character is a byte (Latin-1). Source: Avro 1.12, "Binary encoding".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

_Data = TypeVar("_Data", str, bytes)
_EIGHT, _NINE = 1 << 49, 1 << 56  # from here on a number takes eight bytes, and nine


def long(number: int) -> bytes:
    """Return a number of 64 bits."""
    return base128(number << 1 ^ number >> 63)


def _base128_of(
    one: Sequence[_Data], two: Sequence[_Data], last_two: Sequence[_Data]
) -> Callable[[int], _Data]:
    """Return what writes numbers without a sign.

    Args:
        one: The last seven bits.
        two: Fourteen bits that others follow.
        last_two: The last fourteen.
    """

    def write(rest: int) -> _Data:
        if rest < 0x80:
            return one[rest]
        if rest < 0x4000:
            return last_two[rest]
        if rest < 0x20_0000:
            return two[rest & 0x3FFF] + one[rest >> 14]
        if rest < 0x1000_0000:
            return two[rest & 0x3FFF] + last_two[rest >> 14]
        low = two[rest & 0x3FFF] + two[rest >> 14 & 0x3FFF]
        if _EIGHT <= rest < _NINE:  # times of these centuries
            return low + two[rest >> 28 & 0x3FFF] + last_two[rest >> 42]
        return low + write(rest >> 28)

    return write


ONE = [bytes([number]) for number in range(0x80)]
"""Numbers below 128, without a sign."""

ONE_TEXT = [one.decode("latin-1") for one in ONE]
"""The same as text."""

_TWO = [bytes([number & 0x7F | 0x80, number >> 7 | 0x80]) for number in range(0x4000)]
_LAST_TWO = [bytes([number & 0x7F | 0x80, number >> 7]) for number in range(0x4000)]

_TWO_TEXT = [two.decode("latin-1") for two in _TWO]

base128 = _base128_of(ONE, _TWO, _LAST_TWO)
base128_text = _base128_of(ONE_TEXT, _TWO_TEXT, [two.decode("latin-1") for two in _LAST_TWO])


def low_text(number: int) -> str:
    """Return the low 28 bits of a number that has more: what goes before `base128_text(number >> 28)`."""
    return _TWO_TEXT[number & 0x3FFF] + _TWO_TEXT[number >> 14 & 0x3FFF]
