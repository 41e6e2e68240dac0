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
