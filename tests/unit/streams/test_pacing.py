"""How long lanes gather."""

from __future__ import annotations

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


def turns(pacing: Pacing, lanes: int, rounds: int) -> list[float]:
    """Return the turns of lanes that begin together and hold a new record as soon as one is planned."""
    due = [pacing.take_turn(0.0) for _ in range(lanes)]
    taken = []
    for _ in range(rounds * lanes):
        first = min(range(lanes), key=due.__getitem__)
        taken.append(due[first])
        due[first] = pacing.take_turn(due[first])
    return taken


@pytest.mark.parametrize(("lanes", "apart_s"), [(1, 0.5), (4, 0.5), (10, 0.5)])
def test_lanes_that_begin_together_write_one_after_the_other(lanes: int, apart_s: float) -> None:
    taken = turns(Pacing(inserts_per_s=2.0, lanes=lanes), lanes, rounds=5)

    assert taken == pytest.approx([0.5 + apart_s * turn for turn in range(len(taken))])


def test_a_lane_alone_among_idle_ones_waits_for_no_turn_of_theirs() -> None:
    pacing = Pacing(inserts_per_s=2.0, lanes=8)

    assert turns(pacing, 1, rounds=4) == pytest.approx([0.5, 1.0, 1.5, 2.0])


def test_no_turn_is_later_than_the_delay_after_the_oldest_record() -> None:
    pacing = Pacing(inserts_per_s=2.0, lanes=2)

    assert max(pacing.take_turn(0.0) for _ in range(5)) == pacing.delay_s
    assert pacing.take_turn(-3.0) == pytest.approx(-3.0 + pacing.delay_s), "its last segment took long"
