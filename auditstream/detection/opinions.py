"""Opinions on one number a key: how odd it is in size, beside its neighbours, and for its hour of the day.

No single one wins everywhere; each is cheap, and each is blind where another sees. They are told as shares of
their thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.axes import SignedLogAxis
from auditstream.detection.blocks import Blocks
from auditstream.detection.detector import Column, Keys
from auditstream.detection.hour_profile import HourProfile
from auditstream.detection.moments import Moments
from auditstream.detection.neighbourhood import Beside, Neighbourhood
from auditstream.detection.pace import Pace
from auditstream.detection.several_histograms import SeveralHistograms
from auditstream.detection.sightings import Sightings

THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {"deviation": 10.0, "value": 2.4, "difference": 2.7, "distance": 2.7, "smoothed": 2.3, "hour": 2.6}
)
"""Score at which each opinion finds a value odd: standard deviations for the first, else minus the decimal
logarithm of a tail probability. The smoothed level moves little, so less of it is odd already."""

_DEVIATION_HALF_LIFE = float(np.log(2) / -np.log(0.99))
"""Buckets after which a value counts half in mean and deviation: alpha .01, about 100 values."""

_CLIP = 20.0
"""Deviations beyond which a value counts as being there: one absurd value does not blind for a day. At 5 what
is merely bursty stays odd, which costs more than the blindness (docs/explanation/detectors.md)."""

_DECAY = 0.9995
"""What is left of a value in a histogram after five minutes: half after 4.8 days, 2,000 values in all."""

_AXIS = SignedLogAxis(unit=1e-3, high=1e10, bins=161)
"""From a thousandth, of shares, to ten thousand million, of bytes. A step is a factor 1.46: less is not odd.
An odd number of bins has one with 0 in its middle."""

_LEAST_DAYS = 3
"""Days after which the hour of the day has an opinion: until then it has seen each hour two times at best."""


class Opinions(Blocks):
    """State of the opinions by key."""

    def __init__(
        self,
        pace: Pace,
        thresholds: Mapping[str, float] = THRESHOLDS,
        *,
        tails_go_on: bool = True,
        hours: HourProfile | None = None,
    ) -> None:
        """Begin without keys.

        Args:
            pace: How fast buckets follow each other.
            thresholds: Score at which each opinion finds a value odd, `deviation` first; some may lack.
            tails_go_on: Whether tails go on beyond what was seen.
            hours: What a key does at an hour; None for the hours of the day.
        """
        self._thresholds = np.array([*thresholds.values()])
        self._tailed = tuple(name for name in thresholds if name != "deviation")
        self._tails_go_on = tails_go_on
        self.sightings = Sightings()
        self.moments = Moments(_DEVIATION_HALF_LIFE)
        self._neighbourhood = Neighbourhood()
        self._hours = HourProfile(pace) if hours is None else hours
        self._tails = SeveralHistograms(_AXIS, pace.decay(_DECAY), len(self._tailed))
        super().__init__(
            sightings=self.sightings,
            moments=self.moments,
            neighbourhood=self._neighbourhood,
            hours=self._hours,
            tails=self._tails,
        )

    def observe(
        self, keys: Keys, values: Column, tick: int, minute: int, rate: Column
    ) -> NDArray[np.float64]:
        """Judge values, then learn from them.

        Args:
            keys: Each at most once.
            values: A finite value each.
            tick: Number of the bucket; a gap of buckets is a gap of numbers.
            minute: Its start, in minutes since 1970.
            rate: Share of a whole lesson: a tenth during an episode.

        Returns:
            Shares of thresholds, a row a key and a column an opinion.
        """
        elapsed = self.sightings.elapsed(keys, tick)
        beside = self._neighbourhood.put(keys, values, elapsed)
        of_hour = self._hours.residual(keys, values, minute)
        numbers = np.column_stack([self._number(name, values, beside, of_hour) for name in self._tailed])
        deviations = np.abs(self.moments.z(keys, values))
        tails = self._tails.tail_scores(keys, numbers, tick, goes_on=self._tails_go_on)
        if "hour" in self._tailed:
            tails[:, self._tailed.index("hour")] *= self.sightings.days(keys, minute) >= _LEAST_DAYS

        self.moments.learn(keys, values, elapsed=elapsed, rate=rate, clip=_CLIP)
        self._hours.learn(keys, values, minute, rate)
        self._tails.add(keys, numbers, tick, np.repeat(rate, len(self._tailed)))
        self.sightings.saw(keys, tick, minute)
        shares: NDArray[np.float64] = np.column_stack([deviations, tails]) / self._thresholds
        return shares

    def accept(self, keys: Keys, tick: int, minute: int, share: float) -> None:
        """Take what keys did last for what they do, and give it a share of their history."""
        values = self._neighbourhood.last(keys)
        self.moments.mean[keys] = values
        still = Beside(np.zeros(len(keys)), np.zeros(len(keys)), self._neighbourhood.smoothed(keys))
        of_hour = self._hours.residual(keys, values, minute)
        numbers = np.column_stack([self._number(name, values, still, of_hour) for name in self._tailed])
        weight = share * self._tails.totals(keys, tick)
        self._tails.add(keys, numbers, tick, np.repeat(weight, len(self._tailed)))

    @staticmethod
    def _number(name: str, values: Column, beside: Beside, of_hour: Column) -> Column:
        return {
            "value": values,
            "difference": beside.difference,
            "distance": beside.distance,
            "smoothed": beside.smoothed,
            "hour": of_hour,
        }[name]
