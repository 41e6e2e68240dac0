"""How long lanes gather."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest

from streams.pacing import Pacing


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        pytest.param(1, 1.0, id="one lane alone may use all inserts"),
        pytest.param(4, 4.0, id="four lanes share them"),
        pytest.param(100, 5.0, id="never longer than the longest delay"),
    ],
)
def test_the_delay_grows_with_the_lanes(lanes: int, expected: float) -> None:
    pacing = Pacing(min_delay_s=0.25, max_delay_s=5.0, inserts_per_s=1.0, lanes=lanes)
    assert pacing.delay_s == expected


def test_the_delay_is_never_shorter_than_the_shortest() -> None:
    assert Pacing(min_delay_s=0.25, max_delay_s=5.0, inserts_per_s=1000.0).delay_s == 0.25


def test_all_lanes_together_make_the_inserts_that_are_aimed_at() -> None:
    pacing = Pacing(inserts_per_s=2.0, lanes=7)
    assert pacing.lanes / pacing.delay_s == 2.0


def turns(pacing: Pacing, busy: int, rounds: int) -> list[float]:
    """Return the turns of lanes that begin together and hold a new record as soon as one is planned."""
    due = [pacing.take_turn(lane, 0.0) for lane in range(busy)]
    taken = []
    for _ in range(rounds * busy):
        first = min(range(busy), key=due.__getitem__)
        taken.append(due[first])
        due[first] = pacing.take_turn(first, due[first])
    return taken


@pytest.mark.parametrize(("lanes", "apart_s"), [(1, 0.5), (4, 0.5), (10, 0.5)])
def test_lanes_that_begin_together_write_one_after_the_other(lanes: int, apart_s: float) -> None:
    taken = turns(Pacing(inserts_per_s=2.0, lanes=lanes), lanes, rounds=5)

    assert taken == pytest.approx([0.5 + apart_s * turn for turn in range(len(taken))])


@pytest.mark.parametrize("busy", [1, 4])
def test_busy_lanes_among_idle_ones_share_the_inserts_that_are_aimed_at(busy: int) -> None:
    taken = turns(Pacing(inserts_per_s=2.0, lanes=100), busy, rounds=4)

    assert taken == pytest.approx([0.5 * turn for turn in range(1, 4 * busy + 1)])


def test_more_lanes_than_the_longest_delay_allows_for_are_apart_from_the_second_round_on() -> None:
    taken = turns(Pacing(inserts_per_s=2.0, max_delay_s=5.0, lanes=100), 50, rounds=4)

    assert [b - a for a, b in pairwise(taken[100:])] == pytest.approx([5.0 / 50] * 99)


def test_no_turn_is_later_than_the_delay_after_the_oldest_record() -> None:
    pacing = Pacing(inserts_per_s=2.0, lanes=2)

    assert max(pacing.take_turn(lane, 0.0) for lane in range(5)) == pacing.delay_s
    assert pacing.take_turn(0, -3.0) == pytest.approx(-3.0 + pacing.delay_s), "its last segment took long"


def test_a_lane_whose_segments_are_full_before_their_turn_pushes_no_other_back() -> None:
    pacing = Pacing(inserts_per_s=2.0, lanes=8)

    for filled in range(30):
        pacing.take_turn("full", filled / 100)

    assert pacing.take_turn("other", 0.3) == pytest.approx(1.5), "the full one has the turn at 1.0"


def test_offsets_without_a_record_wait_for_no_turn() -> None:
    pacing = Pacing(lanes=2)
    pacing.take_turn("log", 5.0)

    assert pacing.take_turn("log", -inf) == -inf


def test_lanes_that_begin_anew_wait_for_no_turn_of_earlier_ones() -> None:
    pacing = Pacing(inserts_per_s=2.0, lanes=8)
    turns(pacing, 8, rounds=2)

    pacing.begin(4)

    assert turns(pacing, 4, rounds=1) == pytest.approx([0.5, 1.0, 1.5, 2.0])
