"""Series played through a detector as it runs in production, with the alerts that it would have made.

A series is a key by itself. While it waits for its next alert it counts as in an episode, so that it teaches
as it would there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Bucket, Column, Detector, Keys, Scores
from auditstream.detection.even_ticks import even_ticks
from auditstream.detection.pace import Pace
from auditstream.detection.rate_shape import RateShape
from auditstream.detection.rearm import Rearm
from auditstream.detection.spend_surge import SpendSurge

_DAY = 1_440


class Series(NamedTuple):
    """A number over time.

    Attributes:
        minutes: When each value was taken, in minutes since 1970, not going back.
        values: The values; those that are not finite are left out, as if nobody had taken them.
    """

    minutes: NDArray[np.int64]
    values: Column


class Played(NamedTuple):
    """What was made of a series, by value.

    Attributes:
        levels: Score as a share of the threshold.
        alerts: Whether it alerted.
    """

    levels: Column
    alerts: NDArray[np.bool_]


class Probe(NamedTuple):
    """How a detector takes a series that is a key by itself.

    Attributes:
        make: Returns a new one, for buckets of so many minutes.
        value: Which value of a bucket the series is.
        takes_minutes: Whether it takes buckets of one minute only: a longer one's value came in its first.
    """

    make: Callable[[int], Detector]
    value: str
    takes_minutes: bool = False


PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        RateShape.slug: Probe(lambda step: RateShape("value", minutes=step, promoted_at=0), "value"),
        SpendSurge.slug: Probe(lambda _: SpendSurge(), "usage_spend", takes_minutes=True),
    }
)
"""Detectors of one number, by slug; the others weigh several against each other."""


def played(series: Sequence[Series], step: int, probe: Probe = PROBES[RateShape.slug]) -> list[Played]:
    """Return what is made of each series; several at once take hardly longer than one.

    Keys know nothing of each other, so they may be moved by whole days to begin on the same one.

    Args:
        series: At least one.
        step: Minutes of a bucket.
        probe: The detector.
    """
    detector, rearm = probe.make(step), Rearm(Pace(step))
    length = 1 if probe.takes_minutes else step
    detector.reserve(len(series))
    rearm.reserve(len(series))
    found = [Played(np.zeros(len(each.values)), np.zeros(len(each.values), np.bool_)) for each in series]
    last = np.zeros(len(series), np.int64)
    in_episode = np.zeros(len(series), np.bool_)
    every = np.arange(len(series), dtype=np.int32)
    for tick, keys, rows in by_tick(series, step):
        values = np.array([series[key].values[row] for key, row in zip(keys, rows, strict=True)])
        scores = detector.observe(Bucket(tick * step, length, keys, {probe.value: values}), in_episode)
        levels = detector.levels(keys) if isinstance(detector, RateShape) else _levels(scores, keys)
        elapsed = np.where(last[keys] > 0, tick - last[keys], 1).astype(np.float64)
        alerts = rearm.alerts(keys, levels, elapsed)
        last[keys] = tick
        in_episode = rearm.waits(every)
        for key, row, level, alert in zip(keys, rows, levels, alerts, strict=True):
            found[key].levels[row] = level
            found[key].alerts[row] = alert
    return found


def _levels(scores: Scores, keys: Keys) -> Column:
    """Return the levels of keys; 0 where the detector says nothing, as of what is far from its threshold."""
    levels = np.zeros(len(keys))
    _, places, told = np.intersect1d(keys, scores.keys, assume_unique=True, return_indices=True)
    levels[places] = scores.level[told]
    return levels


def by_tick(series: Sequence[Series], step: int) -> list[tuple[int, NDArray[np.int32], NDArray[np.int64]]]:
    """Return keys and rows of each bucket, in order of time."""
    first_days = np.array([each.minutes[0] // _DAY if len(each.minutes) else 0 for each in series])
    keys, rows, ticks = [], [], []
    for key, each in enumerate(series):
        kept = np.flatnonzero(np.isfinite(each.values))
        moved = each.minutes + (first_days.max() - first_days[key]) * _DAY
        ticks.append(even_ticks(moved, step)[kept])
        rows.append(kept)
        keys.append(np.full(len(kept), key, np.int32))
    all_ticks, all_keys, all_rows = np.concatenate(ticks), np.concatenate(keys), np.concatenate(rows)
    order = np.lexsort((all_keys, all_ticks))
    distinct, starts = np.unique(all_ticks[order], return_index=True)
    pieces = np.split(order, starts[1:])
    return [
        (int(tick), all_keys[piece], all_rows[piece]) for tick, piece in zip(distinct, pieces, strict=True)
    ]
