"""Ticks at which small parcels leave."""

from __future__ import annotations

import pytest

from streams.ticks import LONG_S, MANY_A_SECOND, SHORT_S, Ticks


def test_everybody_waits_for_the_same_tick() -> None:
    ticks = Ticks()
    assert 10.001 + ticks.wait_s(10.001) == pytest.approx(10.004 + ticks.wait_s(10.004))


@pytest.mark.parametrize(("messages", "length_s"), [(MANY_A_SECOND, SHORT_S), (MANY_A_SECOND + 1, LONG_S)])
def test_ticks_are_further_apart_after_a_second_of_many_messages(messages: int, length_s: float) -> None:
    ticks = Ticks()
    ticks.count(1, 100.0)
    ticks.count(messages - 1, 100.5)
    ticks.count(1, 101.0)
    assert ticks.wait_s(0.0) == length_s


def test_ticks_are_close_again_after_a_quiet_second() -> None:
    ticks = Ticks()
    ticks.count(10 * MANY_A_SECOND, 100.0)
    ticks.count(1, 101.0)
    assert ticks.wait_s(0.0) == SHORT_S
