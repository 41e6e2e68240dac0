"""How often a key's events are hit, and how much that share varies by itself: decayed counts.

Two events of one block of ticks are more alike than chance makes them where the share varies: that is the
overdispersion of a beta-binomial, taken from squared distances by the method of moments.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys

PRIOR_WEIGHT = 200.0
"""Events that the tenant's share counts as: a key's own counts for half after 200."""

_CLIP = 4.0
"""Deviations beyond which a tick is learnt as being there."""

_HITS, _EVENTS = 0, 1
_EXCESS, _PAIRS, _CHANCE = range(3)
VARIED = 3
"""Sums of a key: events hit, and events; then for each window, of blocks of some ticks: excess of squared
distances over what independent events make, n (n - 1) p q, which is what that would be if all of a block were
alike, and the variance that chance gives the excess, n p q (1 + (2 n - 6) p q) for a binomial."""


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


class ShareCounts(ArrayBlock):
    """Decayed counts of a key, and how much its ticks varied."""

    ARRAYS = ("_sums", "_last")

    def __init__(self, half_life: float, doubt: float, windows: int) -> None:
        self._half_life = half_life
        self._doubt = doubt
        self._windows = windows
        self._sums = np.zeros((0, 2 + VARIED * windows))
        self._last: NDArray[np.int32] = np.zeros(0, np.int32)

    def clipped(self, tick: Tick, usual: Column) -> Column:
        """Return the hits of a tick, at most `_CLIP` deviations more than usual."""
        keys, events = tick.keys, tick.events
        spread = usual * (1 - usual)
        alike = self.correlation(keys, usual, 0)
        deviation = np.sqrt(events * spread * (1 + np.maximum(events - 1, 0) * alike))
        return np.minimum(tick.hits, events * usual + np.maximum(_CLIP * deviation, 1.0))

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
        weights = np.column_stack([share, share, *[calm] * VARIED * self._windows])
        decay = np.column_stack([left, left, *[left, left, left**2] * self._windows])
        self._sums[keys] = self._sums[keys] * decay + weights * lessons
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
        return np.divide(hits, events, out=np.zeros(len(keys)), where=events > 0), events >= PRIOR_WEIGHT

    def correlation(self, keys: Keys, usual: Column, window: int) -> Column:
        """Return how much two events of a window are alike, from 0 to 1: the overdispersion.

        They are at least as much alike as those of a longer window, where a slow change is seen that a short
        one has too few events to show. Each begins as if a block of `PRIOR_WEIGHT` events had been seen that
        had nothing in common.
        """
        sums = self._sums[keys, 2 + VARIED * window :].reshape(len(keys), self._windows - window, VARIED)
        excess = sums[:, :, _EXCESS]
        if self._doubt:
            excess = excess - self._doubt * np.sqrt(sums[:, :, _CHANCE])
        prior = PRIOR_WEIGHT**2 * usual * (1 - usual)
        correlation: Column = np.clip(excess / (sums[:, :, _PAIRS] + prior[:, None]), 0.0, 1.0).max(axis=1)
        return correlation


def varied(hits: Column, events: Column, usual: Column) -> NDArray[np.float64]:
    """Return what some events at once teach of how much a share varies: `_EXCESS`, `_PAIRS`, `_CHANCE`."""
    spread = usual * (1 - usual)
    counts = np.where(events > 1, 1.0, 0.0)
    excess = (hits - events * usual) ** 2 - events * spread
    chance = events * spread * np.maximum(1 + (2 * events - 6) * spread, 0.0)
    return np.column_stack([counts * excess, counts * (events * (events - 1) * spread), counts * chance])
