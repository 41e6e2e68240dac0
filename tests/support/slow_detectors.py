"""The detectors of money again, one key at a time in plain Python: oracles of the vectorised ones.

Formulas are written out from their description, without the product's blocks; where the product keeps single
precision these keep double, so scores agree to some digits only.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass
class SlowMoments:
    """Exponentially weighted mean and variance of one key."""

    half_life: float
    mean: float = 0.0
    variance: float = 0.0
    count: float = 0.0

    def learn(self, value: float, share: float, floor: float) -> None:
        """Take a value in, clipped at four deviations once ten were learnt."""
        distance = value - self.mean
        reach = 4 * max(math.sqrt(self.variance), floor)
        if self.count >= 10 and reach > 0:
            distance = min(max(distance, -reach), reach)
        alpha = max(1 - 2 ** (-1 / self.half_life), 1 / (self.count + 1)) * share
        self.mean += alpha * distance
        self.variance = (1 - alpha) * (self.variance + alpha * distance**2)
        self.count += share


@dataclass
class SlowEpisode:
    """When a key's episode began, and what it teaches."""

    since: int | None = None
    accepted: bool = False

    def lesson(self, minute: int, is_in: bool) -> tuple[float, bool]:
        """Return the share of an update, and whether the level is accepted just now."""
        if not is_in:
            self.since, self.accepted = None, False
            return 1.0, False
        self.since = minute if self.since is None else self.since
        if minute - self.since < 1_440:
            return 0.1, False
        just_now, self.accepted = not self.accepted, True
        return 1.0, just_now


@dataclass
class SurgeKey:
    """What `SlowSpendSurge` knows of a key."""

    spend: dict[int, float] = field(default_factory=dict)
    first: int | None = None
    last: int = 0
    active: int = 0
    window: int | None = None
    window_total: float = 0.0
    window_share: float = 1.0
    windows: SlowMoments = field(default_factory=lambda: SlowMoments(100.0))
    history: list[tuple[int, int, float]] | None = None  # minute, bin, weight
    episode: SlowEpisode = field(default_factory=SlowEpisode)

    def total(self, minute: int, width: int) -> float:
        """Return what was spent in the last minutes."""
        return sum(self.spend.get(each, 0.0) for each in range(minute - width + 1, minute + 1))


class SlowSpendSurge:
    """`spend.surge`."""

    def __init__(self, warm_from: int, warm_after: int, promoted_at: int, ratio: float, z: float) -> None:
        self.keys: dict[int, SurgeKey] = {}
        self.warm_from, self.warm_after, self.promoted_at = warm_from, warm_after, promoted_at
        self.ratio, self.z = ratio, z

    def observe(
        self, minute: int, spends: Mapping[int, float], episodes: Collection[int]
    ) -> dict[int, float]:
        """Return the levels of keys that have an opinion on them."""
        levels = {}
        for key in sorted({*spends, *episodes}):
            known = self.keys.setdefault(key, SurgeKey())
            if key in spends:
                known.spend[minute] = spends[key]
            level = self._level(known, minute)
            if level is not None and (level >= 0.6 or key in episodes):
                levels[key] = level
            self._learn(known, minute, spends.get(key), key in episodes)
        return levels

    def _level(self, key: SurgeKey, minute: int) -> float | None:
        if key.active < 60:
            return None
        is_warm = key.active >= self.warm_from and minute - (key.first or 0) >= self.warm_after
        weights = [0.9999 ** (minute - at) * weight for at, _, weight in key.history or ()]
        if is_warm and sum(weights) >= 200:
            return key.total(minute, 15) / max(self._tail(key, weights), 0.05) / self.ratio
        if key.windows.count < 30:
            return None
        mean = key.windows.mean
        deviation = max(math.sqrt(key.windows.variance), 0.5 * mean, 0.05)
        return (key.total(minute, 5) - mean) / deviation / self.z

    def _tail(self, key: SurgeKey, weights: list[float]) -> float:
        bins = [0.0] * 96
        for (_, place, _), weight in zip(key.history or (), weights, strict=True):
            bins[place] += weight
        wanted, below = 0.995 * sum(bins), 0.0
        for place, weight in enumerate(bins):
            if below + weight >= wanted and weight > 0:
                return 1e-5 * 1e10 ** ((place + (wanted - below) / weight) / 96)
            below += weight
        raise AssertionError("a histogram without weight has no tail")

    def _learn(self, key: SurgeKey, minute: int, spend: float | None, is_in: bool) -> None:
        share, just_accepted = key.episode.lesson(minute, is_in)
        if spend is not None:
            key.first = minute if key.first is None else key.first
            key.last, key.active = minute, key.active + 1
            if key.window != minute // 5:
                if key.window is not None:
                    key.windows.learn(key.window_total, key.window_share, 0.0)
                key.window, key.window_total, key.window_share = minute // 5, 0.0, share
            key.window_total += spend
            key.window_share = min(key.window_share, share)
            if key.history is None and key.active >= self.promoted_at:
                key.history = []
        if just_accepted:
            key.windows.mean = key.total(minute, 5)
        if key.history is not None and (spend is not None or just_accepted):
            weight = share
            if just_accepted:
                weight = max(share, 0.01 * sum(0.9999 ** (minute - at) * each for at, _, each in key.history))
            value = max(key.total(minute, 15), 1e-5)
            key.history.append((minute, min(int(math.log(value / 1e-5) * (96 / math.log(1e10))), 95), weight))


@dataclass
class DriftKey:
    """What `SlowUnitDrift` knows of a key."""

    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    at: int = 0
    active: int = 0
    excess: dict[int, float] = field(default_factory=dict)
    moments: SlowMoments = field(default_factory=lambda: SlowMoments(69.0))
    episode: SlowEpisode = field(default_factory=SlowEpisode)


class SlowUnitDrift:
    """`cost.unit_drift` of spend by events."""

    def __init__(self, z: float, told_from: float, unknown: float, parents: Mapping[int, int]) -> None:
        self.keys: dict[int, DriftKey] = {}
        self.z, self.told_from, self.unknown, self.parents = z, told_from, unknown, parents

    def observe(
        self, minute: int, done: Mapping[int, tuple[float, float]], episodes: Collection[int]
    ) -> dict[int, float]:
        """Return the levels of keys that have an opinion on them; `done` is spend and events by key."""
        levels, lessons = {}, []
        for key in sorted({*done, *episodes}):
            known = self.keys.setdefault(key, DriftKey())
            if key in done:
                spend, events = done[key]
                left = 0.85 ** (minute - known.at)
                known.sums = [known.sums[0] * left + spend, known.sums[1] * left + events]
                known.at = minute
                if known.active >= 60:
                    known.excess[minute] = spend - events * math.exp(known.moments.mean)
            value = math.log(max(known.sums[0] / known.sums[1], 1e-12)) if known.sums[1] else math.log(1e-12)
            if known.active >= 60 and known.moments.count > 0:
                level = self._level(known, self._lent(key), value, minute)
                if level >= 0.6 or key in episodes:
                    levels[key] = level
            lessons.append((known, value, key in done, key in episodes))
        # What parents lend is as of before the minute.
        for known, value, is_active, is_in in lessons:
            share, just_accepted = known.episode.lesson(minute, is_in)
            known.active += is_active
            if known.sums[1] >= 3:
                if just_accepted:
                    known.moments.mean = value
                if is_active:
                    known.moments.learn(value, share, 0.05)
        return levels

    def _lent(self, key: int) -> float:
        parent = self.keys.get(self.parents.get(key, -1))
        if parent is None or parent.moments.count < 60:
            return self.unknown**2
        return parent.moments.variance

    def _level(self, key: DriftKey, lent: float, value: float, minute: int) -> float:
        count = key.moments.count
        variance = (count * key.moments.variance + 200 * lent) / (count + 200)
        z = (value - key.moments.mean) / max(math.sqrt(variance), 0.05) if key.sums[1] >= 3 else 0.0
        excess = sum(key.excess.get(each, 0.0) for each in range(minute - 14, minute + 1))
        return min(z / self.z, excess / self.told_from)


@dataclass
class BurstKey:
    """What `SlowBurst` knows of a key."""

    done: dict[int, tuple[float, float]] = field(default_factory=dict)
    hits: float = 0.0
    events: float = 0.0
    excess: float = 0.0
    pairs: float = 0.0
    last: int = 0
    episode: SlowEpisode = field(default_factory=SlowEpisode)


class SlowBurst:
    """`guardrail.deny_burst` and `error.burst`."""

    def __init__(self, parents: Mapping[int, int], *, rebaselines: bool) -> None:
        self.keys: dict[int, BurstKey] = {}
        self.parents, self.rebaselines = parents, rebaselines

    def observe(
        self, minute: int, done: Mapping[int, tuple[float, float]], episodes: Collection[int]
    ) -> dict[int, float]:
        """Return the levels of keys; `done` is events that were hit and all events by key."""
        levels, lessons = {}, []
        for key in sorted({*done, *episodes}):
            known = self.keys.setdefault(key, BurstKey())
            if key in done:
                known.done[minute] = done[key]
            usual, weight = self._expectation(key, minute)
            k = sum(known.done.get(each, (0, 0))[0] for each in range(minute - 4, minute + 1))
            n = sum(known.done.get(each, (0, 0))[1] for each in range(minute - 4, minute + 1))
            level = min(k / 5, k / n / (2 * usual)) if n else 0.0
            digits = self._digits(k, n, usual, weight) if level >= 0.6 else 0.0
            level = min(level, digits / 6)
            if level >= 0.6 or key in episodes:
                levels[key] = level
            lessons.append((known, usual, done.get(key), key in episodes, k / n if n else 0.0))
        for known, usual, did, is_in, share_now in lessons:
            share, just_accepted = known.episode.lesson(minute, is_in)
            if not self.rebaselines:
                share, just_accepted = (0.1 if is_in else 1.0), False
            if did is not None:
                self._learn(known, minute, usual, did, share)
            if just_accepted:
                known.hits = share_now * known.events
        return levels

    def _expectation(self, key: int, minute: int) -> tuple[float, float]:
        known, parent = self.keys[key], self.keys.get(self.parents.get(key, -1))
        lent = parent.hits / parent.events if parent and parent.events >= 200 else 0.02
        left = 2 ** ((known.last - minute) / 1_440)
        events = known.events * left + 200
        usual = min(max((known.hits * left + 200 * lent) / events, 1e-4), 1 - 1e-4)
        correlation = max(self._correlation(known, usual), 1 / (events + 1))
        return usual, max(1 / correlation - 1, 10)

    def _correlation(self, key: BurstKey, usual: float) -> float:
        return min(max(key.excess / (key.pairs + 200**2 * usual * (1 - usual)), 0), 1)

    def _digits(self, k: float, n: float, usual: float, weight: float) -> float:
        a, b = usual * weight, (1 - usual) * weight

        def beta(one: float, other: float) -> float:
            return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)

        chance = math.fsum(
            math.comb(int(n), j) * math.exp(beta(j + a, n - j + b) - beta(a, b))
            for j in range(int(k), int(n) + 1)
        )
        return max(-math.log10(chance), 0.0)

    def _learn(
        self, key: BurstKey, minute: int, usual: float, did: tuple[float, float], share: float
    ) -> None:
        hits, n = did
        spread = usual * (1 - usual)
        deviation = math.sqrt(n * spread * (1 + max(n - 1, 0) * self._correlation(key, usual)))
        hits = min(hits, n * usual + max(4 * deviation, 1))
        left = 2 ** ((key.last - minute) / 1_440)
        is_calm = share == 1 and n > 1
        key.excess = key.excess * left + is_calm * ((hits - n * usual) ** 2 - n * spread)
        key.pairs = key.pairs * left + is_calm * n * (n - 1) * spread
        key.hits = key.hits * left + share * hits
        key.events = key.events * left + share * n
        key.last = minute
