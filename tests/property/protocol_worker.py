"""A worker of the protocol's model: its place in the group, its lanes, its commit timer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.property.protocol_model import SKEW, Answer, Commit, Lane, Pause, Plan, Step, Steps
from tests.support.model_group import Committed

if TYPE_CHECKING:
    from tests.property.protocol_world import World

GIVE_UP = 0.08  # chance that a waiting client gives up, each time it is looked at


@dataclass(slots=True, eq=False)
class Run:
    """A lane at work: the generator and the step it waits for."""

    lane: Lane
    steps: Steps
    step: Step


class Worker:
    """One worker process: it takes part in the group and has a lane for each partition that it owns."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.rules = world.rules
        self.chance = world.chance
        self.may_lose = world.may_lose
        self.number = number
        self.skew = world.chance.randint(-SKEW, world.rules.skew)
        self.member = ""
        self.generation = -1
        self.runs: list[Run] = []
        self.timer: list[Commit] = []
        self.is_frozen = False

    def clock(self) -> int:
        """Return the store's time with this worker's skew."""
        return self.world.now + self.skew

    def identity(self) -> tuple[str, int]:
        """Return the present member id and generation."""
        return self.member, self.generation

    def leaves(self, partition: int, lo: int, hi: int) -> Sequence[int]:
        """Return the offsets in [lo, hi] that have a record."""
        log = self.world.logs[partition]
        return [offset for offset in range(lo, hi + 1) if log[offset]]

    def publish(self, partition: int, plan: Plan) -> None:
        """Note that the segment's messages went out; twice is no harm."""
        offsets = [plan.lo] if plan.is_gap else self.leaves(partition, plan.lo, plan.hi)
        self.world.published.update((partition, offset) for offset in offsets)

    def leave_and_rejoin(self) -> None:
        """Leave the group; the next `hear` joins it again."""
        self.world.group.remove(self.member)
        self.timer.clear()

    def leave_messages(self, partition: int, plan: Plan) -> None:
        """Note that what is not published of a segment cannot be any more: Kafka lost its records."""
        self.world.unpublishable.update((partition, offset) for offset in range(plan.lo, plan.hi + 1))

    def begin_log(self, partition: int, offset: int) -> None:
        """Note that a log of which nothing is recorded begins at an offset."""
        self.world.begun[partition] = max(offset, self.world.begun[partition])

    def is_behind(self) -> bool:
        """Whether the group has moved on without this worker."""
        group = self.world.group
        return not self.is_frozen and (
            self.generation != group.generation
            or (self.member not in group.members and (self.rules.forgets_generation or not self.runs))
        )

    def hear(self) -> None:
        """Hear of the group: join it, or take what the new generation gives."""
        group = self.world.group
        if self.member not in group.members:
            self.member = self.world.new_member()
            if self.rules.forgets_generation:
                self.generation = -1
            group.join(self.member)
            return
        self.generation = group.generation
        self.timer.clear()
        self.runs = [self._begin(partition) for partition in group.owned_by(self.member)]

    def tick_timer(self) -> list[Commit]:
        """Do what Faust's commit timer does: hear the answers of the last round, else make the next one."""
        for commit in self.timer:
            if commit.answer is Answer.DONE:
                commit.lane.accept(commit)
        self.timer = [commit for commit in self.timer if not commit.is_answered]
        if not self.timer:
            self.timer = [self._timer_commit(run.lane) for run in self.runs if run.lane.state is not None]
            return self.timer
        if self.chance.random() < GIVE_UP:
            self._give_up_timer()
        return []

    def _give_up_timer(self) -> None:
        for commit in self.timer:
            commit.settle(Answer.UNKNOWN)
        self.timer = []
        if self.rules.rejoins_when_unsure:
            self.leave_and_rejoin()
            self.runs = []

    def _timer_commit(self, lane: Lane) -> Commit:
        commit = lane.sign()
        if not self.rules.timer_commits_state:
            assert lane.closed is not None
            commit.committed = Committed(lane.closed.offset, lane.closed)
        return commit

    def _begin(self, partition: int) -> Run:
        lane = Lane(self, partition, self.member, self.generation)
        return Run(lane, lane.run(), Pause())
