"""A past that is played again opens the episodes that detection opened when it was the present."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from auditstream.detection.detector import Detector
from auditstream.detection.history import SHOWN, SUMS, Usage, backtested
from auditstream.detection.known_detectors import watched_detectors
from auditstream.detection.spend_surge import SpendSurge
from auditstream.detection.surroundings import Subject
from auditstream.detection.unit_drift import UNIT_COST, UnitDrift
from streams.detecting.partition import PartitionDetection
from tests.support.usage_logs import DAWN, delta, heartbeat, line

LOG = "audit.events.v1/0/e"
MINUTES = 240
SURGE = 230
DOLLARS_OF_OTHERS = 0.05


def lines_of(minute: int) -> list[dict[str, Any]]:
    """Return usage of two models, of which one is a hundred times as dear in the surge; it skips minutes."""
    found = [line(DAWN + minute, model="steady", events=5, spend=DOLLARS_OF_OTHERS)]
    if minute % 7:
        dollars = 5.0 if minute >= SURGE else 0.05 + minute % 5 / 100
        found.append(line(DAWN + minute, model="dear", events=4, spend=dollars, output_tokens=minute % 3))
    return found


def usage() -> Usage:
    """Return the same as a rollup has it."""
    tenant, own = (np.zeros((MINUTES, len(SUMS))) for _ in range(2))
    for minute in range(MINUTES):
        for each in lines_of(minute):
            spend = int.from_bytes(each["costs"][0]["effective"], "big") / 10**12
            sums = [
                spend if "spend" in name else each["events" if name == "calls" else name] for name in SUMS
            ]
            tenant[minute] += sums
            own[minute] += sums if each["model"] == "dear" else 0.0
    columns = [{name: table[:, at] for at, name in enumerate(SUMS)} for table in (tenant, own)]
    return Usage(DAWN + np.arange(MINUTES), *columns)


@pytest.mark.parametrize("make", [SpendSurge, lambda: UnitDrift(UNIT_COST)])
def test_the_episodes_are_those_of_detection(make: Callable[[], Detector]) -> None:
    detection = PartitionDetection([make()])
    told = [
        finding
        for minute in range(MINUTES)
        for finding in detection.apply(delta(LOG, minute, lines_of(minute), at_s=minute * 60 + 30))
    ]
    told += detection.apply(heartbeat(LOG, MINUTES, quiet_s=MINUTES * 60 + 300))
    expected = {each.finding_id for each in told if each.scope == "model=dear"}

    found = backtested(make(), Subject("acme", "model=dear", "USD"), usage())

    opened = {minute: each for minute, each in enumerate(found.opened) if each is not None}
    assert {each.finding_id for each in opened.values()} == expected
    assert min(opened) == SURGE
    assert found.levels[min(opened)] >= 1
    assert found.levels[:SURGE].max() < 1


def test_a_tenant_as_a_whole_is_a_key_too() -> None:
    whole = Usage(usage().minutes, usage().tenant)

    found = backtested(SpendSurge(), Subject("acme", "", "USD"), whole)

    assert found.values[1] == pytest.approx(DOLLARS_OF_OTHERS + 0.06)
    assert [each.scope for each in found.opened if each is not None] == [""]


def test_every_detector_that_is_named_takes_what_a_rollup_has() -> None:
    made = {(each.slug, each.metric): each for each in watched_detectors()}
    assert set(SHOWN) <= set(made)
    for name in SHOWN:
        found = backtested(made[name], Subject("acme", "model=dear", "USD"), usage())
        assert len(found.values) == len(found.levels) == MINUTES
        assert np.isfinite(found.levels).all()
