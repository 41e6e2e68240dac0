from __future__ import annotations

import numpy as np
import pytest

from auditstream.detection.axes import LogAxis, SignedLogAxis
from auditstream.detection.histogram import DecayedHistogram

ONE = np.array([0], np.int32)
AXIS = LogAxis(0.01, 1e4, 96)


def filled(values, decay=1.0 - 1e-12, start=0, axis=AXIS) -> DecayedHistogram:
    histogram = DecayedHistogram(axis, decay)
    histogram.reserve(1)
    for tick, value in enumerate(values, start):
        histogram.add(ONE, np.array([value]), tick)
    return histogram


@pytest.mark.parametrize("axis", [AXIS, SignedLogAxis(0.5, 1e4, 96)])
def test_positions_and_values_are_each_others_inverse(axis):
    places = np.linspace(0.0, 95.9, 200)

    assert axis.position(axis.value(places)) == pytest.approx(places)


def test_what_is_outside_an_axis_lies_at_its_ends():
    assert AXIS.position(np.array([-5.0, 0.0, 1e-9])).astype(int).tolist() == [0, 0, 0]
    assert AXIS.position(np.array([1e9, np.inf])).astype(int).tolist() == [95, 95]
    assert SignedLogAxis(1.0, 100.0, 96).position(np.array([-1e9, 0.0, 1e9])).astype(int).tolist() == [
        0, 48, 95,
    ]  # fmt: skip


def test_tails_are_the_shares_of_values_above_and_below():
    values = np.random.default_rng(1).lognormal(0.0, 1.0, 3000)
    histogram = filled(values)

    for value in (0.2, 1.0, 3.0, 9.0):
        tails = histogram.tails(ONE, np.array([value]), 3000)

        assert tails.above[0] == pytest.approx((values >= value).sum(), abs=40)
        assert tails.below[0] == pytest.approx((values < value).sum(), abs=40)
        assert tails.total[0] == pytest.approx(3000)


def test_a_quantile_is_the_value_with_that_share_below_it_within_a_bin():
    values = np.random.default_rng(2).lognormal(0.0, 1.0, 5000)
    histogram = filled(values)
    factor = (1e4 / 0.01) ** (1 / 96)

    for share in (0.1, 0.5, 0.995):
        assert 1 / factor < histogram.quantile(ONE, share)[0] / np.quantile(values, share) < factor


def test_what_is_old_weighs_less_by_the_decay_of_its_age():
    decay = 0.99
    histogram = filled([1.0] * 300 + [100.0] * 50, decay=decay)
    old = sum(decay**age for age in range(50, 350))
    new = sum(decay**age for age in range(50))

    tails = histogram.tails(ONE, np.array([10.0]), 349)

    assert tails.below[0] == pytest.approx(old, rel=1e-5)
    assert tails.above[0] == pytest.approx(new, rel=1e-5)


def test_a_row_is_brought_back_to_scale_long_before_its_numbers_overflow():
    histogram = filled([1.0] * 20_000, decay=0.9)
    arrays = histogram.state()

    assert histogram.total(ONE, 19_999)[0] == pytest.approx(10.0, rel=1e-5)
    assert all(np.isfinite(each.astype(float)).all() for each in arrays.values())
    assert max(float(each.max()) for name, each in arrays.items() if name != "origin") < 1e5


def test_a_key_that_begins_late_or_comes_back_after_years_does_not_overflow():
    histogram = filled([5.0], decay=0.999, start=29_000_000)
    histogram.add(ONE, np.array([7.0]), 60_000_000)

    assert histogram.total(ONE, 60_000_000)[0] == pytest.approx(1.0)
    assert AXIS.position(histogram.quantile(ONE, 0.5)).astype(int) == AXIS.position(np.array([7.0])).astype(
        int
    )


def test_during_an_episode_a_value_weighs_a_tenth():
    histogram = filled([1.0] * 10)

    histogram.add(ONE, np.array([50.0]), 10, weight=0.1)

    assert histogram.tails(ONE, np.array([10.0]), 10).above[0] == pytest.approx(0.1)


def test_keys_neither_mix_nor_need_an_order():
    values = np.random.default_rng(3).lognormal(0, 1, (60, 3))
    order = np.array([2, 0, 1], np.int32)
    straight, shuffled = DecayedHistogram(AXIS, 0.99), DecayedHistogram(AXIS, 0.99)
    for each in (straight, shuffled):
        each.reserve(3)

    for tick, row in enumerate(values):
        straight.add(np.arange(3, dtype=np.int32), row, tick)
        shuffled.add(order, row[order], tick)

    assert np.array_equal(straight.quantile(order, 0.7), shuffled.quantile(order, 0.7))
    assert straight.quantile(order, 0.7)[2] == filled(values[:, 1], 0.99).quantile(ONE, 0.7)[0]


def test_what_is_restored_goes_on_as_what_was_kept():
    histogram, other = filled([1.0, 2.0, 300.0], 0.9), DecayedHistogram(AXIS, 0.9)

    other.restore({name: each.copy() for name, each in histogram.state().items()})

    assert other.tails(ONE, np.array([5.0]), 9) == histogram.tails(ONE, np.array([5.0]), 9)


def test_a_state_on_other_bins_is_left_out_and_forgotten_keys_are_empty():
    histogram, other = filled([1.0, 2.0]), DecayedHistogram(LogAxis(0.1, 1e4, 96), 0.9)

    other.reserve(1)
    other.restore(histogram.state())
    histogram.forget(ONE)

    assert other.total(ONE, 2)[0] == 0
    assert histogram.total(ONE, 2)[0] == 0
