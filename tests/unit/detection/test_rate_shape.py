from __future__ import annotations

import numpy as np
import pytest

from auditstream.core.errors import InvariantError
from auditstream.detection.detector import Bucket, Tier
from auditstream.detection.rate_shape import RateShape

START = 29_000_160  # minutes since 1970; a whole number of buckets
NOBODY = np.zeros(4, np.bool_)


def bucket(minute, *, minutes=5, **values) -> Bucket:
    """Return a bucket; each value is a number by key, None where a key did nothing."""
    columns = {name: list(column) for name, column in values.items()}
    keys = [key for key, value in enumerate(next(iter(columns.values()))) if value is not None]
    return Bucket(
        START + minute,
        minutes,
        np.array(keys, np.int32),
        {name: np.array([column[key] for key in keys], float) for name, column in columns.items()},
    )


def detector(metric="events", keys=4, **options) -> RateShape:
    found = RateShape(metric, **options)
    found.reserve(keys)
    return found


def rates(buckets, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(300, buckets).astype(float)


def run(shape, columns, in_episode=NOBODY, first=0, **options) -> list:
    """Return the scores of five-minute buckets, a row of `columns` a bucket."""
    return [
        shape.observe(bucket((first + row) * 5, events=values, **options), in_episode)
        for row, values in enumerate(columns)
    ]


def test_a_dense_key_that_falls_silent_is_told_and_one_that_goes_on_is_not():
    shape = detector(keys=2)
    calm, nobody = rates(280), np.zeros(2, np.bool_)
    run(shape, np.column_stack([calm, rates(280, 2)]), nobody)

    found = run(shape, [(calm[row], None) for row in range(4)], nobody, first=280)

    told = {int(key) for scores in found for key in scores.keys[scores.level >= 1]}
    assert told == {1}
    assert found[-1].observed[found[-1].keys == 1] == 0
    assert found[-1].expected[found[-1].keys == 1] == pytest.approx(300, rel=0.1)


def test_a_sparse_key_is_never_judged():
    shape = detector(keys=1)
    values = [[50.0] if row % 3 == 0 else [None] for row in range(300)]

    run(shape, values, np.zeros(1, np.bool_))
    found = run(shape, [[50_000.0]], np.zeros(1, np.bool_), first=300)

    assert len(found[0].keys) == 0


def test_minutes_are_judged_when_their_five_are_together():
    by_five, by_minute = detector(keys=1), detector(keys=1)
    calm = rates(260)
    calm[-1] *= 9
    nobody = np.zeros(1, np.bool_)

    whole = run(by_five, calm[:, None], nobody)[-1]
    for row, value in enumerate(calm):
        found = [
            by_minute.observe(bucket(row * 5 + minute, minutes=1, events=[value / 5]), nobody)
            for minute in range(5)
        ]

    assert [len(each.keys) for each in found] == [0, 0, 0, 0, 1]
    assert found[-1].level[0] == pytest.approx(whole.level[0])
    assert whole.level[0] >= 1


def test_a_bucket_whose_last_minutes_never_come_is_judged_with_the_next():
    shape = detector(keys=1)
    calm, nobody = rates(260), np.zeros(1, np.bool_)
    run(shape, calm[:, None], nobody)

    assert len(shape.observe(bucket(1300, minutes=1, events=[9_000.0]), nobody).keys) == 0

    late = shape.observe(bucket(1307, minutes=1, events=[60.0]), nobody)

    assert late.observed.tolist() == [9_000.0]


def test_a_bucket_across_a_border_is_refused():
    with pytest.raises(InvariantError, match="a bucket of 5 minutes from minute 2 is not within 5"):
        detector().observe(bucket(2, events=[1.0, 1.0, 1.0, 1.0]), NOBODY)


def test_latency_is_by_output_token_and_a_few_tokens_say_nothing():
    shape = detector("latency_us_per_token", keys=1)
    rng, nobody = np.random.default_rng(3), np.zeros(1, np.bool_)

    def observe(row, tokens, us_per_token):
        return shape.observe(bucket(row * 5, paced_us=[tokens * us_per_token], paced_tokens=[tokens]), nobody)

    for row in range(280):  # tokens vary a lot, time by token does not
        observe(row, float(rng.integers(1_000, 200_000)), rng.normal(20_000, 500))

    assert observe(280, 500_000.0, 20_000.0).level.max(initial=0.0) < 1
    assert observe(281, 50.0, 2_000_000.0).level.max(initial=0.0) < 1
    slow = [observe(282 + row, 50_000.0, 90_000.0).level.max(initial=0.0) for row in range(3)]
    assert max(slow) >= 1


def test_a_share_of_failures_that_leaps_is_told():
    shape = detector("failure_share", keys=1)
    rng, nobody = np.random.default_rng(4), np.zeros(1, np.bool_)
    for row in range(280):
        events = int(rng.integers(200, 2_000))
        shape.observe(bucket(row * 5, failures=[rng.binomial(events, 0.01)], events=[events]), nobody)

    scores = [
        shape.observe(bucket((280 + row) * 5, failures=[400], events=[1000]), nobody) for row in range(2)
    ]

    assert max(each.level.max(initial=0.0) for each in scores) >= 1


def test_a_key_in_an_episode_is_always_told_and_without_values_it_cools():
    shape = detector("failure_share", keys=1)
    in_episode = np.ones(1, np.bool_)

    quiet = shape.observe(bucket(0, failures=[0.0], events=[1.0]), in_episode)

    assert quiet.keys.tolist() == [0]
    assert quiet.level.tolist() == [0.0]


def test_the_tier_is_told():
    shape = detector(keys=1)
    in_episode = np.ones(1, np.bool_)

    found = run(shape, rates(20)[:, None], in_episode)

    assert [found[row].tier[0] for row in (0, 19)] == [Tier.NEW, Tier.SPARSE]


def test_what_lasts_for_a_day_is_accepted_within_its_episode():
    shape = detector(keys=1)
    calm, nobody, one = rates(280), np.zeros(1, np.bool_), np.ones(1, np.bool_)
    run(shape, calm[:, None], nobody)

    during = run(shape, 10 * rates(288, 5)[:, None], one, first=280)
    after = run(shape, 10 * rates(18, 6)[:, None], one, first=568)

    assert during[1].level[0] >= 1
    assert max(each.level[0] for each in after[12:]) < 1


def test_a_state_goes_on_where_it_was_kept_and_keys_keep_their_rows():
    columns = np.column_stack([rates(270, seed) for seed in (1, 2, 3)])
    columns[-5, 1] *= 8
    nobody = np.zeros(3, np.bool_)
    shape, other = detector(keys=3), detector(keys=3)
    whole = run(detector(keys=3), columns, nobody)

    run(shape, columns[:250], nobody)
    other.restore({name: array.copy() for name, array in shape.state().items()})
    rest = run(other, columns[250:], nobody, first=250)

    for expected, found in zip(whole[250:], rest, strict=True):
        assert np.array_equal(expected.level, found.level)
        assert np.array_equal(expected.keys, found.keys)


def test_a_forgotten_key_begins_anew_and_its_row_serves_another():
    shape = detector(keys=2)
    nobody = np.zeros(2, np.bool_)
    run(shape, [(value, None) for value in rates(50)], nobody)
    size = len(shape.state()["hot.keys"])

    shape.forget(np.array([0], np.int32))
    found = run(shape, [(None, value) for value in rates(242, 2)], nobody, first=50)

    assert size == 1
    assert shape.state()["hot.keys"].tolist() == [1]
    assert all(len(each.keys) == 0 for each in found[:239])


def test_a_key_that_was_idle_for_a_week_loses_its_row():
    shape = detector(keys=1)
    nobody = np.zeros(1, np.bool_)
    run(shape, rates(100)[:, None], nobody)

    shape.observe(bucket(500 + 8 * 1_440, events=[5.0]), nobody)

    assert len(shape.state()["hot.keys"]) == 0
