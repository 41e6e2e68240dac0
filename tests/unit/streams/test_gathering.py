"""Slabs of one partition on their way into segments."""

from __future__ import annotations

import math

import pytest

from auditstream.core.errors import OffsetGapError
from auditstream.core.ports import Headers, Slab
from streams.gathering import Batch, Gathering

PLENTY = 1 << 30


def slab(first: int, to: int, without: tuple[int, ...] = (), *, headers: bool = False) -> Slab:
    """Return a slab over `[first, to)` whose values say which offset they have; some have no record."""
    offsets = [offset for offset in range(first, to) if offset not in without]
    values: list[bytes | None] = [b"v%d" % offset for offset in offsets]
    marks: list[Headers] = [[("offset", b"%d" % offset)] for offset in offsets]
    return Slab(
        topic="t",
        partition=0,
        first_offset=first,
        next_offset=to,
        offsets=offsets,
        values=values,
        timestamps_ms=[1000 + offset for offset in offsets],
        headers=marks if headers else None,
        size_bytes=sum(len(value) for value in values if value is not None),
    )


def gathered(*slabs: Slab, at: int = 0) -> Gathering:
    gathering = Gathering(at)
    for each in slabs:
        gathering.add(each, 0.0)
    return gathering


def take_all(gathering: Gathering) -> Batch:
    return gathering.take(PLENTY, PLENTY)


def assert_in_step(batch: Batch) -> None:
    """Every list of the batch speaks of the same records."""
    assert batch.values == [b"v%d" % offset for offset in batch.offsets]
    assert batch.timestamps_ms == [1000 + offset for offset in batch.offsets]
    if batch.headers is not None:
        assert len(batch.headers) == len(batch.values)
        for offset, headers in zip(batch.offsets, batch.headers, strict=True):
            assert list(headers) in ([], [("offset", b"%d" % offset)])


class TestAdding:
    def test_a_hole_before_a_slab_is_an_error_that_names_the_offsets(self) -> None:
        with pytest.raises(OffsetGapError, match="t/0: expected offset 5, got 6"):
            gathered(slab(0, 5), slab(6, 9))

    def test_a_hole_before_the_first_slab_is_an_error(self) -> None:
        with pytest.raises(OffsetGapError):
            gathered(slab(4, 6), at=3)

    def test_a_hole_leaves_what_is_held_as_it_was(self) -> None:
        gathering = gathered(slab(0, 5))
        with pytest.raises(OffsetGapError):
            gathering.add(slab(6, 9), 0.0)
        assert (gathering.rows, gathering.next_offset) == (5, 5)

    def test_a_slab_that_is_here_already_is_left_out(self) -> None:
        gathering = gathered(slab(0, 6), slab(0, 6), slab(2, 4))
        assert (gathering.rows, gathering.next_offset) == (6, 6)

    def test_a_slab_that_overlaps_is_trimmed(self) -> None:
        batch = take_all(gathered(slab(0, 6), slab(3, 9)))
        assert list(batch.offsets) == [*range(9)]
        assert_in_step(batch)

    def test_a_slab_that_begins_below_the_first_offset_is_trimmed(self) -> None:
        # A fetch may begin in the middle of a record batch, and a seek back goes to the committed offset.
        batch = take_all(gathered(slab(0, 9, headers=True), at=4))
        assert (batch.lo, batch.hi, list(batch.offsets)) == (4, 8, [4, 5, 6, 7, 8])
        assert_in_step(batch)

    def test_a_slab_is_trimmed_where_the_cut_falls_on_an_offset_without_a_record(self) -> None:
        batch = take_all(gathered(slab(0, 9, without=(4, 5)), at=4))
        assert (batch.lo, list(batch.offsets)) == (4, [6, 7, 8])

    def test_what_was_taken_does_not_come_in_again(self) -> None:
        gathering = gathered(slab(0, 6))
        take_all(gathering)
        gathering.add(slab(0, 8), 0.0)
        assert list(take_all(gathering).offsets) == [6, 7]

    def test_bytes_are_those_of_the_records_that_are_held(self) -> None:
        gathering = gathered(slab(0, 6), slab(3, 9))
        assert gathering.size_bytes == 9 * len(b"v0")
        take_all(gathering)
        assert (gathering.size_bytes, gathering.rows) == (0, 0)


class TestTaking:
    def test_a_cut_falls_into_a_slab(self) -> None:
        gathering = gathered(slab(0, 10, headers=True))
        first, rest = gathering.take(4, PLENTY), take_all(gathering)
        assert (first.lo, first.hi, list(first.offsets)) == (0, 3, [0, 1, 2, 3])
        assert (rest.lo, rest.hi, list(rest.offsets)) == (4, 9, [4, 5, 6, 7, 8, 9])
        assert_in_step(first)
        assert_in_step(rest)

    def test_a_cut_before_offsets_without_records_leaves_them_to_the_first_batch(self) -> None:
        gathering = gathered(slab(0, 8, without=(3, 4)))
        first = gathering.take(3, PLENTY)
        assert (first.lo, first.hi, list(first.offsets)) == (0, 4, [0, 1, 2])
        assert take_all(gathering).lo == 5

    def test_a_batch_may_be_filled_by_several_slabs(self) -> None:
        gathering = gathered(slab(0, 3), slab(3, 5), slab(5, 9))
        batch = gathering.take(7, PLENTY)
        assert (batch.hi, len(batch), gathering.rows) == (6, 7, 2)
        assert_in_step(batch)

    def test_no_slab_more_is_taken_once_there_are_enough_bytes(self) -> None:
        gathering = gathered(slab(0, 3), slab(3, 6), slab(6, 9))
        assert len(gathering.take(PLENTY, 7)) == 6  # the second slab passes seven bytes

    def test_a_slab_larger_than_the_byte_limit_is_taken_all_the_same(self) -> None:
        assert len(gathered(slab(0, 5)).take(PLENTY, 1)) == 5

    def test_contiguous_offsets_stay_a_range(self) -> None:
        batch = take_all(gathered(slab(0, 3), slab(3, 6)))
        assert batch.offsets == range(6)

    def test_offsets_with_a_hole_are_listed(self) -> None:
        batch = take_all(gathered(slab(0, 3), slab(3, 7, without=(3,))))
        assert batch.offsets == [0, 1, 2, 4, 5, 6]

    def test_headers_keep_step_where_only_some_slabs_have_them(self) -> None:
        batch = take_all(gathered(slab(0, 3), slab(3, 5, headers=True), slab(5, 6)))
        assert batch.headers == [(), (), (), [("offset", b"3")], [("offset", b"4")], ()]

    def test_there_are_no_headers_where_no_slab_has_them(self) -> None:
        assert take_all(gathered(slab(0, 3))).headers is None

    def test_null_and_empty_values_are_kept_apart(self) -> None:
        values: list[bytes | None] = [None, b"", b"x"]
        mixed = Slab("t", 0, 0, 3, range(3), values, [1, 2, 3], size_bytes=1)
        gathering = gathered(mixed)
        assert gathering.take(2, PLENTY).values == [None, b""]
        assert take_all(gathering).values == [b"x"]


class TestCoveredOffsets:
    def test_offsets_without_records_at_the_end_go_with_the_last_batch(self) -> None:
        batch = take_all(gathered(slab(0, 5, without=(3, 4))))
        assert (batch.hi, list(batch.offsets)) == (4, [0, 1, 2])

    def test_a_slab_without_any_record_is_covered(self) -> None:
        gathering = gathered(slab(0, 4, without=(0, 1, 2, 3)))
        assert gathering.oldest_s is not None
        assert gathering.rows == 0
        batch = take_all(gathering)
        assert (batch.lo, batch.hi, len(batch)) == (0, 3, 0)
        assert gathering.oldest_s is None

    def test_the_oldest_is_what_is_left_after_a_take(self) -> None:
        gathering = Gathering(0)
        gathering.add(slab(0, 4), 10.0)
        gathering.add(slab(4, 8), 11.0)
        assert gathering.oldest_s == 10.0
        gathering.take(3, 1 << 20)
        assert gathering.oldest_s == 10.0  # one record of the first slab
        gathering.take(1, 1 << 20)
        assert gathering.oldest_s == 11.0
        gathering.take_through(7)
        assert gathering.oldest_s is None

    def test_offsets_without_records_that_a_cut_left_behind_need_not_wait(self) -> None:
        gathering = Gathering(0)
        gathering.add(slab(0, 6, without=(4, 5)), 10.0)
        gathering.take_through(3)
        assert gathering.oldest_s == -math.inf

    def test_nothing_is_covered_before_a_slab_and_after_all_was_taken(self) -> None:
        gathering = Gathering(7)
        assert gathering.oldest_s is None
        gathering.add(slab(7, 8), 0.0)
        assert gathering.oldest_s is not None
        take_all(gathering)
        assert gathering.oldest_s is None


class TestTakingAPlan:
    @pytest.mark.parametrize("hi", range(10))
    def test_takes_exactly_up_to_the_plans_last_offset(self, hi: int) -> None:
        gathering = gathered(slab(0, 3), slab(3, 6, without=(4,)), slab(6, 10, without=(8, 9)))
        batch, rest = gathering.take_through(hi), take_all(gathering)
        records = [0, 1, 2, 3, 5, 6, 7]
        assert (batch.lo, batch.hi) == (0, hi)
        assert list(batch.offsets) == [offset for offset in records if offset <= hi]
        assert (rest.lo, rest.hi) == (hi + 1, 9)
        assert list(rest.offsets) == [offset for offset in records if offset > hi]
        assert_in_step(batch)
        assert_in_step(rest)

    def test_keeps_headers_in_step(self) -> None:
        gathering = gathered(slab(0, 6, headers=True))
        assert_in_step(gathering.take_through(2))
        assert_in_step(take_all(gathering))

    def test_may_end_in_the_middle_of_covered_offsets_without_records(self) -> None:
        gathering = gathered(slab(0, 2), slab(2, 9, without=tuple(range(2, 9))))
        assert gathering.take_through(4).hi == 4
        assert (gathering.next_offset, gathering.oldest_s) == (9, -math.inf)
        assert take_all(gathering).lo == 5


class TestSkipping:
    @pytest.mark.parametrize("offset", [3, 4, 7, 10])
    def test_lets_go_of_what_lies_below_and_keeps_the_rest(self, offset: int) -> None:
        gathering = gathered(slab(0, 4), slab(4, 10, without=(7,), headers=True))
        gathering.skip_to(offset)
        gathering.add(slab(10, 12), 0.0)
        batch = take_all(gathering)
        assert (batch.lo, batch.hi) == (offset, 11)
        assert list(batch.offsets) == [each for each in range(offset, 12) if each != 7]
        assert_in_step(batch)
        assert (gathering.rows, gathering.size_bytes) == (0, 0)

    def test_may_go_beyond_what_is_here(self) -> None:
        gathering = gathered(slab(0, 4))
        gathering.skip_to(6)
        gathering.add(slab(4, 9), 0.0)
        batch = take_all(gathering)
        assert (batch.lo, list(batch.offsets)) == (6, [6, 7, 8])

    def test_does_not_go_back(self) -> None:
        gathering = gathered(slab(0, 4))
        take_all(gathering)
        gathering.skip_to(2)
        assert (gathering.next_offset, gathering.oldest_s) == (4, None)

    def test_leaves_nothing_that_would_wait(self) -> None:
        gathering = gathered(slab(0, 4))
        gathering.skip_to(4)
        assert gathering.oldest_s is None


def test_the_oldest_timestamp_is_that_of_the_first_record_that_is_held() -> None:
    gathering = gathered(slab(0, 2, without=(0, 1)), slab(2, 4), slab(4, 6))
    assert gathering.oldest_ms == 1002
    gathering.skip_to(5)
    assert gathering.oldest_ms == 1005
    gathering.skip_to(6)
    assert gathering.oldest_ms is None
