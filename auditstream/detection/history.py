"""A key's past through a detector: its minutes, with the episodes that it would have opened.

The detector and the episodes are those of production, fed as there: minute by minute, the tenant as a whole
beside the key, for young keys stand on it. What a rollup does not have, a detector that needs it cannot say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.burst import Burst
from auditstream.detection.detector import Bucket, Column, Detector, Scores
from auditstream.detection.episodes import Episodes, Judged
from auditstream.detection.money_gate import UNKNOWN_STAKES, Stakes
from auditstream.detection.rate_shape import RateShape
from auditstream.detection.surroundings import Evidence, Subject
from auditstream.detection.unit_drift import OUTPUT_TOKENS, UNCACHED_SHARE, UNIT_COST, Ratio, UnitDrift
from schemas.records.detection import Finding

SUMS = (
    "events", "calls", "failures", "unpriced", "input_tokens", "output_tokens", "cache_read_tokens", "spend",
    "usage_spend",
)  # fmt: skip
"""Sums of a minute that a history has, by their names in a bucket."""

Sums = Mapping[str, Column]
Shown = Callable[[Sums], Column]


class Usage(NamedTuple):
    """What a tenant used, by minute, and what of it was a key's.

    Attributes:
        minutes: Minutes since 1970 in which the tenant used anything, ascending.
        tenant: Sums of each by the names of `SUMS`.
        own: The same of the key, 0 where it did nothing; None where the key is the tenant as a whole.
    """

    minutes: NDArray[np.int64]
    tenant: Sums
    own: Sums | None = None


class Backtested(NamedTuple):
    """What a detector would have said, by minute of the usage.

    Attributes:
        values: What it looks at.
        levels: Score as a share of the threshold; 0 where it says nothing, as of what is far from it.
        opened: The finding with which an episode opened in the minute; None where none did.
    """

    values: Column
    levels: Column
    opened: list[Finding | None]


def _of(ratio: Ratio) -> Shown:
    return lambda of: _share(ratio.over(of), ratio.under(of))


def _spend(of: Sums) -> Column:
    return of["spend"]


def _failed(of: Sums) -> Column:
    return _share(of["failures"], of["events"])


def _share(part: Column, whole: Column) -> Column:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


SHOWN: Mapping[tuple[str, str], Shown] = MappingProxyType(
    {
        ("rate.shape", "events"): lambda of: of["events"],
        ("rate.shape", "failure_share"): _failed,
        ("spend.surge", "spend"): lambda of: of["usage_spend"],
        ("spend.creep", "spend_1d"): _spend,
        ("cost.unit_drift", UNIT_COST.metric): _of(UNIT_COST),
        ("cost.unit_drift", OUTPUT_TOKENS.metric): _of(OUTPUT_TOKENS),
        ("cost.unit_drift", UNCACHED_SHARE.metric): _of(UNCACHED_SHARE),
        ("error.burst", "failed_share"): _failed,
    }
)
"""What of a minute a detector looks at, by slug and metric: those that a history of `SUMS` can feed. The
others need durations, or what guardrails refused."""


def backtested(detector: Detector, subject: Subject, usage: Usage) -> Backtested:
    """Return what a detector without history would have said of a key.

    Args:
        detector: One of `SHOWN`; it has learnt the past afterwards.
        subject: What the key stands for.
        usage: What it and its tenant used.
    """
    sums = [usage.tenant] if usage.own is None else [usage.tenant, usage.own]
    whole = Subject(subject.tenant_id, "", subject.currency)
    key, count = len(sums) - 1, len(usage.minutes)
    episodes = Episodes(_Alone([whole, subject][: len(sums)]))
    detector.reserve(len(sums))
    levels = np.zeros(count)
    opened: list[Finding | None] = [None] * count
    table = {name: np.column_stack([each[name] for each in sums]) for name in SUMS}
    is_known = False
    for row, minute in enumerate(usage.minutes.tolist()):
        active = np.flatnonzero(table["events"][row])
        if key in active and not is_known:
            is_known = True
            _adopt(detector, key)
        bucket = Bucket(
            minute, 1, active.astype(np.int32), {n: each[row, active] for n, each in table.items()}
        )
        scores = detector.observe(bucket, episodes.in_episode(detector.slug, len(sums), detector.metric))
        named = detector.slug, detector.metric, detector.version, detector.family
        found = episodes.step(minute + 1, [Judged(*named, scores, minute, 1)])
        levels[row] = _level(detector, scores, key)
        opened[row] = next(
            (each for each in found if each.version == 0 and each.scope == subject.scope), None
        )
    return Backtested(SHOWN[detector.slug, detector.metric](sums[key]), levels, opened)


def _adopt(detector: Detector, key: int) -> None:
    """Name the tenant as what a young key stands on, in detectors where it does."""
    if key and isinstance(detector, (Burst, UnitDrift)):
        detector.adopt(np.array([key], np.int32), np.array([0], np.int32))


def _level(detector: Detector, scores: Scores, key: int) -> float:
    if isinstance(detector, RateShape):  # it remembers what it said of every key, low levels too
        return float(detector.levels(np.array([key], np.int32))[0])
    told = np.flatnonzero(scores.keys == key)
    return float(scores.level[told[0]]) if len(told) else 0.0


class _Alone:
    """Surroundings of keys of which nothing else is known: what money means to the tenant is not."""

    def __init__(self, subjects: list[Subject]) -> None:
        self._subjects = subjects

    def subject(self, key: int) -> Subject:
        return self._subjects[key]

    def tenants_with(self, scope: str) -> int:
        return 1

    def alike(self, keys: Collection[int], measure: str) -> Mapping[int, Collection[int]]:
        return {}

    def stakes(self, tenant_id: str, currency: str) -> Stakes:
        return UNKNOWN_STAKES

    def evidence(self, key: int, start: int, end: int) -> Evidence:
        return Evidence()
