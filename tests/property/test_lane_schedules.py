"""Lanes under hundreds of random schedules: kills, freezes, rebalances, store faults, forgotten offsets.

They are two thousand where all are asked for (`TEST_EXAMPLES=all`).
Every record must end up stored exactly once, with dense indexes in offset order. The negative controls take
one protection away each, and must then show what it protects from: if they do not, the schedules are too
gentle to prove anything. A failing seed can be run alone: `run_schedule(seed, CONDITIONS)`.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import pytest

from auditstream.core.ports import LogId, Plan, StoredRange
from streams.gathering import Batch
from streams.lane import Lane
from streams.lane_services import LaneServices
from streams.lane_start import LaneStart
from streams.plan import Closed, State
from streams.recovery import start_from_store
from streams.segment_writer import SegmentWriter
from streams.transport import commits
from tests.support import virtual_worker
from tests.support.examples import examples
from tests.support.lane_schedules import Conditions, Verdict, quiet_logs, run_schedule

SCHEDULES = 1_000
FORGETFUL_SCHEDULES = 400
EXPIRING_SCHEDULES = 400
# The store remembers tokens for at least twice the time that an insert may be on its way, which is what it
# must be set to, and no longer: other logs' inserts push them out.
FORGETFUL = Conditions(window=500, foreign_per_s=20.0, answers_get_lost=True)


# Retention takes what was not recorded yet, while workers are away, plans open and inserts on their way.
EXPIRING = Conditions(expires=True, lost_offsets="record")


@pytest.fixture(autouse=True)
def without_log_lines() -> Iterator[None]:
    with quiet_logs():
        yield


def some(number: int) -> list[int]:
    """Return as many of the seeds below a number as there are examples; others in each run."""
    return random.sample(range(number), examples(number))


def run_all(seeds: Sequence[int], conditions: Conditions) -> tuple[list[Verdict], collections.Counter[str]]:
    """Return the bad verdicts, and what happened in all schedules together."""
    bad, counts = [], collections.Counter[str]()
    for seed in seeds:
        verdict = run_schedule(seed, conditions)
        counts.update(verdict.counts)
        if not verdict.is_good:
            bad.append(verdict)
    return bad, counts


def told(bad: list[Verdict]) -> str:
    return f"{len(bad)} seeds: " + "\n".join(map(str, bad[:5]))


def first_bad(conditions: Conditions, is_bad: Callable[[Verdict], object]) -> Verdict | None:
    """Return the first verdict that shows what is looked for, None when no schedule does."""
    verdicts = (run_schedule(seed, conditions) for seed in range(SCHEDULES))
    return next((verdict for verdict in verdicts if is_bad(verdict)), None)


def test_every_record_is_stored_once_whatever_happens() -> None:
    seeds = some(SCHEDULES)
    bad, counts = run_all(seeds, Conditions())
    assert not bad, told(bad)
    # The schedules must have met what they are about, thousands of times or at least often.
    assert counts["blocks"] > 20 * len(seeds)
    assert counts["dropped_by_token"] > len(seeds) / 2
    assert counts["refused_as_late"] > len(seeds) / 10
    assert counts["fenced_by_broker"] > len(seeds) / 2


@pytest.mark.long
def test_every_record_is_stored_once_when_the_store_forgets_tokens() -> None:
    seeds = some(FORGETFUL_SCHEDULES)
    bad, counts = run_all(seeds, FORGETFUL)
    assert not bad, told(bad)
    assert counts["forgotten_tokens"] > len(seeds)


def test_every_record_is_stored_once_or_in_one_gap_when_kafka_loses_some() -> None:
    seeds = some(EXPIRING_SCHEDULES)
    bad, counts = run_all(seeds, EXPIRING)
    assert not bad, told(bad)
    assert counts["gaps"] > len(seeds) / 4
    assert counts["gaps_of_plans"] > len(seeds) / 50


def test_a_worker_that_must_not_record_losses_stops_at_them_and_writes_nothing_wrong() -> None:
    stops, seeds = 0, some(EXPIRING_SCHEDULES // 2)
    for seed in seeds:
        verdict = run_schedule(seed, Conditions(expires=True))
        assert not verdict.stored_wrong, verdict
        assert not verdict.dropped, verdict
        assert not verdict.counts["gaps"], verdict
        assert all("OffsetGapError" in error for error in verdict.stopped), verdict
        assert verdict.stopped or not verdict.lost, verdict
        stops += bool(verdict.stopped)
    assert stops > len(seeds) / 10


def test_a_worker_that_gives_a_plan_up_while_its_insert_may_be_on_its_way_stores_wrong() -> None:
    with mock.patch.object(Lane, "rest", rest_not):
        found = first_bad(EXPIRING, lambda verdict: verdict.stored_wrong)
    assert found is not None


def test_a_worker_that_goes_on_after_lost_offsets_without_a_leaf_loses_them() -> None:
    with mock.patch.object(LaneStart, "plan_over_lost", skip_lost):
        found = first_bad(EXPIRING, lambda verdict: verdict.lost)
    assert found is not None


def test_a_store_that_ignores_leases_and_forgets_tokens_doubles() -> None:
    found = first_bad(Conditions(window=2, checks_lease=False), lambda verdict: verdict.doubled)
    assert found is not None


@pytest.mark.long
def test_a_worker_that_skips_plan_commits_doubles() -> None:
    found = first_bad(Conditions(sabotage=skip_plan_commits), lambda verdict: verdict.doubled)
    assert found is not None


def test_a_worker_that_closes_before_the_insert_is_stopped_by_the_check_at_the_start() -> None:
    with mock.patch.object(Lane, "_write", close_then_write):
        found = first_bad(Conditions(), lambda verdict: verdict.stopped)
    assert found is not None
    assert "InvariantError" in found.stopped[0]


def test_a_worker_that_closes_before_the_insert_loses_where_nothing_checks_the_start() -> None:
    with (
        mock.patch.object(Lane, "_write", close_then_write),
        mock.patch.object(Lane, "_check_start", check_nothing),
    ):
        found = first_bad(Conditions(), lambda verdict: verdict.lost and not verdict.stopped)
    assert found is not None


@pytest.mark.long
def test_a_worker_that_trusts_the_store_at_once_when_offsets_are_gone_doubles() -> None:
    found = first_bad(Conditions(waits_for_leases=False), lambda verdict: verdict.doubled)
    assert found is not None


def test_a_worker_that_goes_on_after_a_lost_answer_can_be_overtaken_by_its_own_commit() -> None:
    with mock.patch.object(commits, "_IN_DOUBT", ()):
        found = first_bad(Conditions(), lambda verdict: not verdict.is_good)
    assert found is not None
    assert found.counts["overtaken_commits"]


@pytest.mark.long
def test_a_worker_that_closes_what_the_store_has_leaves_views_half_done() -> None:
    with mock.patch.object(virtual_worker, "start_from_store", close_what_is_stored):
        found = first_bad(Conditions(), lambda verdict: verdict.half_done)
    assert found is not None


def test_a_worker_that_trusts_its_token_for_ever_doubles() -> None:
    with mock.patch.object(SegmentWriter, "_is_stored_for_good", never):
        found = first_bad(FORGETFUL, lambda verdict: verdict.doubled)
    assert found is not None


def skip_plan_commits(services: LaneServices) -> None:
    honest, clock = services.committer, services.clock

    class Skipping:
        async def commit(self, lane: Lane) -> None:
            if isinstance(lane.state, Plan):
                lane.accepted(lane.state, clock.now_s())
            else:
                await honest.commit(lane)

    services.committer = Skipping()


def close_what_is_stored(log: LogId, whole: StoredRange, last: Plan | None, log_start: int) -> State:
    state = start_from_store(log, whole, last, log_start)
    return Closed(state.hi + 1, whole.last_index + 1) if isinstance(state, Plan) else state


async def rest_not(_lane: Lane, _for_s: float) -> bool:
    return True


async def skip_lost(start: LaneStart) -> None:
    lane = start._lane
    assert isinstance(lane.state, Closed)
    lane.state = Closed(max(lane.state.next_offset, start._log_start), lane.state.next_index)


async def never(*_: Any) -> bool:
    return False


_WRITE = Lane._write


async def close_then_write(lane: Lane, plan: Plan, batch: Batch, *, replayed: bool = False) -> None:
    lane.state = Closed(plan.hi + 1, plan.first_index + len(batch))
    await lane._services.committer.commit(lane)
    await _WRITE(lane, plan, batch, replayed=replayed)


async def check_nothing(*_: Any) -> None:
    return
