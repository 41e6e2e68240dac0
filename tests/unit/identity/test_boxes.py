"""A box opens in its place and under its key, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.identity.boxes import MOST_BYTES, OVERHEAD_BYTES, BoxError, Place, open_box, seal
from tests.support.examples import examples

AEAD = AESGCM(bytes(32))
PLACE = Place("acme", UUID(int=7), "content.input")
KEY_ID = "sk-one"


def test_a_box_opens_where_it_was_sealed() -> None:
    box = seal(AEAD, KEY_ID, PLACE, b"a prompt")

    assert open_box(AEAD, KEY_ID, PLACE, box) == b"a prompt"
    assert len(box) == len(b"a prompt") + OVERHEAD_BYTES
    assert box != seal(AEAD, KEY_ID, PLACE, b"a prompt"), "nonces differ"


@pytest.mark.parametrize(
    "moved",
    [
        replace(PLACE, tenant="acme2"),
        replace(PLACE, event_id=UUID(int=8)),
        replace(PLACE, field="content.output"),
        # Lengths are bound too: what leaves one part does not enter the next.
        replace(PLACE, tenant="acm", field="econtent.input"),
    ],
)
def test_a_box_that_was_moved_does_not_open(moved: Place) -> None:
    box = seal(AEAD, KEY_ID, PLACE, b"a prompt")

    with pytest.raises(BoxError, match="does not open"):
        open_box(AEAD, KEY_ID, moved, box)


def test_a_box_does_not_open_under_another_key_or_name_of_a_key() -> None:
    box = seal(AEAD, KEY_ID, PLACE, b"a prompt")

    with pytest.raises(BoxError):
        open_box(AESGCM(bytes([1] * 32)), KEY_ID, PLACE, box)
    with pytest.raises(BoxError):
        open_box(AEAD, "sk-two", PLACE, box)


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=64), st.integers(0, 7), st.data())
def test_a_box_with_one_bit_flipped_does_not_open(value: bytes, bit: int, data: st.DataObject) -> None:
    box = bytearray(seal(AEAD, KEY_ID, PLACE, value))
    box[data.draw(st.integers(0, len(box) - 1))] ^= 1 << bit

    with pytest.raises(BoxError):
        open_box(AEAD, KEY_ID, PLACE, bytes(box))


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=80))
def test_bytes_that_are_no_box_are_refused(junk: bytes) -> None:
    with pytest.raises(BoxError, match=r"sealed\[content.input\]"):
        open_box(AEAD, KEY_ID, PLACE, junk)


@pytest.mark.parametrize("length", [0, 1, OVERHEAD_BYTES - 1, MOST_BYTES + OVERHEAD_BYTES + 1, 5_000_000])
def test_a_box_of_an_absurd_size_is_refused_before_it_is_looked_at(length: int) -> None:
    with pytest.raises(BoxError, match="are no box"):
        open_box(AEAD, KEY_ID, PLACE, bytes([1]) * length)


@pytest.mark.parametrize("kept", [OVERHEAD_BYTES, OVERHEAD_BYTES + 3])
def test_a_box_that_was_cut_is_refused(kept: int) -> None:
    with pytest.raises(BoxError):
        open_box(AEAD, KEY_ID, PLACE, seal(AEAD, KEY_ID, PLACE, b"a prompt")[:kept])


def test_the_longest_value_fits_and_a_longer_one_is_the_callers_fault() -> None:
    longest = bytes(MOST_BYTES)

    assert open_box(AEAD, KEY_ID, PLACE, seal(AEAD, KEY_ID, PLACE, longest)) == longest
    with pytest.raises(ValueError, match="at most"):
        seal(AEAD, KEY_ID, PLACE, longest + b"x")
