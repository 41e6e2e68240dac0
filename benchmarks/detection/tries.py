"""The configurations that were tried: what production runs, the table's vote, and one change at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.agreement import Agreement
from auditstream.detection.learning import IN_EPISODE
from auditstream.detection.opinions import THRESHOLDS, Opinions
from auditstream.detection.pace import BUCKET, Pace
from auditstream.detection.rearm import Rearm
from auditstream.detection.replay import Series, by_tick, played
from benchmarks.detection.series import LabelledSeries
from benchmarks.detection.week_profile import WeekProfile

Alerts = NDArray[np.bool_]

TABLE: Mapping[str, float] = {"deviation": 6.0, "value": 2.4, "difference": 2.7, "smoothed": 2.3, "hour": 2.6}
"""Opinions and thresholds of the 2-of-5 vote that the design measured."""


_SIX: Mapping[str, float] = {**THRESHOLDS, "deviation": TABLE["deviation"]}


def production(series: Sequence[LabelledSeries], step: int) -> Sequence[Alerts]:
    """Return the alerts of `rate.shape` as it runs."""
    return [each.alerts for each in played([Series(each.minutes, each.values) for each in series], step)]


@dataclass(frozen=True, slots=True)
class Try:
    """A configuration of the same blocks.

    Attributes:
        thresholds: The opinions and their thresholds.
        bar: Share of its threshold from which on an opinion counts.
        tails_go_on: Whether tails go on beyond what was seen.
        warm_up: Buckets before anything is said; None for 1,000 minutes of values and 30 buckets.
        follows_time: Whether memories and silences are spans of time in buckets finer than five minutes.
        lesson: What a key that has alerted teaches until it may alert again.
        weekly: Whether hours are those of the week, for keys that they fit.
    """

    thresholds: Mapping[str, float] = field(default_factory=lambda: THRESHOLDS)
    bar: float = 1.1
    tails_go_on: bool = True
    warm_up: int | None = None
    follows_time: bool = True
    lesson: float = IN_EPISODE
    weekly: bool = False

    def __call__(self, series: Sequence[LabelledSeries], step: int) -> Sequence[Alerts]:
        """Return the alerts of series of one step."""
        # Hours of the day are counted by the true length of a bucket, silences by what is asked for.
        pace = Pace(step if self.follows_time else max(step, BUCKET))
        hours = WeekProfile(pace) if self.weekly else None
        opinions = Opinions(pace, self.thresholds, tails_go_on=self.tails_go_on, hours=hours)
        rearm = Rearm(pace)
        agreement = Agreement(len(self.thresholds), self.bar)
        for block in (opinions, rearm, agreement):
            block.reserve(len(series))
        warm_up = self.warm_up if self.warm_up is not None else max(30, 1_000 / step)
        last = np.zeros(len(series), np.int64)
        found = [np.zeros(len(each.values), np.bool_) for each in series]
        for tick, keys, rows in by_tick([Series(each.minutes, each.values) for each in series], step):
            values = np.array([series[key].values[row] for key, row in zip(keys, rows, strict=True)])
            is_warm = opinions.sightings.count[keys] >= warm_up
            lesson = np.where(rearm.waits(keys), self.lesson, 1.0)
            shares = opinions.observe(keys, values, tick, tick * step, lesson)
            levels = agreement.level(keys, shares)
            elapsed = np.where(last[keys] > 0, tick - last[keys], 1).astype(np.float64)
            last[keys] = tick
            alerts = rearm.alerts(keys, np.where(is_warm, levels, 0.0), elapsed)
            for key, row, alert in zip(keys, rows, alerts, strict=True):
                found[key][row] = alert
        return found


VOTE = Try(TABLE, bar=1.0, tails_go_on=False, warm_up=200, follows_time=False, lesson=1.0)
_NEXT = replace(VOTE, follows_time=True, tails_go_on=True, warm_up=None)

STEPS: Mapping[str, Try] = {
    "2-of-5 vote of the table, recomputed": VOTE,
    "and tails that go on, judged from 1,000 minutes": _NEXT,
    "and the distance beside the value: 2 of 6": replace(_NEXT, thresholds=_SIX),
    "and a bar of 1.1": replace(_NEXT, thresholds=_SIX, bar=1.1),
    "and a tenth of a lesson during an episode": replace(_NEXT, thresholds=_SIX, bar=1.1, lesson=IN_EPISODE),
}
"""From the design's vote to production, one change after the other."""

IDEAS: Mapping[str, Try] = {
    "tails that go on": Try(tails_go_on=False),
    "the distance beside the value": Try(thresholds={n: t for n, t in THRESHOLDS.items() if n != "distance"}),
    "a bar of 1.1": Try(bar=1.0),
    "a deviation from 10 on, not 6": Try(thresholds=_SIX),
    "a tenth of a lesson during an episode": Try(lesson=1.0),
    "silences and memories as spans of time": Try(follows_time=False),
}
"""Production without each of its ideas: what the idea is worth beside the others."""

MORE: Mapping[str, Try] = {"production with hours of the week": Try(weekly=True)}
"""Production with what it does not have."""
