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
from benchmarks.detection.series import SETS, LabelledSeries, SetName, held_out, load

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
        donut: Events of donut's series in time.
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
            f"{self.mean:.1f}",
        ]
        return " | ".join(cells)

    @property
    def mean(self) -> float:
        """The one figure that ideas are compared by: each set counts alike, of 100."""
        return sum(self._parts()) / 3

    def gains(self, other: PublicScores) -> tuple[float, ...]:
        """Return by how much each set's score is above that of another configuration, of 100."""
        return tuple(one - two for one, two in zip(self._parts(), other._parts(), strict=True))

    def _parts(self) -> tuple[float, float, float]:
        return self.nab, 100 * self.microsoft.f1, 100 * self.donut.f1


Sets = Mapping[SetName, Sequence[LabelledSeries]]


def tuned_on(data: Path) -> Sets:
    """Return the series of the data folder: everything here was tuned with their scores in sight."""
    return {name: load(data, name) for name in SETS}


def never_seen(published: Path, data: Path) -> Sets:
    """Return the published series that the data folder does not have."""
    return {name: held_out(published, data, name) for name in SETS}


def scores(splits: Mapping[str, Sets], play: Play) -> dict[str, PublicScores]:
    """Return what alerts score on each split; all are played at once, which takes hardly longer than one."""
    flat = {(split, name): series for split, sets in splits.items() for name, series in sets.items()}
    alerts = _alerts(flat, play)
    return {
        split: _scored({name: alerts[split, name] for name in sets}, sets) for split, sets in splits.items()
    }


def _scored(alerts: Mapping[SetName, Sequence[Alerts]], sets: Sets) -> PublicScores:
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
    sets: Mapping[tuple[str, SetName], Sequence[LabelledSeries]], play: Play
) -> Mapping[tuple[str, SetName], Sequence[Alerts]]:
    """Return alerts of every series, in its place; series of one step are played together."""
    by_step: dict[int, list[tuple[tuple[str, SetName], int]]] = {}
    for name, series in sets.items():
        for place, each in enumerate(series):
            by_step.setdefault(usual_step(each.minutes), []).append((name, place))
    found: dict[tuple[str, SetName], dict[int, Alerts]] = {name: {} for name in sets}
    for step, places in sorted(by_step.items()):
        together = play([sets[name][place] for name, place in places], step)
        for (name, place), alerts in zip(places, together, strict=True):
            found[name][place] = alerts
    return {name: [of_set[place] for place in sorted(of_set)] for name, of_set in found.items()}


def _event_cell(found: EventCounts) -> str:
    return f"{found.f1:.2f} ({found.precision:.2f}/{found.recall:.2f})"
