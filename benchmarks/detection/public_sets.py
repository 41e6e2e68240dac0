"""How alerts score on the public sets: NAB by its own rules, the others by event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.even_ticks import usual_step
from benchmarks.detection.event_scoring import EventCounts, counts
from benchmarks.detection.nab_scoring import LOW_FALSE, STANDARD, Profile, tally
from benchmarks.detection.series import SETS, LabelledSeries, SetName, load

Alerts = NDArray[np.bool_]
Play = Callable[[Sequence[LabelledSeries], int], Sequence[Alerts]]
"""Alerts of series that have one step in common."""

DONUT_DELAY = 7
"""Rows within which donut's events are to be told: 35 minutes, as its authors count."""


@dataclass(frozen=True, slots=True)
class PublicScores:
    """Scores of one configuration.

    Attributes:
        nab: NAB's standard profile, normalised: 0 for no alerts, 100 for perfect ones.
        nab_low_false: Its profile in which false alarms cost double.
        microsoft: Events of Microsoft's cloud monitoring set.
        donut: Events of donut's cpu4 in time.
    """

    nab: float
    nab_low_false: float
    microsoft: EventCounts
    donut: EventCounts

    def line(self) -> str:
        """Return the scores as a row of a table."""
        cells = [
            f"{self.nab:.1f}",
            f"{self.nab_low_false:.1f}",
            *map(_event_cell, (self.microsoft, self.donut)),
        ]
        return " | ".join(cells)


def scores(data: Path, play: Play) -> PublicScores:
    """Return what alerts score on all public sets in a folder."""
    sets = {name: load(data, name) for name in SETS}
    alerts = _alerts(sets, play)
    return PublicScores(
        nab=_nab(alerts["nab"], sets["nab"], STANDARD),
        nab_low_false=_nab(alerts["nab"], sets["nab"], LOW_FALSE),
        microsoft=_events(alerts["ms-cloud-monitoring"], sets["ms-cloud-monitoring"], None),
        donut=_events(alerts["donut"], sets["donut"], DONUT_DELAY),
    )


def _nab(alerts: Sequence[Alerts], series: Sequence[LabelledSeries], profile: Profile) -> float:
    tallies = (tally(a, s.events, profile) for a, s in zip(alerts, series, strict=True))
    return reduce(add, tallies).normalized(profile)


def _events(alerts: Sequence[Alerts], series: Sequence[LabelledSeries], delay: int | None) -> EventCounts:
    return reduce(add, (counts(a, s.events, delay=delay) for a, s in zip(alerts, series, strict=True)))


def _alerts(
    sets: Mapping[SetName, Sequence[LabelledSeries]], play: Play
) -> Mapping[SetName, Sequence[Alerts]]:
    """Return alerts of every series, in its place; series of one step are played together."""
    by_step: dict[int, list[tuple[SetName, int]]] = {}
    for name, series in sets.items():
        for place, each in enumerate(series):
            by_step.setdefault(usual_step(each.minutes), []).append((name, place))
    found: dict[SetName, dict[int, Alerts]] = {name: {} for name in sets}
    for step, places in sorted(by_step.items()):
        together = play([sets[name][place] for name, place in places], step)
        for (name, place), alerts in zip(places, together, strict=True):
            found[name][place] = alerts
    return {name: [of_set[place] for place in sorted(of_set)] for name, of_set in found.items()}


def _event_cell(found: EventCounts) -> str:
    return f"{found.f1:.2f} ({found.precision:.2f}/{found.recall:.2f})"
