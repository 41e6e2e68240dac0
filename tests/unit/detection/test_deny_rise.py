"""Refusals that are more for hours, where a burst has too few decisions: found, and quiet keys are not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from auditstream.detection.beta_binomial import tail_digits
from auditstream.detection.deny_rise import DenyRise
from auditstream.detection.detector import Bucket, Keys, Scores
from auditstream.detection.unusual_share import Tick, UnusualShare

DAY = 1_440
START = 20_140 * DAY
NONE = np.zeros(1_000, np.bool_)
QUARTERS = 96
ONE: Keys = np.array([0], np.int32)


def made(keys: int = 1) -> DenyRise:
    detector = DenyRise()
    detector.reserve(keys)
    return detector


def quarter(
    number: int,
    blocked: NDArray[np.int64],
    events: NDArray[np.int64],
    decisions: NDArray[np.int64] | None = None,
) -> Bucket:
    """Return what a quarter brought, all in its last minute; where there are decisions, they refuse."""
    keys: Keys = np.flatnonzero(events).astype(np.int32)
    decided = np.zeros_like(events) if decisions is None else decisions
    by_them = np.zeros_like(events) if decisions is None else blocked
    sums = {"blocked": blocked, "events": events, "blocked_decisions": by_them, "decisions": decided}
    return Bucket(
        START + 15 * number + 14, 1, keys, {name: each[keys].astype(float) for name, each in sums.items()}
    )


def traffic(
    random: np.random.Generator,
    rates: NDArray[np.float64],
    share: float | NDArray[np.float64],
    quarters: range,
) -> Iterator[Bucket]:
    """Yield quarters of keys by decisions a minute."""
    for number in quarters:
        events = random.poisson(15 * rates)
        yield quarter(number, random.binomial(events, share), events)


def run(detector: DenyRise, buckets: Iterator[Bucket]) -> list[Scores]:
    return [detector.observe(each, NONE) for each in buckets]


def test_two_percent_that_become_twelve_at_a_decision_every_two_minutes_are_found_within_hours() -> None:
    random, rates = np.random.default_rng(5), np.full(100, 0.5)
    detector = made(100)
    run(detector, traffic(random, rates, 0.02, range(3 * QUARTERS)))
    found: dict[int, float] = {}
    for number, scores in enumerate(run(detector, traffic(random, rates, 0.12, range(288, 288 + 32))), 1):
        for key in scores.keys[scores.level >= 1].tolist():
            found.setdefault(key, number / 4)

    assert len(found) >= 95
    assert np.median(list(found.values())) <= 5.0


def test_five_days_of_quiet_keys_opens_nothing() -> None:
    random = np.random.default_rng(6)
    rates, shares = random.uniform(0.02, 3.0, 300), random.uniform(0.0, 0.2, 300)
    scores = run(made(300), traffic(random, rates, shares, range(5 * QUARTERS)))

    assert max((each.level.max(initial=0.0) for each in scores), default=0.0) < 1


def test_hours_of_the_day_that_refuse_twice_as_much_as_others_are_hardly_ever_odd() -> None:
    random, rates = np.random.default_rng(7), np.linspace(0.1, 3.0, 200)
    detector, fired = made(200), set[int]()
    for number in range(7 * QUARTERS):
        share = 0.03 if number % QUARTERS < 24 else 0.0167
        for scores in run(detector, traffic(random, rates, share, range(number, number + 1))):
            fired.update(scores.keys[scores.level >= 1].tolist())

    assert len(fired) <= 2  # of 1,400 key-days; the simulation of benchmarks says how many of more


@pytest.mark.parametrize(("quarters", "fires"), [(QUARTERS - 2, False), (QUARTERS + 1, True)])
def test_a_key_is_judged_once_it_has_a_past_of_a_day(quarters: int, *, fires: bool) -> None:
    detector = made()
    for number in range(quarters):
        detector.observe(quarter(number, np.array([0]), np.array([10])), NONE)

    scores = detector.observe(quarter(quarters, np.array([10]), np.array([10])), NONE)

    assert (scores.level >= 1).any() == fires


def test_decisions_that_refuse_more_are_found_where_calls_and_steps_vary_and_drown_them() -> None:
    found = {}
    for by_decision in (True, False):
        random = np.random.default_rng(10)
        detector, fired = made(100), set[int]()
        for number in range(3 * QUARTERS + 4):
            decisions = random.poisson(12, 100)
            blocked = random.binomial(decisions, 0.01 if number < 3 * QUARTERS else 0.17)
            events = decisions * random.integers(1, 40, 100)
            asked = quarter(number, blocked, events, decisions if by_decision else None)
            [scores] = run(detector, iter([asked]))
            if number >= 3 * QUARTERS:
                fired.update(scores.keys[scores.level >= 1].tolist())
        found[by_decision] = len(fired)

    assert found[True] >= 60
    assert found[False] <= 5


def test_what_is_refused_without_a_decision_is_found_beside_decisions_that_refuse_nothing() -> None:
    random = np.random.default_rng(11)
    detector = made()
    events, decisions = np.array([60]), np.array([12])
    for number in range(3 * QUARTERS):
        blocked = np.array([int(random.binomial(60, 0.01))])
        detector.observe(_by_others(number, blocked, events, decisions), NONE)
    [scores] = run(detector, iter([_by_others(3 * QUARTERS, np.array([12]), events, decisions)]))

    assert scores.level[0] >= 1
    assert scores.observed[0] > 2 * scores.expected[0] > 0


def test_a_key_for_which_policies_begin_to_decide_has_no_past_of_decisions() -> None:
    events, thirty = np.array([60]), np.array([30])
    levels = {}
    for decides in (False, True):
        detector = made()
        for number in range(2 * QUARTERS):
            detector.observe(quarter(number, np.array([0]), events), NONE)
        last = quarter(2 * QUARTERS, thirty, events, thirty if decides else None)
        levels[decides] = detector.observe(last, NONE).level.max(initial=0.0)

    assert levels[False] >= 1
    assert levels[True] == 0


def _by_others(
    number: int, blocked: NDArray[np.int64], events: NDArray[np.int64], decisions: NDArray[np.int64]
) -> Bucket:
    bucket = quarter(number, blocked, events, decisions)
    return replace(bucket, values={**bucket.values, "blocked_decisions": np.zeros(1)})


def test_a_tick_of_a_quarter_may_be_fifteen_times_as_likely_as_one_of_a_minute() -> None:
    levels = []
    for minutes in (1, 15):
        share = UnusualShare((4,), 288, minutes=minutes)
        share.reserve(1)
        tick = Tick(9_600, ONE, np.array([9.0]), np.array([40.0]))
        levels.append(float(share.judge(tick, ONE, np.ones(1)).level[0]))
    score = levels[0] * 6

    assert 0 < levels[0] < levels[1] < 1.5
    assert levels[1] == pytest.approx(score / (6 - math.log10(15)))


def test_it_is_told_of_in_every_minute_until_six_hours_are_as_before() -> None:
    random, one = np.random.default_rng(8), np.array([1.0])
    detector, in_episode = made(), NONE.copy()
    run(detector, traffic(random, one, 0.02, range(3 * QUARTERS)))
    run(detector, traffic(random, one, 0.3, range(288, 288 + 12)))
    in_episode[0] = True
    values = quarter(300, *[np.zeros(0, np.int64)] * 2).values
    [between] = detector.observe(Bucket(START + 15 * 300, 1, np.zeros(0, np.int32), values), in_episode).level
    levels = [
        float(detector.observe(each, in_episode).level[0])
        for each in traffic(random, one, 0.02, range(300, 300 + 28))
    ]

    assert between >= 1
    assert min(levels[:12]) >= 1
    assert levels[-1] < 0.6


def test_what_goes_on_does_not_become_usual() -> None:
    random, one = np.random.default_rng(8), np.array([1.0])
    detector, in_episode = made(), NONE.copy()
    run(detector, traffic(random, one, 0.02, range(3 * QUARTERS)))
    levels = []
    for each in traffic(random, one, 0.2, range(288, 288 + 2 * QUARTERS)):
        levels.append(float(detector.observe(each, in_episode).level.max(initial=0.0)))
        in_episode[0] |= levels[-1] >= 1

    assert min(levels[24:]) >= 0.6


def test_chances_are_those_of_the_quarters_that_no_window_has_any_more_in_plain_python() -> None:
    random = np.random.default_rng(9)
    share = UnusualShare((4, 24), 288, minutes=15, blocks=(4, 24), prior=20, waits=True, doubt=1.0)
    share.reserve(1)
    slow = SlowRise()
    fired = 0
    for tick in range(9_600, 10_000):
        odd = 0.15 if 9_900 < tick < 9_930 else 0.02 + 0.05 * (tick // 7 % 5 == 0)
        events = int(random.poisson(15 * (0.2 if tick % 96 < 20 else 1.5)))
        hits = int(random.binomial(events, odd))
        if not events:
            continue
        now = Tick(tick, ONE, np.array([float(hits)]), np.array([float(events)]))

        found = share.judge(now, ONE, np.ones(1))
        share.learn(now, found.usual, np.ones(1))

        usual, level = slow.observe(tick, hits, events)
        assert found.usual[0] == pytest.approx(usual, rel=1e-6), f"tick {tick}"
        assert found.level[0] == pytest.approx(level, rel=1e-5, abs=1e-6), f"tick {tick}"
        fired += level >= 1
    assert 10 < fired < 60


def test_it_goes_on_bit_for_bit_where_another_was() -> None:
    rates = np.array([0.5, 2.0, 0.1])
    buckets = list(traffic(np.random.default_rng(3), rates, np.array([0.02, 0.3, 0.1]), range(200)))
    whole, first, second = made(3), made(3), made(3)
    everywhere = np.arange(1_000) < 3
    expected = [whole.observe(each, everywhere) for each in buckets]
    found = [first.observe(each, everywhere) for each in buckets[:120]]
    second.restore({name: array.copy() for name, array in first.state().items()})
    found += [second.observe(each, everywhere) for each in buckets[120:]]

    assert [each.level.tobytes() for each in found] == [each.level.tobytes() for each in expected]
    assert any((each.level > 0).any() for each in expected)


class SlowRise:
    """`UnusualShare` of one key that always teaches, from a list of all its quarters."""

    def __init__(self) -> None:
        self.quarters: dict[int, tuple[int, int, tuple[float, ...]]] = {}  # hits, events, what it teaches
        self.taught: dict[int, int] = {}  # when each was

    def observe(self, tick: int, hits: int, events: int) -> tuple[float, float]:
        """Return the usual share and the level of a quarter."""
        for at in self.quarters:
            if at // 24 <= tick // 24 - 2:
                self.taught.setdefault(at, tick)
        past = [self._past(tick, column) for column in range(8)]
        known = past[1] + 20
        usual = min(max((past[0] + 20 * 0.02) / known, 1e-4), 1 - 1e-4)
        spread = usual * (1 - usual)
        by_hour, by_block = (
            min(max((excess - math.sqrt(chance)) / (pairs + 200**2 * spread), 0), 1)
            for excess, pairs, chance in (past[2:5], past[5:8])
        )
        varies = max(by_hour, by_block), by_block
        far = 4 * math.sqrt(events * spread * (1 + (events - 1) * varies[0]))
        clipped = min(hits, events * usual + max(far, 1))
        lesson = [clipped, float(events)]
        for width in (4, 24):
            lesson += self._whole(tick, width, usual)
        self.quarters[tick] = hits, events, tuple(lesson)
        weights = [max(1 / max(each, 1 / (known + 1)) - 1, 10) for each in varies]
        return usual, max(
            self._level(tick, *each) for each in zip((4, 24), [usual] * 2, weights, strict=True)
        )

    def _whole(self, tick: int, width: int, usual: float) -> list[float]:
        """Return what the last block teaches, if this is the first quarter after it."""
        before = max(self.quarters, default=tick) // width
        if before == tick // width:
            return [0.0] * 3
        block = [each[2] for at, each in self.quarters.items() if at // width == before]
        k, n = (sum(each[column] for each in block) for column in (0, 1))
        spread = usual * (1 - usual)
        if n < 2:
            return [0.0] * 3
        chance = n * spread * max(1 + (2 * n - 6) * spread, 0)
        return [(k - n * usual) ** 2 - n * spread, n * (n - 1) * spread, chance]

    def _past(self, tick: int, column: int) -> float:
        half_life = 144 if column in {4, 7} else 288
        return sum(
            self.quarters[at][2][column] * 2 ** ((when - tick) / half_life)
            for at, when in self.taught.items()
        )

    def _level(self, tick: int, window: int, usual: float, weight: float) -> float:
        within = [self.quarters[at] for at in range(tick - window + 1, tick + 1) if at in self.quarters]
        k, n = sum(each[0] for each in within), sum(each[1] for each in within)
        level = min(k / 5, k / n / (2 * usual))
        if level < 0.6:
            return 0.0
        digits = tail_digits(*(np.array([float(each)]) for each in (k, n, usual, weight)))
        return min(level, float(digits[0]) / (6 - math.log10(15)))
