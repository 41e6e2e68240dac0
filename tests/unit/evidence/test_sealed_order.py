"""The order of sealed entries, where some bundles are missing."""

from __future__ import annotations

import pytest

from auditstream.evidence.sealed_order import SealedOrder
from auditstream.evidence.tree_files import ENTRY_ROOM
from auditstream.ledger.leaves import NO_EVENT_ID, NO_VALUE_HASH, LeafRun

FIRST, COUNT = 512, 3 * 256 + 7
AT_ONCE = (1, 2, 4)  # bundles that are judged at once: every border is between blocks, some are, none is


def bundles(offsets: list[int], shifted: int | None = None) -> list[bytes]:
    """Return bundles of leaves with these offsets; one may name the index behind its own."""
    count = len(offsets)
    run = LeafRun([0] * count, FIRST, offsets, [0] * count, [NO_EVENT_ID] * count, [NO_VALUE_HASH] * count)
    entries = run.entries()
    if shifted is not None:
        index = (FIRST + shifted + 1).to_bytes(8)
        entries[shifted] = entries[shifted][:2] + index + entries[shifted][10:]
    framed = [len(entry).to_bytes(2) + entry for entry in entries]
    return [b"".join(framed[at : at + 256]) for at in range(0, count, 256)]


def found(given: list[bytes | None], *, at_once: int = 4) -> list[tuple[str, int | None]]:
    """Return what is found and where, when so many bundles are judged at once."""
    order = SealedOrder("log")
    findings = [
        finding
        for at in range(0, len(given), at_once)
        for finding in order.judged(FIRST + at * 256, given[at : at + at_once])
    ]
    return [(finding.what, finding.first) for finding in findings]


@pytest.mark.parametrize("at_once", AT_ONCE)
def test_rising_offsets_at_their_own_indexes_are_no_finding(at_once: int) -> None:
    assert found([*bundles([3 * at for at in range(COUNT)])], at_once=at_once) == []


@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize("at", [1, 255, 256, 511, 512, COUNT - 1], ids=str)
def test_an_offset_that_does_not_rise_is_found_at_its_index(at: int, at_once: int) -> None:
    offsets = [3 * each for each in range(COUNT)]
    offsets[at] = offsets[at - 1]

    assert found([*bundles(offsets)], at_once=at_once) == [("sealed_offset", FIRST + at)]


@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize("at", [0, 255, 256, 511, COUNT - 1], ids=str)
def test_an_entry_with_another_index_is_found_at_its_place(at: int, at_once: int) -> None:
    given: list[bytes | None] = [*bundles(list(range(COUNT)), shifted=at)]

    assert found(given, at_once=at_once) == [("sealed_index", FIRST + at)]


@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize("at", [255, 256, 511, 767], ids=str)
def test_two_entries_that_changed_places_are_found_at_both(at: int, at_once: int) -> None:
    given = [*bundles([3 * each for each in range(COUNT)])]
    data = bytearray(b"".join(given))
    one, other = (
        slice(at * ENTRY_ROOM, (at + 1) * ENTRY_ROOM),
        slice((at + 1) * ENTRY_ROOM, (at + 2) * ENTRY_ROOM),
    )
    data[one], data[other] = data[other], data[one]
    swapped: list[bytes | None] = [
        bytes(data[at : at + 256 * ENTRY_ROOM]) for at in range(0, len(data), 256 * ENTRY_ROOM)
    ]

    assert sorted(found(swapped, at_once=at_once)) == [
        ("sealed_index", FIRST + at), ("sealed_index", FIRST + at + 1), ("sealed_offset", FIRST + at + 1),
    ]  # fmt: skip


@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize("at", [255, 256, 512], ids=str)
def test_an_entry_that_was_taken_out_is_found_from_its_place_to_the_end(at: int, at_once: int) -> None:
    data = b"".join(bundles(list(range(COUNT + 1))))
    data = data[: at * ENTRY_ROOM] + data[(at + 1) * ENTRY_ROOM :]
    given: list[bytes | None] = [
        data[at : at + 256 * ENTRY_ROOM] for at in range(0, len(data), 256 * ENTRY_ROOM)
    ]

    assert found(given, at_once=at_once) == [("sealed_index", FIRST + each) for each in range(at, COUNT)]


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
def test_a_missing_bundle_is_no_finding_and_moves_no_other(gone: int) -> None:
    given: list[bytes | None] = [*bundles(list(range(COUNT)), shifted=COUNT - 2)]
    given[gone] = None

    for at_once in AT_ONCE:
        assert found(given, at_once=at_once) == ([] if gone == 3 else [("sealed_index", FIRST + COUNT - 2)])
