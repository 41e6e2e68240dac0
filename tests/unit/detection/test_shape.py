from __future__ import annotations

import numpy as np
import pytest

from auditstream.detection.pace import Pace
from auditstream.detection.shape import Shape

DAY = 288  # buckets of five minutes


def traffic(days=4, seed=1) -> np.ndarray:
    """Return counts with a rhythm of the day."""
    rng = np.random.default_rng(seed)
    hours = np.arange(days * DAY) % DAY / DAY * 24
    return rng.poisson(200 + 120 * np.sin(2 * np.pi * (hours - 9) / 24)).astype(float)


def levels(columns, shape=None, *, keys=None, start=0, rate=1.0) -> np.ndarray:
    """Return the levels of series, a column a key."""
    keys = np.arange(columns.shape[1], dtype=np.int32) if keys is None else keys
    if shape is None:
        shape = Shape(Pace(5))
        shape.reserve(int(keys.max()) + 1)
    return np.array(
        [
            shape.observe(keys, values, start + row, (start + row) * 5, np.full(len(keys), rate))
            for row, values in enumerate(columns)
        ]
    )


def test_calm_traffic_stays_below_and_a_spike_a_drop_and_a_jump_rise_above():
    calm = traffic()
    spike, drop, jump = calm.copy(), calm.copy(), calm.copy()
    spike[-20] *= 8
    drop[-20:] = 0
    jump[-20:] *= 5

    found = levels(np.column_stack([calm, spike, drop, jump]))[-20:].max(axis=0)

    assert found[0] < 1
    assert (found[1:] >= 1).all()


def test_before_two_hundred_buckets_it_says_nothing():
    values = traffic(days=1)
    values[150], values[230] = 1e6, 1e7

    found = levels(values[:, None])[:, 0]

    assert found[:200].max() == 0
    assert found[230] >= 1


def test_hourly_buckets_are_judged_from_the_thirtieth():
    values = np.random.default_rng(2).poisson(50, 60).astype(float)
    shape = Shape(Pace(60))
    shape.reserve(1)
    found = [
        shape.observe(np.array([0], np.int32), values[row : row + 1], row, row * 60, np.ones(1))[0]
        for row in range(60)
    ]

    assert max(found[:30]) == 0
    assert max(found[30:]) > 0


def test_two_strong_opinions_are_needed_one_alone_is_not_enough():
    values = np.tile([10.0, 1000.0], 300)  # every value is far from the mean of its neighbours
    values[-1] = 10.0  # twice the low one: only the difference, 0, has never been seen

    assert levels(values[:, None])[-1, 0] < 1


def test_keys_do_not_mix_and_their_order_does_not_matter():
    columns = np.column_stack([traffic(days=2, seed=seed) for seed in (1, 2, 3)])
    columns[-10] *= 4
    order = np.array([2, 0, 1], np.int32)

    together = levels(columns)

    assert np.array_equal(levels(columns[:, order], keys=order)[:, np.argsort(order)], together)
    for key in range(3):
        assert np.array_equal(levels(columns[:, [key]])[:, 0], together[:, key])


def test_a_state_goes_on_where_it_was_kept():
    columns = traffic(days=2)[:, None]
    columns[-10] *= 4
    half = len(columns) // 2
    shape, other = Shape(Pace(5)), Shape(Pace(5))
    shape.reserve(1)
    whole = levels(columns)

    levels(columns[:half], shape, keys=np.array([0], np.int32))
    other.restore({name: array.copy() for name, array in shape.state().items()})
    rest = levels(columns[half:], other, keys=np.array([0], np.int32), start=half)

    assert np.array_equal(rest, whole[half:])


def test_what_is_forgotten_begins_anew():
    columns = traffic(days=2)[:, None]
    shape = Shape(Pace(5))
    shape.reserve(1)
    key = np.array([0], np.int32)

    levels(columns, shape, keys=key)
    shape.forget(key)

    assert np.array_equal(levels(columns, shape, keys=key), levels(columns))


def hourly(shape, values, start, rate) -> np.ndarray:
    key, rates = np.array([0], np.int32), np.array([rate])
    return np.array(
        [
            shape.observe(key, values[row : row + 1], start + row, (start + row) * 60, rates)[0]
            for row in range(len(values))
        ]
    )


def test_an_accepted_level_is_no_oddity_any_more():
    rng = np.random.default_rng(5)
    calm, after = rng.poisson(100, 300).astype(float), rng.poisson(1000, 48).astype(float)
    found = []
    for accepts in (False, True):
        shape = Shape(Pace(60))
        shape.reserve(1)
        hourly(shape, calm, 0, 1.0)
        hourly(shape, after[:24], 300, 0.1)
        if accepts:
            shape.accept(np.array([0], np.int32), 324, 324 * 60)
        found.append(hourly(shape, after[24:], 324, 1.0)[3])  # the bucket before counts too

    assert found[1] < 0.9 * found[0]


@pytest.mark.parametrize("value", [0.0, -5.0, 1e12])
def test_constant_values_of_any_size_are_calm(value):
    assert levels(np.full((400, 1), value)).max() < 1
