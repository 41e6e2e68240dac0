"""Series played through `rate.shape` as it runs in production, with the alerts that it would have made.

A series is a key by itself. While it waits for its next alert it counts as in an episode, so that it teaches
as it would there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Bucket, Column
from auditstream.detection.even_ticks import even_ticks
from auditstream.detection.pace import Pace
from auditstream.detection.rate_shape import RateShape
from auditstream.detection.rearm import Rearm

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


def played(series: Sequence[Series], step: int) -> list[Played]:
    """Return what is made of each series; several at once take hardly longer than one.

    Keys know nothing of each other, so they may be moved by whole days to begin on the same one.

    Args:
        series: At least one.
        step: Minutes of a bucket.
    """
    detector, rearm = RateShape("value", minutes=step, promoted_at=0), Rearm(Pace(step))
    detector.reserve(len(series))
    rearm.reserve(len(series))
    found = [Played(np.zeros(len(each.values)), np.zeros(len(each.values), np.bool_)) for each in series]
    last = np.zeros(len(series), np.int64)
    in_episode = np.zeros(len(series), np.bool_)
    every = np.arange(len(series), dtype=np.int32)
    for tick, keys, rows in by_tick(series, step):
        values = np.array([series[key].values[row] for key, row in zip(keys, rows, strict=True)])
        detector.observe(Bucket(tick * step, step, keys, {"value": values}), in_episode)
        levels = detector.levels(keys)
        elapsed = np.where(last[keys] > 0, tick - last[keys], 1).astype(np.float64)
        alerts = rearm.alerts(keys, levels, elapsed)
        last[keys] = tick
        in_episode = rearm.waits(every)
        for key, row, level, alert in zip(keys, rows, levels, alerts, strict=True):
            found[key].levels[row] = level
            found[key].alerts[row] = alert
    return found


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
