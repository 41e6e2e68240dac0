"""A lane with work to do must have had a commit accepted lately."""

from __future__ import annotations

from datetime import date

import pytest

from auditstream.core.errors import FatalError
from auditstream.core.metrics import Metrics
from auditstream.core.ports import Plan
from streams.lane import Lane
from streams.plan import Closed
from streams.watchdog import Watchdog
from tests.support.lane_parts import LaneBench, slab


class Watched:
    """A lane, a watchdog with a clock that is set by hand, and the lag that it published last."""

    def __init__(self) -> None:
        self.bench, self.metrics, self.now = LaneBench(), Metrics(), 100.0
        self.watchdog = Watchdog(stall_s=60.0, metrics=self.metrics, monotonic=lambda: self.now)

    def lane(self) -> Lane:
        async def make() -> Lane:
            return self.bench.lane(Closed(10, 10))

        lane: Lane = self.bench.run(make)
        lane.committed_at = self.now
        return lane

    def look(self, lane: Lane, end_offset: int | None, *, at: float) -> None:
        self.now = at
        self.watchdog.look([(lane, end_offset)])

    @property
    def lag(self) -> float | None:
        labels = {"topic": "audit.events.v1", "partition": "0"}
        return self.metrics.registry.get_sample_value("auditstream_lag_records", labels)


def test_a_lane_that_lags_and_commits_nothing_ends_the_worker() -> None:
    watched = Watched()
    lane = watched.lane()
    watched.look(lane, 15, at=101)
    watched.look(lane, 15, at=160)
    with pytest.raises(FatalError, match="5 records behind and nothing committed for 61 s"):
        watched.look(lane, 15, at=161)


def test_a_lane_that_commits_goes_on_however_far_behind_it_is() -> None:
    watched = Watched()
    lane = watched.lane()
    for now in range(100, 1000, 50):
        watched.look(lane, 1_000_000, at=now)
        lane.committed_at = now


def test_a_lane_without_work_needs_no_commit() -> None:
    watched = Watched()
    lane = watched.lane()
    for now in (100, 500, 10_000):
        watched.look(lane, 10, at=now)


def test_a_lane_is_given_time_from_its_first_record_after_a_rest() -> None:
    watched = Watched()
    lane = watched.lane()
    watched.look(lane, 10, at=10_000)
    watched.look(lane, 11, at=10_001)
    watched.look(lane, 11, at=10_059)
    with pytest.raises(FatalError):
        watched.look(lane, 11, at=10_061)


def test_an_open_plan_is_work_though_nothing_lags() -> None:
    watched = Watched()
    lane = watched.lane()
    lane.state = Plan(lo=10, hi=12, first_index=10, day=date(2026, 3, 1))
    with pytest.raises(FatalError):
        watched.look(lane, None, at=200)


def test_gathered_records_are_work_though_the_end_is_unknown() -> None:
    watched = Watched()
    lane = watched.lane()
    lane.put(slab(10, 11))
    with pytest.raises(FatalError):
        watched.look(lane, None, at=200)


def test_an_unknown_end_is_no_lag() -> None:
    watched = Watched()
    lane = watched.lane()
    watched.look(lane, None, at=10_000)
    assert watched.lag == 0


@pytest.mark.parametrize(("end_offset", "lag"), [(10, 0), (17, 7), (3, 0)])
def test_the_lag_is_published(end_offset: int, lag: int) -> None:
    watched = Watched()
    watched.look(watched.lane(), end_offset, at=101)
    assert watched.lag == lag


def test_a_lane_of_a_new_generation_starts_afresh() -> None:
    watched = Watched()
    watched.look(watched.lane(), 15, at=150)
    watched.now = 1000.0
    watched.look(watched.lane(), 15, at=1001)
