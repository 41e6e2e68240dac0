"""Bursts of refusals and errors: against plain Python, and what a tenant's history does for its keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from auditstream.detection.burst import Burst, deny_burst, error_burst
from auditstream.detection.detector import Bucket, Keys, Scores, Tier
from tests.support.slow_detectors import SlowBurst

START = 29_000_000
NONE = np.zeros(64, np.bool_)


def bucket(minute: int, done: dict[int, tuple[float, float]]) -> Bucket:
    """Return a minute of keys with their refused, or failed, events and all events."""
    keys: Keys = np.array(sorted(done), np.int32)
    hits = np.array([done[key][0] for key in sorted(done)])
    events = np.array([done[key][1] for key in sorted(done)])
    return Bucket(START + minute, 1, keys, {"blocked": hits, "failures": hits, "events": events})


def made(make: Callable[[], Burst] = deny_burst, keys: int = 8) -> Burst:
    detector = make()
    detector.reserve(keys)
    return detector


def traffic(minutes: int) -> Iterator[dict[int, tuple[float, float]]]:
    random = np.random.default_rng(11)
    for minute in range(minutes):
        keys = np.flatnonzero(random.random(6) < np.linspace(1, 0.2, 6))
        events = random.poisson(12.0, len(keys)) + 1.0
        share = np.where(keys == minute // 40 % 11, 0.6, np.array([0.01, 0.03, 0.1, 0.0, 0.02, 0.05])[keys])
        share = np.where(keys == 2, random.beta(1, 9, len(keys)), share)
        hits = random.binomial(events.astype(int), share).astype(float)
        yield dict(zip(keys.tolist(), zip(hits.tolist(), events.tolist(), strict=True), strict=True))


def observed(
    detector: Burst, minutes: Iterator[dict[int, tuple[float, float]]], start: int = 0
) -> Iterator[Scores]:
    for minute, done in enumerate(minutes, start):
        yield detector.observe(bucket(minute, done), NONE)


@pytest.mark.parametrize("make", [deny_burst, error_burst])
def test_scores_are_those_of_the_same_formulas_in_plain_python(make: Callable[[], Burst]) -> None:
    parents = {1: 0, 3: 0, 5: 4}
    slow, detector = SlowBurst(parents, rebaselines=make is error_burst), made(make)
    detector.adopt(np.array([*parents], np.int32), np.array([*parents.values()], np.int32))
    in_episode, fired = NONE.copy(), 0

    for minute, done in enumerate(traffic(1_700)):
        expected = slow.observe(START + minute, done, np.flatnonzero(in_episode).tolist())
        scores = detector.observe(bucket(minute, done), in_episode)

        found = dict(zip(scores.keys.tolist(), scores.level.tolist(), strict=True))
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6), f"minute {minute}"
        fired += int((scores.level >= 1).sum())
        in_episode[scores.keys] = scores.level >= np.where(in_episode[scores.keys], 0.6, 1.0)
        in_episode[0] |= 50 < minute < 1_600  # longer than the day after which a level is accepted

    assert fired > 50


def test_a_new_key_fires_at_once_and_says_that_it_is_new() -> None:
    [scores] = observed(made(), iter([{3: (9.0, 10.0)}]))

    assert scores.keys.tolist() == [3]
    assert scores.level[0] >= 1
    assert scores.tier.tolist() == [Tier.NEW]
    assert (scores.observed[0], scores.expected[0]) == (0.9, pytest.approx(0.02))


def test_a_tenant_that_refuses_much_lends_that_to_its_new_keys() -> None:
    own, lent = made(), made()
    lent.adopt(np.array([3], np.int32), np.array([0], np.int32))
    for detector in (own, lent):
        list(observed(detector, iter([{0: (40.0, 100.0)}] * 300)))

    [alone] = observed(own, iter([{3: (9.0, 15.0)}]), 300)
    [in_tenant] = observed(lent, iter([{3: (9.0, 15.0)}]), 300)

    assert alone.level[0] >= 1
    assert in_tenant.level.tolist() in ([], [pytest.approx(0.7, abs=0.11)])


@pytest.mark.parametrize(
    ("hits", "events"),
    [
        (4.0, 4.0),  # fewer than five
        (30.0, 1_000.0),  # less than twice the usual share
        (5.0, 60.0),  # likely enough
    ],
)
def test_no_condition_alone_is_enough(hits: float, events: float) -> None:
    detector = made()
    list(observed(detector, iter([{0: (2.0, 100.0)}] * 200)))
    list(observed(detector, iter([{}] * 5), 200))

    assert all((scores.level < 1).all() for scores in observed(detector, iter([{0: (hits, events)}]), 205))


def test_a_share_that_varies_much_needs_more_to_be_a_burst() -> None:
    steady, varying = made(), made()
    random = np.random.default_rng(2)
    for minute in range(1_000):
        steady.observe(bucket(minute, {0: (5.0, 100.0)}), NONE)
        varying.observe(bucket(minute, {0: (10.0 * (random.random() < 0.5), 100.0)}), NONE)

    one, other = (
        detector.observe(bucket(1_005, {0: (20.0, 100.0)}), np.arange(64) == 0)
        for detector in (steady, varying)
    )

    assert one.level[0] >= 1
    assert other.level[0] < 1
    assert one.score[0] > 1.3 * other.score[0] > 0


def test_refusals_that_go_on_stay_an_episode_and_errors_become_usual() -> None:
    levels = {}
    for make in (deny_burst, error_burst):
        detector, in_episode = made(make), NONE.copy()
        for minute in range(200):
            detector.observe(bucket(minute, {0: (2.0, 100.0)}), in_episode)
        in_episode[0] = True
        for minute in range(200, 200 + 1_460):
            scores = detector.observe(bucket(minute, {0: (50.0, 100.0)}), in_episode)
        levels[make.__name__] = scores.level[0]

    assert levels["deny_burst"] >= 0.6
    assert levels["error_burst"] < 0.6


def test_it_goes_on_bit_for_bit_where_another_was() -> None:
    minutes = list(traffic(400))
    whole = list(observed(made(), iter(minutes)))
    first, second = made(), made()
    half = list(observed(first, iter(minutes[:200])))
    second.restore({name: array.copy() for name, array in first.state().items()})
    half += list(observed(second, iter(minutes[200:]), 200))

    assert [each.level.tobytes() for each in whole] == [each.level.tobytes() for each in half]
    assert [each.keys.tobytes() for each in whole] == [each.keys.tobytes() for each in half]


def test_a_forgotten_key_is_new_again_and_lends_nothing() -> None:
    detector = made()
    detector.adopt(np.array([1], np.int32), np.array([0], np.int32))
    list(observed(detector, iter([{0: (40.0, 100.0), 1: (40.0, 100.0)}] * 100)))

    detector.forget(np.array([0, 1], np.int32))

    [scores] = observed(detector, iter([{1: (9.0, 10.0)}]), 100)
    assert scores.expected.tolist() == [pytest.approx(0.02)]
    assert scores.tier.tolist() == [Tier.NEW]
    assert math.isclose(scores.observed[0], 0.9)
