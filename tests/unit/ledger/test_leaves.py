"""Leaf entries against the format as the standard library's struct would write it."""

import hashlib
import struct

import pytest

from auditstream.ledger.leaves import (
    ENTRY_BYTES,
    NO_EVENT_ID,
    LeafError,
    LeafKind,
    LeafRun,
    StoredLeaves,
    value_hashes,
)

VALUES = [b"", None, b"\x00" * 3, b"event"]
RUN = LeafRun(
    kinds=[LeafKind.DEAD_LETTER, LeafKind.DEAD_LETTER, LeafKind.EVENT, LeafKind.EVENT],
    first_index=2**40,
    offsets=[7, 8, 10, 2**62],
    timestamps_ms=[1_700_000_000_000, 0, 1, 2**41],
    event_ids=[NO_EVENT_ID, NO_EVENT_ID, bytes(range(16)), bytes(range(16, 32))],
    value_sha256=value_hashes(VALUES),
)


def by_struct(position: int) -> bytes:
    value = VALUES[position]
    return struct.pack(
        ">BBQQQ16s32s",
        1,
        RUN.kinds[position],
        RUN.first_index + position,
        RUN.offsets[position],
        RUN.timestamps_ms[position],
        RUN.event_ids[position],
        bytes(32) if value is None else hashlib.sha256(value).digest(),
    )


def test_entries_have_the_documented_layout():
    assert [by_struct(position) for position in range(4)] == RUN.entries()
    assert {ENTRY_BYTES} == {len(entry) for entry in RUN.entries()}


def test_a_leaf_hash_is_the_sha256_of_a_zero_byte_and_the_entry():
    expected = [hashlib.sha256(b"\x00" + by_struct(position)).digest() for position in range(4)]

    assert expected == RUN.hashes()


def test_values_of_every_length_have_the_hashes_of_the_standard_library():
    values = [bytes([length % 251]) * length for length in [*range(260), 1_000_000]]

    assert [hashlib.sha256(value).digest() for value in values] == value_hashes(values)


def test_thousands_of_leaves_have_the_hashes_of_the_standard_library():
    count = 5_003
    numbers = range(count)
    values = value_hashes(number.to_bytes(4) for number in numbers)
    run = LeafRun([LeafKind.EVENT] * count, 7, numbers, numbers, [NO_EVENT_ID] * count, values)

    assert [hashlib.sha256(b"\x00" + entry).digest() for entry in run.entries()] == run.hashes()


def test_a_null_value_and_an_empty_one_are_told_apart():
    empty, null = value_hashes([b"", None])

    assert hashlib.sha256(b"").digest() == empty
    assert bytes(32) == null


def test_an_empty_run_has_no_leaves():
    nothing = LeafRun([], 0, [], [], [], [])

    assert nothing.hashes() == []
    assert nothing.entries() == []


def test_a_run_of_one_leaf_is_its_part_of_a_longer_one():
    columns = (RUN.offsets, RUN.timestamps_ms, RUN.event_ids, RUN.value_sha256)
    one = LeafRun(RUN.kinds[:1], RUN.first_index, *(column[:1] for column in columns))

    assert one.entries() == RUN.entries()[:1]
    assert one.hashes() == RUN.hashes()[:1]


def test_a_leaf_that_does_not_give_its_recorded_hash_is_named():
    recorded = RUN.hashes()
    assert StoredLeaves(RUN, recorded).checked().hashes == recorded

    recorded[2] = bytes(32)
    found = RUN.hashes()[2].hex()
    with pytest.raises(LeafError, match=f"leaf {2**40 + 2}: expected hash {bytes(32).hex()} .*{found}"):
        StoredLeaves(RUN, recorded).checked()
