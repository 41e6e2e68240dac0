from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest

from auditstream.ledger.hashing import hashes_of, joined, row_hashes, split

RANDOM = random.Random(7)


def sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


@pytest.mark.parametrize("width", [1, 55, 56, 63, 64, 65, 75, 119, 300])
@pytest.mark.parametrize("count", [0, 1, 2, 17, 1_000])
def test_rows_have_the_hashes_of_the_standard_library(width, count):
    messages = [RANDOM.randbytes(width) for _ in range(count)]

    assert split(row_hashes(joined(messages, width))) == [sha256(message) for message in messages]


def test_rows_that_are_a_part_of_something_wider_are_hashed_as_they_are_seen():
    wide = np.frombuffer(RANDOM.randbytes(40 * 76), np.uint8).reshape(40, 76)

    found = row_hashes(wide[::2, 1:])

    assert split(found) == [sha256(row[1:].tobytes()) for row in wide[::2]]


def test_rows_that_are_too_many_for_one_call_are_refused():
    rows = np.broadcast_to(np.uint8(0), (1 << 26, 32))  # takes no memory

    with pytest.raises(ValueError, match="too many"):
        row_hashes(rows)


@pytest.mark.parametrize(
    "lengths",
    [[], [0], [300] * 20, [290, 300, 310] * 10, [10] * 30 + [5_000], [0] * 12, [0, 64, 128] * 9],
    ids=["none", "empty", "even", "nearly even", "one long", "all empty", "mixed"],
)
def test_messages_of_any_lengths_have_the_hashes_of_the_standard_library(lengths):
    messages = [RANDOM.randbytes(length) for length in lengths]

    assert hashes_of(messages) == [sha256(message) for message in messages]
