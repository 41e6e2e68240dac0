"""`spend.surge` and `cost.unit_drift`: against plain Python, replayed, kept, forgotten and renumbered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

from auditstream.core.errors import InvariantError
from auditstream.detection import ages, hot_rows, spend_surge, unit_drift
from auditstream.detection.detector import Bucket, Detector, Keys, Scores, Tier
from auditstream.detection.spend_surge import SpendSurge
from auditstream.detection.unit_drift import (
    OUTPUT_TOKENS,
    RATIOS,
    TOKEN_TIME,
    UNCACHED_SHARE,
    UNIT_COST,
    UnitDrift,
)
from tests.support.slow_detectors import SlowSpendSurge, SlowUnitDrift

START = 29_000_000
KEYS = 7
NAMES = (
    "events",
    "calls",
    "spend",
    "usage_spend",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "paced_us",
    "paced_tokens",
)


@pytest.fixture(autouse=True)
def short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let keys be warm after 300 active minutes and five hours, so that a test sees it within a second."""
    monkeypatch.setattr(ages, "WARM_FROM", 300)
    monkeypatch.setattr(ages, "WARM_AFTER", 300)
    monkeypatch.setattr(spend_surge, "PROMOTED_AT", 100)


def traffic(minutes: int, seed: int = 3, start: int = START) -> Iterator[Bucket]:
    """Keys from one that is always active to one that hardly is; all surge for a while, one for good."""
    random = np.random.default_rng(seed)
    activity = np.linspace(1.0, 0.1, KEYS)
    for minute in range(minutes):
        keys = np.flatnonzero(random.random(KEYS) < activity).astype(np.int32)
        surge = np.where((minute // 20) % 29 == keys, 12.0, 1.0)
        dear = np.where(minute % 400 > 360, 5.0, 1.0) * np.where((keys == 2) & (minute > 900), 6.0, 1.0)
        events = random.poisson(8 * surge) + 1.0
        values = {name: events * random.gamma(4, 5, len(keys)) for name in NAMES}
        spend = events * dear * random.gamma(9, 0.01, len(keys))
        values |= {"events": events, "calls": events, "spend": 9 * spend, "usage_spend": spend}
        yield Bucket(start + minute, 1, keys, values)


def run(
    detector: Detector, buckets: Iterator[Bucket], in_episode: np.ndarray | None = None
) -> Iterator[tuple[Bucket, np.ndarray, Scores]]:
    """Observe buckets; a key that fires is in an episode until it is cool."""
    in_episode = np.zeros(64, np.bool_) if in_episode is None else in_episode
    for bucket in buckets:
        before = in_episode.copy()
        scores = detector.observe(bucket, in_episode)
        in_episode[scores.keys] = scores.level >= np.where(in_episode[scores.keys], 0.6, 1.0)
        yield bucket, before, scores


def made(make: Callable[[], Detector]) -> Detector:
    detector = make()
    detector.reserve(KEYS)
    return detector


DETECTORS = [
    pytest.param(SpendSurge, id="surge"),
    *(pytest.param(partial(UnitDrift, ratio), id=ratio.metric) for ratio in RATIOS),
]


def test_a_surge_has_the_scores_of_the_same_formulas_in_plain_python() -> None:
    slow = SlowSpendSurge(300, 300, 100, spend_surge._RATIO, spend_surge._Z)
    tiers, fired = set(), 0

    for bucket, before, scores in run(made(SpendSurge), traffic(1_300)):
        spends = dict(zip(bucket.keys.tolist(), bucket.values["usage_spend"].tolist(), strict=True))
        expected = slow.observe(bucket.start, spends, np.flatnonzero(before).tolist())

        assert dict(zip(scores.keys.tolist(), scores.level.tolist(), strict=True)) == pytest.approx(
            expected, rel=1e-4
        ), f"minute {bucket.start - START}"
        tiers |= set(scores.tier.tolist())
        fired += int((scores.level >= 1).sum())

    assert tiers == {Tier.SPARSE, Tier.WARM}
    assert fired > 20


def test_a_drift_has_the_scores_of_the_same_formulas_in_plain_python() -> None:
    parents = {1: 0, 6: 0, 5: 6}
    slow = SlowUnitDrift(unit_drift._Z, unit_drift._TOLD_FROM, unit_drift._UNKNOWN_DEVIATION, parents)
    detector = made(lambda: UnitDrift(UNIT_COST))
    assert isinstance(detector, UnitDrift)
    detector.adopt(np.array([*parents], np.int32), np.array([*parents.values()], np.int32))
    fired = 0

    for bucket, before, scores in run(detector, traffic(2_500)):
        done = dict(
            zip(
                bucket.keys.tolist(),
                zip(bucket.values["usage_spend"].tolist(), bucket.values["calls"].tolist(), strict=True),
                strict=True,
            )
        )
        expected = slow.observe(bucket.start, done, np.flatnonzero(before).tolist())

        assert dict(zip(scores.keys.tolist(), scores.level.tolist(), strict=True)) == pytest.approx(
            expected, rel=1e-4, abs=1e-4
        ), f"minute {bucket.start - START}"
        fired += int((scores.level >= 1).sum())

    assert fired > 20


@pytest.mark.parametrize("make", DETECTORS)
def test_a_detector_that_takes_up_where_another_was_goes_on_bit_for_bit(make: Callable[[], Detector]) -> None:
    buckets = list(traffic(700))
    whole = [scores for _, _, scores in run(made(make), iter(buckets))]
    in_episode = np.zeros(64, np.bool_)
    first = made(make)
    half = [scores for _, _, scores in run(first, iter(buckets[:350]), in_episode)]

    second = made(make)
    second.restore({name: array.copy() for name, array in first.state().items()})
    half += [scores for _, _, scores in run(second, iter(buckets[350:]), in_episode)]

    assert len(whole) == len(half)
    for one, other in zip(whole, half, strict=True):
        for field in ("keys", "level", "score", "observed", "expected", "excess", "tier"):
            assert getattr(one, field).tobytes() == getattr(other, field).tobytes()


@pytest.mark.parametrize("make", DETECTORS)
def test_numbers_of_keys_do_not_matter(make: Callable[[], Detector]) -> None:
    other_number = np.array([40, 3, 17, 5, 60, 0, 22], np.int32)
    renumbered = []
    for bucket in traffic(400):
        order = np.argsort(other_number[bucket.keys])
        values = {name: column[order] for name, column in bucket.values.items()}
        renumbered.append(Bucket(bucket.start, 1, other_number[bucket.keys][order], values))
    other = make()
    other.reserve(61)

    pairs = zip(run(made(make), traffic(400)), run(other, iter(renumbered)), strict=True)

    for (_, _, one), (_, _, two) in pairs:
        by_key = np.argsort(other_number[one.keys])
        assert np.array_equal(other_number[one.keys][by_key], two.keys)
        assert one.level[by_key].tolist() == two.level.tolist()


@pytest.mark.parametrize("make", DETECTORS)
def test_a_key_that_is_forgotten_is_as_a_new_one(make: Callable[[], Detector]) -> None:
    def alone(bucket: Bucket) -> Bucket:
        here = bucket.keys == 0
        return Bucket(bucket.start, 1, bucket.keys[here], {n: c[here] for n, c in bucket.values.items()})

    used = made(make)
    for _ in run(used, traffic(250)):
        pass
    used.forget(np.arange(KEYS, dtype=np.int32))
    later = [alone(bucket) for bucket in traffic(300, seed=4, start=START + 250)]

    def levels(detector: Detector) -> list[list[float]]:
        # In an episode in the end, so that it is told of whatever its level.
        return [
            detector.observe(bucket, np.arange(64) == (0 if at > 200 else -1)).level.tolist()
            for at, bucket in enumerate(later)
        ]

    again, fresh = levels(used), levels(made(make))

    assert again == fresh
    assert any(map(any, fresh))


def test_buckets_of_other_lengths_are_refused() -> None:
    keys: Keys = np.zeros(0, np.int32)

    with pytest.raises(InvariantError, match=r"spend\.surge takes buckets of one minute, got one of 5"):
        made(SpendSurge).observe(
            Bucket(START, 5, keys, {"usage_spend": np.zeros(0)}), np.zeros(KEYS, np.bool_)
        )


def steady(minutes: int, spend: float, events: float = 10.0, start: int = START) -> Iterator[Bucket]:
    for minute in range(minutes):
        amounts = {"usage_spend": np.array([spend])}
        values = {name: np.array([events]) for name in NAMES} | amounts
        yield Bucket(start + minute, 1, np.zeros(1, np.int32), values)


@pytest.mark.parametrize("make", DETECTORS[:2])
def test_a_new_level_is_resisted_for_a_day_and_then_accepted(make: Callable[[], Detector]) -> None:
    detector = made(make)
    in_episode = np.zeros(64, np.bool_)
    for _ in run(detector, steady(700, 1.0), in_episode):
        pass

    levels = {}
    for bucket, _, scores in run(detector, steady(1_500, 30.0, start=START + 700), in_episode):
        in_episode[0] = True  # an episode outlives the minutes in which it is cool
        levels[bucket.start - START - 700] = scores.level.tolist()

    assert levels[20][0] > 1
    assert levels[1_450][0] < 1


def test_a_histogram_is_taken_back_after_idle_days_and_given_again() -> None:
    detector = made(SpendSurge)
    assert isinstance(detector, SpendSurge)
    for bucket in steady(400, 1.0):
        detector.observe(bucket, np.zeros(64, np.bool_))
    assert detector._hot.keys.tolist() == [0]

    later = START + 400 + hot_rows.IDLE_MINUTES + 60
    for bucket in steady(1, 1.0, start=later):
        detector.observe(bucket, np.zeros(64, np.bool_))

    assert detector._hot.keys.tolist() == []
    assert detector._ages.tiers(np.zeros(1, np.int32), later + 300).tolist() == [Tier.SPARSE]
    for bucket in steady(50, 1.0, start=later + 1):
        detector.observe(bucket, np.zeros(64, np.bool_))
    assert detector._hot.keys.tolist() == [0]


def test_dearer_requests_are_told_of_whatever_their_number_does() -> None:
    detector = made(lambda: UnitDrift(UNIT_COST))
    for bucket in steady(300, 1.0):
        detector.observe(bucket, np.zeros(64, np.bool_))

    [more] = [
        detector.observe(bucket, np.zeros(64, np.bool_))
        for bucket in steady(1, 10.0, events=100.0, start=START + 300)
    ]
    [dearer] = [
        detector.observe(bucket, np.zeros(64, np.bool_))
        for bucket in steady(1, 40.0, events=10.0, start=START + 301)
    ]

    assert more.level.tolist() == []
    assert dearer.level[0] >= 1
    assert dearer.excess[0] == pytest.approx(40.0 - 1.0, rel=1e-3)
    assert dearer.expected[0] == pytest.approx(0.1, rel=1e-3)


def test_other_events_and_bills_beside_the_calls_are_no_drift() -> None:
    detector = made(lambda: UnitDrift(UNIT_COST))
    nobody = np.zeros(KEYS, np.bool_)
    values = {name: np.array([10.0]) for name in NAMES}

    def levels(**changes: float) -> list[float]:
        changed = {name: np.array([value]) for name, value in changes.items()}
        return detector.observe(
            Bucket(next(minutes), 1, np.zeros(1, np.int32), values | changed), nobody
        ).level.tolist()

    minutes = iter(range(START, START + 1_000))
    for _ in range(200):
        levels()
    assert [levels(events=500.0, spend=400.0) for _ in range(20)] == [[]] * 20
    assert max(max(levels(usage_spend=100.0), default=0.0) for _ in range(20)) >= 1


@pytest.mark.parametrize(
    ("ratio", "observed"), [(OUTPUT_TOKENS, 4.0), (TOKEN_TIME, 0.25), (UNCACHED_SHARE, 0.9), (UNIT_COST, 0.5)]
)
def test_ratios_have_the_units_of_their_names(ratio: unit_drift.Ratio, observed: float) -> None:
    values = {
        "events": np.array([900.0]),
        "calls": np.array([100.0]),
        "spend": np.array([90.0]),
        "usage_spend": np.array([50.0]),
        "input_tokens": np.array([1000.0]),
        "cache_read_tokens": np.array([100.0]),
        "output_tokens": np.array([400.0]),
        "paced_us": np.array([100_000.0]),
        "paced_tokens": np.array([400.0]),
    }
    detector = made(lambda: UnitDrift(ratio))
    for minute in range(61):
        scores = detector.observe(
            Bucket(START + minute, 1, np.zeros(1, np.int32), values), np.ones(KEYS, np.bool_)
        )

    assert scores.observed.tolist() == pytest.approx([observed], rel=1e-3)
