"""Commits of lanes: one request for all that wait, the state as of the moment of sending, fenced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    IllegalGenerationError,
    KafkaConnectionError,
    NotCoordinatorForGroupError,
    OffsetMetadataTooLargeError,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
)
from aiokafka.structs import OffsetAndMetadata

from auditstream.core.clock import ManualClock
from auditstream.core.ports import LogId, Plan
from streams.lane import Lane
from streams.lane_services import Fenced, Membership
from streams.plan import Closed, State, from_commit
from streams.transport.commits import LaneCommits
from tests.support.lane_parts import LaneBench

PLAN = Plan(lo=10, hi=19, first_index=4, day=date(2026, 3, 1))
TOPIC = "audit.events.v1"

Scenario = Callable[["Coordinator"], Coroutine[Any, Any, None]]


class Coordinator:
    """aiokafka's group coordinator, as far as commits use it, on a broker that the test plays.

    Attributes:
        member_id: The member's present id.
        generation: The member's present generation.
        requests: Offsets of every request that was sent.
        script: What the broker answers, one error or None a request; then it accepts.
        on_send: Called while a request is on its way.
        known: Whether the coordinator's address is known; commits wait until it is.
        left: How often the group was left.
    """

    def __init__(self) -> None:
        self.member_id = "member-1"
        self.generation = 7
        self.left = 0
        self.requests: list[dict[int, State]] = []
        self.script: list[BaseException | None] = []
        self.on_send: Callable[[], None] = lambda: None
        self.known = asyncio.Event()
        self.known.set()
        self._closing = asyncio.get_running_loop().create_future()
        self._commit_lock = asyncio.Lock()
        self.assigned = {TopicPartition(TOPIC, partition) for partition in range(3)}
        self.committed: dict[TopicPartition, OffsetAndMetadata] = {}
        consumer = SimpleNamespace(
            _coordinator=self,
            _subscription=SimpleNamespace(subscription=SimpleNamespace(assignment=None)),
            assignment=lambda: self.assigned,
        )
        self.clock = ManualClock(1000.0)
        self.commits = LaneCommits(lambda: consumer, self.clock)
        self._bench = LaneBench(lease_s=8.0)

    def lane(self, state: State, partition: int = 0, membership: Membership | None = None) -> Lane:
        """Return a lane of the present membership, or of another one."""
        present = Membership(self.member_id, self.generation)
        return Lane(LogId(TOPIC, partition, "0a1b2c3d"), membership or present, state, self._bench.services)

    async def settled(self) -> None:
        """Wait until everything that was begun is over."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others)

    async def _maybe_leave_group(self) -> None:
        self.left += 1
        self.member_id = f"member-{1 + self.left}"
        self.generation += 1

    async def ensure_coordinator_known(self) -> None:
        await self.known.wait()

    async def _do_commit_offsets(self, _: object, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        states = {tp.partition: from_commit(each.offset, each.metadata) for tp, each in offsets.items()}
        self.requests.append(states)  # type: ignore[arg-type]
        self.on_send()
        await asyncio.sleep(0.003)
        outcome = self.script.pop(0) if self.script else None
        if outcome is not None:
            raise outcome

    async def fetch_committed_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, Any]:
        return {tp: self.committed[tp] for tp in tps if tp in self.committed}


def run(scenario: Scenario) -> None:
    """Run a scenario with a coordinator of its own, in virtual time."""

    async def main() -> None:
        await scenario(Coordinator())

    LaneBench().run(main)


def test_a_commit_carries_offset_and_metadata_of_the_state() -> None:
    async def scenario(kafka: Coordinator) -> None:
        lane = kafka.lane(PLAN)
        await kafka.commits.commit(lane)
        assert kafka.requests == [{0: PLAN}]
        assert lane.sent == PLAN

    run(scenario)


def test_commits_that_wait_together_go_out_in_one_request() -> None:
    async def scenario(kafka: Coordinator) -> None:
        lanes = [kafka.lane(replace(PLAN, first_index=number), number) for number in range(3)]
        await asyncio.gather(*map(kafka.commits.commit, lanes))
        assert kafka.requests == [{number: lane.state for number, lane in enumerate(lanes)}]

    run(scenario)


def test_commits_that_come_while_one_is_on_its_way_wait_and_go_out_together() -> None:
    async def scenario(kafka: Coordinator) -> None:
        first = asyncio.create_task(kafka.commits.commit(kafka.lane(PLAN, 0)))
        await asyncio.sleep(0.001)
        rest = [asyncio.create_task(kafka.commits.commit(kafka.lane(PLAN, n))) for n in (1, 2)]
        await asyncio.gather(first, *rest)
        assert kafka.requests == [{0: PLAN}, {1: PLAN, 2: PLAN}]

    run(scenario)


def test_a_lane_that_is_committed_twice_at_once_is_sent_once() -> None:
    # Faust's timer and the lane itself.
    async def scenario(kafka: Coordinator) -> None:
        lane = kafka.lane(Closed(10, 4))
        await asyncio.gather(kafka.commits.commit(lane), kafka.commits.commit(lane))
        assert kafka.requests == [{0: Closed(10, 4)}]

    run(scenario)


def test_the_state_is_read_at_the_moment_of_sending() -> None:
    # The timer asked while the lane was closed; when it is sent, the lane has planned its next segment.
    async def scenario(kafka: Coordinator) -> None:
        kafka.known.clear()
        lane = kafka.lane(Closed(10, 4))
        commit = asyncio.create_task(kafka.commits.commit(lane))
        await asyncio.sleep(0.01)
        lane.state = PLAN
        kafka.known.set()
        await commit
        assert kafka.requests == [{0: PLAN}]
        assert lane.sent == PLAN

    run(scenario)


def test_what_kafka_accepted_is_the_state_that_was_sent_and_not_a_later_one() -> None:
    async def scenario(kafka: Coordinator) -> None:
        lane = kafka.lane(PLAN)
        kafka.on_send = lambda: setattr(lane, "state", Closed(20, 14))
        await kafka.commits.commit(lane)
        assert lane.sent == PLAN

    run(scenario)


def test_a_lease_begins_before_the_request_is_sent() -> None:
    async def scenario(kafka: Coordinator) -> None:
        lane = kafka.lane(PLAN)
        kafka.on_send = lambda: kafka.clock.advance(5.0)
        await kafka.commits.commit(lane)
        assert lane.lease_until_s == 1000.0 + 8.0

    run(scenario)


RETRIABLE = [
    GroupCoordinatorNotAvailableError(),
    GroupLoadInProgressError(),
    NotCoordinatorForGroupError(),
]


@pytest.mark.parametrize("error", RETRIABLE, ids=repr)
def test_a_retry_sends_the_newest_state(error: Exception) -> None:
    # aiokafka's own commit() would send the old one again, over whatever was committed meanwhile.
    async def scenario(kafka: Coordinator) -> None:
        lane = kafka.lane(Closed(10, 4))
        kafka.script = [error]
        kafka.on_send = lambda: setattr(lane, "state", PLAN)
        await kafka.commits.commit(lane)
        assert kafka.requests == [{0: Closed(10, 4)}, {0: PLAN}]
        assert lane.sent == PLAN
        assert kafka.left == 0

    run(scenario)


def test_a_retry_begins_the_lease_anew() -> None:
    async def scenario(kafka: Coordinator) -> None:
        lane = kafka.lane(PLAN)
        kafka.script = [NotCoordinatorForGroupError()]
        kafka.on_send = lambda: kafka.clock.advance(5.0)
        await kafka.commits.commit(lane)
        assert lane.lease_until_s == 1005.0 + 8.0

    run(scenario)


def test_commits_go_on_for_as_long_as_the_broker_is_away() -> None:
    async def scenario(kafka: Coordinator) -> None:
        lane = kafka.lane(PLAN)
        kafka.script = [GroupCoordinatorNotAvailableError()] * 200
        await kafka.commits.commit(lane)
        assert len(kafka.requests) == 201

    run(scenario)


@pytest.mark.parametrize("error", [RequestTimedOutError(), KafkaConnectionError("gone")], ids=repr)
class TestInDoubt:
    """The answer to a commit was lost: it may arrive late, after whatever is committed next."""

    def test_nothing_is_committed_after_it_from_the_same_place_in_the_group(self, error: Exception) -> None:
        async def scenario(kafka: Coordinator) -> None:
            first, second = kafka.lane(Closed(10, 4), 0), kafka.lane(Closed(20, 8), 1)
            third = kafka.lane(PLAN, 2)
            kafka.script = [error]
            outcomes = await asyncio.gather(
                *map(kafka.commits.commit, (first, second)), return_exceptions=True
            )
            assert [type(outcome) for outcome in outcomes] == [Fenced, Fenced]
            with pytest.raises(Fenced):
                await kafka.commits.commit(third)
            assert kafka.requests == [{0: Closed(10, 4), 1: Closed(20, 8)}]
            assert (first.sent, first.lease_until_s) == (None, 0.0)

        run(scenario)

    def test_the_group_is_left_so_that_the_broker_refuses_it_when_it_comes(self, error: Exception) -> None:
        async def scenario(kafka: Coordinator) -> None:
            kafka.script = [error]
            with pytest.raises(Fenced, match=type(error).__name__):
                await kafka.commits.commit(kafka.lane(PLAN))
            await kafka.settled()
            assert kafka.left == 1
            lane = kafka.lane(PLAN)  # of the new membership
            await kafka.commits.commit(lane)
            assert lane.sent == PLAN

        run(scenario)

    def test_the_lane_need_not_wait_for_a_broker_that_is_away(self, error: Exception) -> None:
        async def scenario(kafka: Coordinator) -> None:
            kafka.script = [error]
            kafka.on_send = kafka.known.clear
            begun = asyncio.get_running_loop().time()
            with pytest.raises(Fenced):
                await kafka.commits.commit(kafka.lane(PLAN))
            assert asyncio.get_running_loop().time() - begun < 1.0
            await kafka.settled()
            assert kafka.left == 1

        run(scenario)


@pytest.mark.parametrize(
    "error",
    [OffsetMetadataTooLargeError(), GroupAuthorizationFailedError("g")],
    ids=repr,
)
def test_an_error_that_no_retry_mends_reaches_every_lane_that_waits(error: Exception) -> None:
    async def scenario(kafka: Coordinator) -> None:
        lanes = [kafka.lane(PLAN, n) for n in range(2)]
        kafka.script = [error]
        outcomes = await asyncio.gather(*map(kafka.commits.commit, lanes), return_exceptions=True)
        assert outcomes == [error, error]
        assert [lane.sent for lane in lanes] == [None, None]
        assert len(kafka.requests) == 1
        await kafka.commits.commit(lanes[0])  # it did not end the sender
        assert lanes[0].sent == PLAN

    run(scenario)


class TestFencing:
    @pytest.mark.parametrize(
        "refusal",
        [IllegalGenerationError("g"), UnknownMemberIdError("g"), RebalanceInProgressError("g")],
        ids=repr,
    )
    def test_a_refusal_by_the_broker_fences(self, refusal: Exception) -> None:
        async def scenario(kafka: Coordinator) -> None:
            lane = kafka.lane(PLAN)
            kafka.script = [refusal]
            with pytest.raises(Fenced, match=type(refusal).__name__):
                await kafka.commits.commit(lane)
            assert (lane.sent, lane.lease_until_s) == (None, 0.0)
            assert len(kafka.requests) == 1

        run(scenario)

    @pytest.mark.parametrize(
        "membership",
        [
            Membership("member-1", 8),
            Membership("member-1", 6),
            Membership("member-1", -1),
            # The group was deleted meanwhile, and its generations began anew.
            Membership("member-0", 7),
        ],
    )
    def test_a_lane_of_another_membership_is_not_sent(self, membership: Membership) -> None:
        # Sent now, it would go out under the present membership and be accepted.
        async def scenario(kafka: Coordinator) -> None:
            with pytest.raises(Fenced, match="lane of Membership"):
                await kafka.commits.commit(kafka.lane(PLAN, membership=membership))
            assert kafka.requests == []

        run(scenario)

    def test_a_lane_whose_partition_is_gone_is_not_sent(self) -> None:
        async def scenario(kafka: Coordinator) -> None:
            kafka.assigned = {TopicPartition(TOPIC, 1)}
            with pytest.raises(Fenced):
                await kafka.commits.commit(kafka.lane(PLAN, 0))
            assert kafka.requests == []

        run(scenario)

    def test_a_dead_lane_is_not_sent(self) -> None:
        async def scenario(kafka: Coordinator) -> None:
            lane = kafka.lane(PLAN)
            lane.dead = True
            with pytest.raises(Fenced):
                await kafka.commits.commit(lane)
            assert kafka.requests == []

        run(scenario)

    def test_a_closed_consumer_fences(self) -> None:
        async def scenario(kafka: Coordinator) -> None:
            kafka._closing.set_result(None)
            with pytest.raises(Fenced, match="closed"):
                await kafka.commits.commit(kafka.lane(PLAN))

        run(scenario)

    def test_the_generation_is_looked_at_under_the_lock(self) -> None:
        # Faust's own commit of other topics holds it while the group moves on.
        async def scenario(kafka: Coordinator) -> None:
            async with kafka._commit_lock:
                commit = asyncio.create_task(kafka.commits.commit(kafka.lane(PLAN)))
                await asyncio.sleep(0.01)
                kafka.generation = 8
            with pytest.raises(Fenced):
                await commit
            assert kafka.requests == []

        run(scenario)

    def test_the_generation_is_looked_at_again_before_a_retry(self) -> None:
        async def scenario(kafka: Coordinator) -> None:
            kafka.script = [NotCoordinatorForGroupError()]
            kafka.on_send = lambda: setattr(kafka, "generation", 8)
            with pytest.raises(Fenced):
                await kafka.commits.commit(kafka.lane(PLAN))
            assert len(kafka.requests) == 1

        run(scenario)

    def test_one_fenced_lane_does_not_hold_up_the_others(self) -> None:
        async def scenario(kafka: Coordinator) -> None:
            old, present = kafka.lane(PLAN, 0, Membership("member-1", 6)), kafka.lane(PLAN, 1)
            outcomes = await asyncio.gather(
                kafka.commits.commit(old), kafka.commits.commit(present), return_exceptions=True
            )
            assert isinstance(outcomes[0], Fenced)
            assert kafka.requests == [{1: PLAN}]
            assert present.sent == PLAN

        run(scenario)


def test_a_commit_that_nobody_waits_for_any_more_does_no_harm() -> None:
    async def scenario(kafka: Coordinator) -> None:
        kafka.known.clear()
        impatient = asyncio.create_task(kafka.commits.commit(kafka.lane(PLAN, 0)))
        patient = asyncio.create_task(kafka.commits.commit(kafka.lane(PLAN, 1)))
        await asyncio.sleep(0.01)
        impatient.cancel()
        await asyncio.sleep(0.01)
        kafka.known.set()
        await patient
        assert impatient.cancelled()

    run(scenario)


def test_committed_states_are_read_back() -> None:
    async def scenario(kafka: Coordinator) -> None:
        tps = [TopicPartition(TOPIC, n) for n in range(4)]
        kafka.committed = {
            tps[0]: OffsetAndMetadata(10, '{"v":1,"h":19,"i":4,"d":"2026-03-01","r":0,"e":1}'),
            tps[1]: OffsetAndMetadata(20, '{"v":1,"i":14}'),
            tps[2]: OffsetAndMetadata(30, ""),  # reset by a tool
        }
        found = await kafka.commits.committed(set(tps))
        assert found == {tps[0]: PLAN, tps[1]: Closed(20, 14), tps[2]: None, tps[3]: None}

    run(scenario)
