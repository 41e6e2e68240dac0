"""Bytes as lines: every one is there, and nothing but printable ASCII comes through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditstream.console.hexdump import lines


@given(st.binary(max_size=200))
def test_the_digits_are_the_bytes(data: bytes) -> None:
    shown = list(lines(data))

    assert b"".join(bytes.fromhex(line.digits) for line in shown) == data
    assert "".join(line.offset for line in shown) == "".join(f"{at:08x}" for at in range(0, len(data), 16))


@given(st.binary(max_size=200))
def test_letters_are_printable_ascii_or_a_dot(data: bytes) -> None:
    letters = "".join(line.letters for line in lines(data))

    assert len(letters) == len(data)
    assert all(letter == "·" or (letter.isprintable() and letter.isascii()) for letter in letters)
