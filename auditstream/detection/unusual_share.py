"""Whether more of a key's events are hit than its past allows: k of n in windows, by a beta-binomial.

k of n are held against what the key's share was, and against how much it has varied. A key that has hardly
any history borrows its tenant's. Time is counted in ticks: minutes, or quarters of an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.beta_binomial import tail_digits
from auditstream.detection.blocks import ArrayBlock, Block, Blocks
from auditstream.detection.detector import COOL, Column, Keys
from auditstream.detection.minute_sums import MinuteSums
from auditstream.detection.parents import Parents

_DIGITS = 6.0
"""-log10 of the chance from which on it fires: once a million windows, some years of a key."""

_LEAST = 5.0
"""Events refused, at least: one user who retries twice is no burst."""

_TIMES = 2.0
"""Times the usual share, at least: with many events, a share that is a little higher is as unlikely."""

_PRIOR_WEIGHT = 200.0
"""Events that the tenant's share counts as: a key's own counts for half after 200."""

_UNKNOWN_SHARE = 0.02
"""Share of a tenant that is not known yet: most refuse less, and one that refuses more is told of once."""

_LEAST_SHARE = 1e-4
"""Share that a key which never had one is held against: one of 10,000 must not be impossible."""

_CLIP = 4.0
"""Deviations beyond which a tick is learnt as being there."""

_LEAST_WEIGHT = 10.0
"""Trials that an expectation is worth at least: below, no share would be unlikely any more."""


_SUMS = 5
_HITS, _EVENTS, _EXCESS, _PAIRS, _CHANCE = range(_SUMS)
"""Sums of a key: events hit, events, excess of squared distances over what independent events make,
n (n - 1) p q, which is what that would be if all of a tick were alike, and the variance that chance gives the
excess, n p q (1 + (2 n - 6) p q) for a binomial."""


class Tick(NamedTuple):
    """What keys did in a tick.

    Attributes:
        at: Its number.
        keys: Keys that did anything, ascending.
        hits: Events of each that were hit: refused, or failed.
        events: Events of each.
    """

    at: int
    keys: Keys
    hits: Column
    events: Column


class Verdict(NamedTuple):
    """What is said of keys, of each that of the window in which it is oddest.

    Attributes:
        level: Score as a share of the threshold, and of the other conditions the one that is met least.
        score: -log10 of the chance.
        observed: Share that was hit.
        usual: Share that was expected.
    """

    level: Column
    score: Column
    observed: Column
    usual: Column


class _Counts(ArrayBlock):
    """Decayed counts of a key, and how much its ticks varied."""

    ARRAYS = ("_sums", "_last")

    def __init__(self, half_life: float, doubt: float) -> None:
        self._half_life = half_life
        self._doubt = doubt
        self._sums = np.zeros((0, _SUMS))
        self._last: NDArray[np.int32] = np.zeros(0, np.int32)

    def lessons(self, tick: Tick, usual: Column) -> NDArray[np.float64]:
        """Return what a tick adds to sums, a row a key; of hits at most `_CLIP` deviations from the usual."""
        keys, hits, events = tick.keys, tick.hits, tick.events
        spread = usual * (1 - usual)
        deviation = np.sqrt(events * spread * (1 + np.maximum(events - 1, 0) * self.correlation(keys, usual)))
        clipped = np.minimum(hits, events * usual + np.maximum(_CLIP * deviation, 1.0))
        counts = np.where(events > 1, 1.0, 0.0)
        lessons = np.empty((len(keys), _SUMS))
        lessons[:, _HITS] = clipped
        lessons[:, _EVENTS] = events
        lessons[:, _EXCESS] = counts * ((clipped - events * usual) ** 2 - events * spread)
        lessons[:, _PAIRS] = counts * (events * (events - 1) * spread)
        lessons[:, _CHANCE] = counts * events * spread * np.maximum(1 + (2 * events - 6) * spread, 0.0)
        return lessons

    def learn(self, keys: Keys, lessons: NDArray[np.float64], share: Column, at: int) -> None:
        """Add lessons.

        Args:
            keys: Each at most once.
            lessons: A row each.
            share: Share of an update that each teaches.
            at: The tick that it is.
        """
        left = self.left(keys, at)
        # How much a share varies is learnt outside of episodes alone: a new level is not a varying one.
        calm = np.where(share >= 1, 1.0, 0.0)
        for column, weight in ((_HITS, share), (_EVENTS, share), (_EXCESS, calm), (_PAIRS, calm)):
            self._sums[keys, column] = self._sums[keys, column] * left + weight * lessons[:, column]
        self._sums[keys, _CHANCE] = self._sums[keys, _CHANCE] * left**2 + calm * lessons[:, _CHANCE]
        self._last[keys] = at

    def known(self, keys: Keys, at: int) -> tuple[Column, Column]:
        """Return what is left of hits and of events by a tick."""
        left = self.left(keys, at)
        return self._sums[keys, _HITS] * left, self._sums[keys, _EVENTS] * left

    def left(self, keys: Keys, at: int) -> Column:
        """Return what is left of sums by a tick."""
        left: Column = np.exp2((self._last[keys] - at) / self._half_life)
        return left

    def accept(self, keys: Keys, observed: Column) -> None:
        """Take a share for the keys' own."""
        self._sums[keys, _HITS] = observed * self._sums[keys, _EVENTS]

    def shares(self, keys: Keys) -> tuple[Column, NDArray[np.bool_]]:
        """Return the share of each key, and whether there were enough events to lend it to others."""
        hits, events = self._sums[keys, _HITS], self._sums[keys, _EVENTS]
        return np.divide(hits, events, out=np.zeros(len(keys)), where=events > 0), events >= _PRIOR_WEIGHT

    def correlation(self, keys: Keys, usual: Column) -> Column:
        """Return how much two events of one tick are alike, from 0 to 1: the overdispersion.

        It begins as if a tick of `_PRIOR_WEIGHT` events had been seen that had nothing in common.
        """
        pairs = self._sums[keys, _PAIRS] + _PRIOR_WEIGHT**2 * usual * (1 - usual)
        excess = self._sums[keys, _EXCESS]
        if self._doubt:
            excess = excess - self._doubt * np.sqrt(self._sums[keys, _CHANCE])
        correlation: Column = np.clip(excess / pairs, 0.0, 1.0)
        return correlation


class _Waiting(ArrayBlock):
    """Lessons that wait until nothing is held against them any more: two blocks of time, by key.

    A block is as long as the longest window, so that a window lies in the block of now and the one before.
    """

    ARRAYS = ("_now", "_before", "_block")

    def __init__(self, ticks: int) -> None:
        self._ticks = ticks
        self._now = np.zeros((0, _SUMS))
        self._before = np.zeros((0, _SUMS))
        self._block: NDArray[np.int32] = np.zeros(0, np.int32)

    def due(self, keys: Keys, at: int) -> NDArray[np.float64]:
        """Return the lessons of keys that have waited for long enough by a tick, and turn to it."""
        block = at // self._ticks
        passed = (block - self._block[keys])[:, None]
        now, before = self._now[keys], self._before[keys]
        due = np.where(passed >= 1, before, 0.0) + np.where(passed > 1, now, 0.0)
        self._before[keys] = np.where(passed == 1, now, np.where(passed > 1, 0.0, before))
        self._now[keys] = np.where(passed >= 1, 0.0, now)
        self._block[keys] = block
        return due

    def add(self, keys: Keys, lessons: NDArray[np.float64]) -> None:
        """Add lessons of the block that `due` turned to."""
        self._now[keys] += lessons


class UnusualShare(Blocks):
    """Shares of keys, judged tick by tick."""

    def __init__(
        self,
        windows: Sequence[int],
        half_life: float,
        *,
        prior: float = _PRIOR_WEIGHT,
        waits: bool = False,
        doubt: float = 0.0,
    ) -> None:
        """Begin without keys.

        Args:
            windows: Ticks that are looked at together; several lengths are judged side by side.
            half_life: Ticks after which what was counted weighs half.
            prior: Events that the tenant's share counts as.
            waits: Whether what is in a window teaches only when no window has it any more.
            doubt: Deviations that chance makes, which are taken off how much a share seems to vary.
        """
        self._windows, self._prior = windows, prior
        self._hits, self._events = MinuteSums(max(windows)), MinuteSums(max(windows))
        self._counts = _Counts(half_life, doubt)
        self._waiting = _Waiting(max(windows)) if waits else None
        self._parents = Parents()
        parts: dict[str, Block] = {} if self._waiting is None else {"waiting": self._waiting}
        super().__init__(
            hits=self._hits, events=self._events, counts=self._counts, parents=self._parents, **parts
        )

    def adopt(self, keys: Keys, parents: Keys) -> None:
        """Name the key, a tenant's, whose share counts for that of each key while it is young."""
        self._parents.adopt(keys, parents)

    def judge(self, tick: Tick, keys: Keys, share: Column) -> Verdict:
        """Take a tick in, and judge keys by it; `learn` is to follow.

        Args:
            tick: What happened, later than all before.
            keys: Keys to be judged, ascending: those of the tick, and those that are in an episode.
            share: Share of an update that each of these teaches.
        """
        if self._waiting is not None:
            self._counts.learn(keys, self._waiting.due(keys, tick.at), share, tick.at)
        self._hits.put(tick.keys, tick.hits, tick.at)
        self._events.put(tick.keys, tick.events, tick.at)
        usual, weight = self._expectation(keys, tick.at)
        first, *others = (self._in_window(keys, tick.at, each, usual, weight) for each in self._windows)
        found = first
        for other in others:
            is_odder = other.level > found.level
            found = Verdict(*(np.where(is_odder, *both) for both in zip(other, found, strict=True)))
        return found

    def learn(self, tick: Tick, usual: Column, share: Column) -> None:
        """Learn a tick.

        Args:
            tick: What happened.
            usual: Share that was expected of each of its keys.
            share: Share of an update that each of them teaches.
        """
        lessons = self._counts.lessons(tick, usual)
        if self._waiting is None:
            self._counts.learn(tick.keys, lessons, share, tick.at)
        else:
            self._waiting.add(tick.keys, lessons)

    def accept(self, keys: Keys, observed: Column) -> None:
        """Take a share for the keys' own: as sure as they were of the old one."""
        self._counts.accept(keys, observed)

    def is_known(self, keys: Keys) -> NDArray[np.bool_]:
        """Return which keys have a past of their own, of as many events as lend a share to others."""
        return self._counts.shares(keys)[1]

    def _expectation(self, keys: Keys, at: int) -> tuple[Column, Column]:
        """Return the usual share, and how many trials it is worth."""
        counts = self._counts
        hits, events = counts.known(keys, at)
        lent = self._parents.lent(keys, counts.shares, _UNKNOWN_SHARE)
        known = events + self._prior
        usual = (hits + self._prior * lent) / known
        usual = np.clip(usual, _LEAST_SHARE, 1 - _LEAST_SHARE)
        correlation = np.maximum(counts.correlation(keys, usual), 1 / (known + 1))
        return usual, np.maximum(1 / correlation - 1, _LEAST_WEIGHT)

    def _in_window(self, keys: Keys, at: int, width: int, usual: Column, weight: Column) -> Verdict:
        k, n = self._hits.total(keys, at, width), self._events.total(keys, at, width)
        observed = np.divide(k, n, out=np.zeros(len(k)), where=n > 0)
        level = np.minimum(k / _LEAST, observed / (_TIMES * usual))
        score = np.zeros(len(k))
        # The tail costs a sum: it is taken where the other conditions leave something to say.
        close = np.flatnonzero((level >= COOL) & (k <= n))
        score[close] = tail_digits(np.round(k[close]), np.round(n[close]), usual[close], weight[close])
        return Verdict(np.minimum(level, score / _DIGITS), score, observed, usual)
