"""Events that the store does not take as data: dead letters like any other, and nobody else's trouble."""

from __future__ import annotations

import polars as pl
from polars.testing import assert_frame_equal

from tests.support.bad_messages import datum
from tests.support.recorders import messages_to, recorder_of, segment_of

DEAD_LETTERS = "audit.dlq.v1"


def test_a_refused_event_keeps_its_bytes_and_what_the_store_said() -> None:
    segment = segment_of([datum(0), datum(1), datum(2)])
    block = recorder_of().build(segment, {1: "too large"})
    kinds = block.frame.select("leaf_index", "leaf_kind", "reject_reason", "reject_detail", "raw")
    assert kinds.rows() == [
        (0, 0, "", "", segment.values[0]),
        (1, 1, "unstorable", "too large", segment.values[1]),
        (2, 0, "", "", segment.values[2]),
    ]
    assert block.dead_letters == 1
    [message] = messages_to(DEAD_LETTERS, block)
    assert message.value == segment.values[1]
    assert ("reason", b"unstorable") in message.headers


def test_its_neighbours_are_as_if_it_had_never_been_an_event() -> None:
    values = [datum(0), datum(1), datum(2)]
    whole = recorder_of().build(segment_of(values)).frame
    without = recorder_of().build(segment_of(values), {1: "too large"}).frame
    kept = pl.col("leaf_index") != 1
    rejected = ["reject_reason", "reject_detail", "raw_null"]
    assert_frame_equal(without.filter(kept).drop(rejected), whole.filter(kept))


def test_a_repeat_of_a_refused_event_is_the_first_that_counts() -> None:
    segment = segment_of([datum(0), datum(0), datum(0)])
    recorder = recorder_of()
    assert recorder.build(segment).frame["duplicate_of"].to_list() == [None, 0, 0]
    assert recorder.build(segment, {0: "too large"}).frame["duplicate_of"].to_list() == [None, None, 1]


def test_what_was_no_event_stays_rejected_for_its_own_reason() -> None:
    block = recorder_of().build(segment_of([b"garbage", datum(1)]), {0: "too large"})
    assert block.frame["reject_reason"].to_list() == ["bad_framing", ""]
