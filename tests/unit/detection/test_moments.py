from __future__ import annotations

import numpy as np
import pytest

from auditstream.detection.moments import Moments

ONE = np.array([0], np.int32)


def learnt(values, half_life=1e9, **options) -> Moments:
    moments = Moments(half_life)
    moments.reserve(1)
    for value in values:
        moments.learn(ONE, np.array([value]), **options)
    return moments


def test_without_decay_mean_and_variance_are_those_of_all_values():
    values = np.random.default_rng(1).gamma(2.0, 50.0, 500)

    moments = learnt(values)

    assert moments.mean[0] == pytest.approx(values.mean())
    assert moments.variance[0] == pytest.approx(values.var())


def test_a_value_weighs_half_after_the_half_life():
    values = np.random.default_rng(2).normal(10.0, 3.0, 400)
    weights = 0.5 ** (np.arange(len(values))[::-1] / 20)

    moments = learnt(values, half_life=20)

    assert moments.mean[0] == pytest.approx(np.average(values, weights=weights), rel=1e-3)
    assert moments.variance[0] == pytest.approx(np.cov(values, aweights=weights, ddof=0), rel=1e-2)


def test_a_gap_decays_what_was_known_as_values_in_it_would_have():
    gap, filled = learnt([5.0] * 20 + [9.0] * 20, half_life=10), learnt([5.0] * 20 + [9.0] * 20, half_life=10)

    gap.learn(ONE, np.array([1.0]), elapsed=30)
    for _ in range(30):
        filled.learn(ONE, np.array([1.0]))

    assert gap.mean[0] == pytest.approx(filled.mean[0])


def test_a_shock_moves_the_mean_no_further_than_the_clip():
    calm = np.random.default_rng(3).normal(100.0, 1.0, 200)
    before, after = learnt(calm, half_life=50, clip=4), learnt([*calm, 1e6], half_life=50, clip=4)
    alpha = 1 - 0.5 ** (1 / 50)

    assert after.mean[0] - before.mean[0] == pytest.approx(alpha * 4 * before.variance[0] ** 0.5)


def test_what_never_varied_still_learns_its_first_other_value():
    moments = learnt([7.0] * 50 + [8.0], half_life=50, clip=4)

    assert moments.mean[0] > 7.0
    assert moments.variance[0] > 0


def test_during_an_episode_a_value_teaches_a_tenth():
    calm = [1.0, 3.0] * 50
    whole, tenth = learnt(calm, half_life=50), learnt(calm, half_life=50)
    start = whole.mean[0]

    whole.learn(ONE, np.array([3.0]))
    tenth.learn(ONE, np.array([3.0]), rate=0.1)

    assert tenth.mean[0] - start == pytest.approx((whole.mean[0] - start) / 10)
    assert tenth.count[0] == pytest.approx(100.1)


def test_no_deviation_is_no_opinion_and_a_floor_gives_one():
    moments = learnt([5.0] * 30)

    assert moments.z(ONE, np.array([9.0]))[0] == 0
    assert moments.z(ONE, np.array([9.0]), floor=2.0)[0] == 2


def test_keys_neither_mix_nor_need_an_order():
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, (50, 3))
    order = np.array([2, 0, 1], np.int32)
    straight, shuffled = Moments(20), Moments(20)
    straight.reserve(3)
    shuffled.reserve(3)

    for row in values:
        straight.learn(np.arange(3, dtype=np.int32), row)
        shuffled.learn(order, row[order])

    assert np.array_equal(straight.mean, shuffled.mean)
    assert straight.mean[1] == learnt(values[:, 1], half_life=20).mean[0]


def test_what_is_restored_goes_on_as_what_was_kept_and_what_is_forgotten_begins_anew():
    moments, other, fresh = learnt([1.0, 2.0, 5.0]), Moments(1e9), Moments(1e9)
    fresh.reserve(1)

    other.restore({name: each.copy() for name, each in moments.state().items()})
    other.learn(ONE, np.array([4.0]))
    moments.learn(ONE, np.array([4.0]))

    assert other.variance[0] == moments.variance[0]

    other.forget(ONE)

    assert [each[0] for each in other.state().values()] == [each[0] for each in fresh.state().values()]


def test_a_state_of_another_form_is_left_out():
    moments = learnt([1.0, 2.0])

    moments.restore({"mean": np.zeros(1), "variance": np.zeros((1, 2)), "count": np.zeros(1)})

    assert moments.mean[0] == 1.5
