"""Whether more of a key's events are hit than its past allows: k of n in windows, by a beta-binomial.

k of n are held against what the key's share was, and against how much it has varied. A key that has hardly
any history borrows its tenant's. Time is counted in ticks: minutes, or quarters of an hour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.beta_binomial import tail_digits
from auditstream.detection.blocks import Block, Blocks
from auditstream.detection.detector import COOL, Column, Keys
from auditstream.detection.minute_sums import MinuteSums
from auditstream.detection.parents import Parents
from auditstream.detection.share_counts import PRIOR_WEIGHT, VARIED, ShareCounts, Tick, varied
from auditstream.detection.waiting_lessons import TickBlock, WaitingLessons

__all__ = ["Tick", "UnusualShare", "Verdict"]

_DIGITS = 6.0
"""-log10 of the chance in a minute from which on it fires: once in a million of them, two years of a key. Of
windows that are looked at less often, each may be as much more likely: two years are two years."""

_LEAST = 5.0
"""Events refused, at least: one user who retries twice is no burst."""

_TIMES = 2.0
"""Times the usual share, at least: with many events, a share that is a little higher is as unlikely."""

_UNKNOWN_SHARE = 0.02
"""Share of a tenant that is not known yet: most refuse less, and one that refuses more is told of once."""

_LEAST_SHARE = 1e-4
"""Share that a key which never had one is held against: one of 10,000 must not be impossible."""

_LEAST_WEIGHT = 10.0
"""Trials that an expectation is worth at least: below, no share would be unlikely any more."""


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


class UnusualShare(Blocks):
    """Shares of keys, judged tick by tick."""

    def __init__(
        self,
        windows: Sequence[int],
        half_life: float,
        *,
        minutes: int = 1,
        blocks: Sequence[int] = (),
        prior: float = PRIOR_WEIGHT,
        waits: bool = False,
        doubt: float = 0.0,
    ) -> None:
        """Begin without keys.

        Args:
            windows: Ticks that are looked at together; several lengths, ascending, are judged side by side.
            half_life: Ticks after which what was counted weighs half.
            minutes: Length of a tick.
            blocks: Ticks that are looked at as one to see how much a share varies, for each window; single
                ones when empty.
            prior: Events that the tenant's share counts as.
            waits: Whether what is in a window teaches only when no window has it any more.
            doubt: Deviations that chance makes, which are taken off how much a share seems to vary.
        """
        self._windows, self._prior = windows, prior
        self._digits = _DIGITS - math.log10(minutes)
        self._hits, self._events = MinuteSums(max(windows)), MinuteSums(max(windows))
        self._counts = ShareCounts(half_life, doubt, len(windows))
        self._waiting = WaitingLessons(max(windows), 2 + VARIED * len(windows)) if waits else None
        self._blocks = [TickBlock(each) for each in blocks]
        self._parents = Parents()
        parts: dict[str, Block] = {} if self._waiting is None else {"waiting": self._waiting}
        parts |= {f"block_{place}": block for place, block in enumerate(self._blocks)}
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
        usual, known = self._expectation(keys, tick.at)
        first, *others = (
            self._in_window(keys, tick.at, width, usual, self._weight(keys, usual, known, window))
            for window, width in enumerate(self._windows)
        )
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
        hits = self._counts.clipped(tick, usual)
        whole = [each.put(tick.keys, hits, tick.events, tick.at) for each in self._blocks]
        whole = whole or [(hits, tick.events)] * len(self._windows)
        lessons = np.column_stack([hits, tick.events, *(varied(*each, usual) for each in whole)])
        if self._waiting is None:
            self._counts.learn(tick.keys, lessons, share, tick.at)
        else:
            self._waiting.add(tick.keys, lessons)

    def accept(self, keys: Keys, observed: Column) -> None:
        """Take a share for the keys' own: as sure as they were of the old one."""
        self._counts.accept(keys, observed)

    def begin_anew(self, keys: Keys) -> None:
        """Forget what keys did, and not whose share is lent to them."""
        for each in (self._hits, self._events, self._counts, self._waiting, *self._blocks):
            if each is not None:
                each.forget(keys)

    def is_known(self, keys: Keys) -> NDArray[np.bool_]:
        """Return which keys have a past of their own, of as many events as lend a share to others."""
        return self._counts.shares(keys)[1]

    def _expectation(self, keys: Keys, at: int) -> tuple[Column, Column]:
        """Return the usual share, and how many events it is known by."""
        counts = self._counts
        hits, events = counts.known(keys, at)
        lent = self._parents.lent(keys, counts.shares, _UNKNOWN_SHARE)
        known = events + self._prior
        usual = (hits + self._prior * lent) / known
        return np.clip(usual, _LEAST_SHARE, 1 - _LEAST_SHARE), known

    def _weight(self, keys: Keys, usual: Column, known: Column, window: int) -> Column:
        """Return how many trials the usual share is worth."""
        correlation = np.maximum(self._counts.correlation(keys, usual, window), 1 / (known + 1))
        return np.maximum(1 / correlation - 1, _LEAST_WEIGHT)

    def _in_window(self, keys: Keys, at: int, width: int, usual: Column, weight: Column) -> Verdict:
        k, n = self._hits.total(keys, at, width), self._events.total(keys, at, width)
        observed = np.divide(k, n, out=np.zeros(len(k)), where=n > 0)
        level = np.minimum(k / _LEAST, observed / (_TIMES * usual))
        score = np.zeros(len(k))
        # The tail costs a sum: it is taken where the other conditions leave something to say.
        close = np.flatnonzero((level >= COOL) & (k <= n))
        score[close] = tail_digits(np.round(k[close]), np.round(n[close]), usual[close], weight[close])
        return Verdict(np.minimum(level, score / self._digits), score, observed, usual)
