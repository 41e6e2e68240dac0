"""The delivery protocol of one partition, written to be read, with a switch for each of its safety elements.

A `Lane` is a generator. What it yields is a step that the world may delay, lose, repeat or never resume: a
request to Kafka or to the store, or just a point at which the worker may die. Time is in ticks.

- Plan: commit (lo; hi, first index, day) before anything is written.
- Lease: an accepted commit entitles to insert until its sending time + LEASE; the store refuses later rows.
- Token: the segment's range; the store drops a block whose token it remembers.
- Read-back: ask the store what it holds of the plan's range.
- Close: the lane's state becomes (hi + 1; next index), and the next commit carries it.
- Gap: offsets that Kafka lost first are one row, planned and written like a segment. A plan whose records are
  lost is closed, once no lease under it can be running, at its end or at its beginning, as the store has it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Any, NamedTuple, Protocol

from tests.support.model_group import Committed
from tests.support.model_store import Held, Insert, Leaf

LEASE = 5
MAX_EXECUTION = 2
SKEW = 1  # the largest difference between a worker's clock and the store's that is allowed for
SEGMENT = 3  # most offsets of one segment
# Inserts that the store can do between a read-back and the end of what the read-back entitles to. One insert
# takes a tick at least, so that time bounds their number.
MARGIN = LEASE + SKEW + MAX_EXECUTION + 1


@dataclass(frozen=True, slots=True)
class Rules:
    """Which safety elements are on. The defaults are the protocol; every change is a control that must fail.

    Attributes:
        plans: A plan is committed before the insert; else the offset is committed after it.
        tokens: Inserts carry a token.
        leases: The store refuses rows whose lease has passed.
        timer_commits_state: The timer commits what the lane's state is; else its own idea of the offset,
            which has no plan.
        trusts_store_blindly: Each assignment starts after the store's highest offset; Kafka is not asked.
        waits: Without metadata the lane waits until no lease can be running before it asks the store.
        replays_highest: Without metadata the store's highest segment is taken for an open plan.
        pins_generation: A commit carries the member id and generation in which its lane was born; else the
            worker's own at the time when the commit leaves.
        forgets_generation: A worker that joins anew forgets its last generation; else it takes the same
            number for the same generation, though numbers start again in a group that was deleted.
        plans_day: The day of a segment is in its plan; else that of the clock at each attempt.
        one_day: A block goes to one table partition; else rows follow the day of their events.
        dates_lease_at_sending: The lease runs from when the commit was sent; else from its answer.
        reads_back_again: A retry beyond the first lease asks the store again before it trusts the token.
        confirms_alarms: A lane that finds the store in disagreement commits once more before it stops the
            worker: it may be a zombie that looks at its successor's rows.
        window: Tokens that the store remembers.
        view_window: Tokens that the view remembers.
        skew: Largest real difference between clocks.
        rejoins_when_unsure: After a commit whose answer was given up the lane takes a new generation: the
            commit may arrive after a later one, over another connection.
        records_lost: Offsets that Kafka lost become a gap; else the worker stops.
        waits_for_lost: A plan whose records are lost is given up only once no lease under it can be running.
        plans_lost: The plan of a gap is committed before it is written.
        skips_stored: What is left in Kafka of a plan that the store has is not recorded again.
    """

    plans: bool = True
    tokens: bool = True
    leases: bool = True
    timer_commits_state: bool = True
    trusts_store_blindly: bool = False
    waits: bool = True
    replays_highest: bool = True
    pins_generation: bool = True
    forgets_generation: bool = True
    plans_day: bool = True
    one_day: bool = True
    dates_lease_at_sending: bool = True
    reads_back_again: bool = True
    confirms_alarms: bool = True
    window: int = MARGIN + 4
    view_window: int = MARGIN + 4
    skew: int = SKEW
    rejoins_when_unsure: bool = True
    records_lost: bool = True
    waits_for_lost: bool = True
    plans_lost: bool = True
    skips_stored: bool = True


class Closed(NamedTuple):
    """State between segments: all below `offset` is in the store, and indexes go on at `next_index`."""

    offset: int
    next_index: int


class Plan(NamedTuple):
    """State with an open segment: offsets lo to hi are being written as one block; of a gap, as one row."""

    lo: int
    hi: int
    first_index: int
    day: int
    is_gap: bool = False

    @property
    def offset(self) -> int:
        """The offset that is committed with the plan."""
        return self.lo


State = Closed | Plan


class Answer(Enum):
    """What a requester learns."""

    DONE = "done"
    REFUSED = "refused"  # commit: the group has moved on; insert: too late or not now, nothing was applied
    UNKNOWN = "unknown"  # given up: it may have been done, or may yet be


class FencedError(Exception):
    """The group has moved on: this lane may write nothing more."""


class InvariantError(Exception):
    """Plan, log and store disagree in a way that the protocol cannot produce: the worker stops."""


class LostOffsetsError(Exception):
    """Kafka lost offsets that are not recorded, and the worker may not record that."""


class HalfDoneError(InvariantError):
    """The view missed a segment whose token is forgotten: the worker stops until the view is mended."""


@dataclass(slots=True, eq=False)
class Step:
    """What a lane waits for; the world sets `answer` and with it lets the lane go on."""

    answer: Any = None
    is_answered: bool = False

    def settle(self, answer: Any) -> None:
        """Give the answer; a second one is not seen."""
        if not self.is_answered:
            self.answer, self.is_answered = answer, True


@dataclass(slots=True, eq=False)
class Pause(Step):
    """Nothing is asked: a point at which a worker may die. Answered at once."""


@dataclass(slots=True, eq=False)
class Gather(Step):
    """Wait until the log has records at or above `offset`; the answer is its end, None when that is lost."""

    offset: int = 0


@dataclass(slots=True, eq=False)
class ReadStart(Step):
    """Ask Kafka for the earliest offset that it still has."""


@dataclass(slots=True, eq=False, kw_only=True)
class Read(Step):
    """Read a plan's records from Kafka; the answer is its last offset, None when some are lost."""

    plan: Plan


@dataclass(slots=True, eq=False)
class Wait(Step):
    """Wait for so many ticks of a steady clock, from `since`."""

    ticks: int = 0
    since: int = 0


@dataclass(slots=True, eq=False)
class Fetch(Step):
    """Ask the group for what is committed; the answer is `Committed` or None."""


@dataclass(slots=True, eq=False)
class ReadBack(Step):
    """Ask the store what it holds at or above `offset`; the answer is `Held`."""

    offset: int = 0


@dataclass(slots=True, eq=False)
class ReadHighest(Step):
    """Ask the store for its highest segment; the answer is a `Plan` or None."""


@dataclass(slots=True, eq=False, kw_only=True)
class Commit(Step):
    """Commit a state; the answer is `Answer`."""

    lane: Lane
    committed: Committed[State]
    sent_at: int


@dataclass(slots=True, eq=False, kw_only=True)
class Send(Step):
    """Send an insert; the answer is `Answer`."""

    insert: Insert


Steps = Generator[Step, Any, None]


class Surroundings(Protocol):
    """What a lane sees of its worker."""

    chance: Random
    rules: Rules
    may_lose: bool

    def clock(self) -> int:
        """Return the worker's wall clock."""
        ...

    def identity(self) -> tuple[str, int]:
        """Return the worker's present member id and generation."""
        ...

    def leaves(self, partition: int, lo: int, hi: int) -> Sequence[int]:
        """Return the offsets in [lo, hi] that have a record."""
        ...

    def publish(self, partition: int, plan: Plan) -> None:
        """Publish what the segment gives rise to, under deterministic ids."""
        ...

    def leave_and_rejoin(self) -> None:
        """Take a new generation soon."""
        ...

    def leave_messages(self, partition: int, plan: Plan) -> None:
        """Note that a segment's messages cannot be published any more, where they were not."""
        ...

    def begin_log(self, partition: int, offset: int) -> None:
        """Note that a log of which nothing is recorded begins at an offset."""
        ...


class Lane:
    """One partition in one generation of its worker.

    Attributes:
        partition: The partition.
        member: The worker's id in the group when the lane was born.
        generation: The generation in which the lane was born; all its commits carry both.
        state: What the next commit will say, whoever makes it.
        closed: The last closed state, which is all that a stock timer knows.
        lease: End of the lease by the worker's clock.
    """

    def __init__(self, worker: Surroundings, partition: int, member: str, generation: int) -> None:
        self.partition = partition
        self.member = member
        self.generation = generation
        self.state: State | None = None
        self.closed: Closed | None = None
        self.lease = 0
        self.worker = worker
        self._rules = worker.rules

    def run(self) -> Steps:
        """Recover, then plan, write, publish and close one segment after the other."""
        yield from self._recover()
        start = yield from self._read_start()
        if isinstance(self.state, Plan):
            yield from self._replay(self.state, start)
        yield from self._account_for_lost(start)
        while True:
            plan = yield from self._gather()
            yield from self._record(plan, self.worker.leaves(self.partition, plan.lo, plan.hi))

    def sign(self) -> Commit:
        """Return a commit of the lane's state as of now."""
        assert self.state is not None
        return Commit(
            lane=self,
            committed=Committed(self.state.offset, self.state),
            sent_at=self.worker.clock(),
        )

    def accept(self, commit: Commit) -> None:
        """Note that a commit was accepted: the lease is renewed."""
        dated = commit.sent_at if self._rules.dates_lease_at_sending else self.worker.clock()
        self.lease = max(self.lease, dated + LEASE)

    def _recover(self) -> Steps:
        if self._rules.trusts_store_blindly:
            yield from self._recover_from_store()
            return
        found = yield Fetch()
        if found is None or found.metadata is None:
            if self._rules.waits:
                yield Wait(ticks=LEASE + MAX_EXECUTION + SKEW)
            yield from self._recover_from_store()
            yield from self._commit()  # so that the next assignment need not wait
            return
        self._become(found.metadata)
        if isinstance(found.metadata, Closed) and self._rules.plans:
            held: Held = yield ReadBack(offset=found.metadata.offset)
            if held.rows:
                yield from self._alarm(InvariantError(f"{held} at or above {found.metadata}"))

    def _recover_from_store(self) -> Steps:
        """The store's own highest segment decides; it is replayed, for a view may have missed it."""
        highest: Plan | None = yield ReadHighest()
        if highest is None:
            start = yield from self._read_start()
            self.worker.begin_log(self.partition, start)
            self._become(Closed(start, 0))
        elif self._rules.replays_highest and self._rules.plans:
            self._become(highest)
        else:
            count = len(self.worker.leaves(self.partition, highest.lo, highest.hi))
            self._become(Closed(highest.hi + 1, highest.first_index + count))

    def _replay(self, plan: Plan, start: int) -> Steps:
        """Write the plan again, or close it where Kafka no longer has its records."""
        if plan.is_gap:
            yield from self._finish(plan, [plan.lo], is_replay=True)
        elif plan.lo < start:
            yield from self._close_without_replay(plan, start)
        else:
            offsets = self.worker.leaves(self.partition, plan.lo, plan.hi)
            if self.worker.may_lose and (yield Read(plan=plan)) is None:
                self._begin_again()
            yield from self._finish(plan, offsets, is_replay=True)

    def _read_start(self) -> Generator[Step, Any, int]:
        """Ask where Kafka's log begins, unless it never moves."""
        start: int = (yield ReadStart()) if self.worker.may_lose else 0
        return start

    def _close_without_replay(self, plan: Plan, start: int) -> Steps:
        if self._rules.waits_for_lost:
            yield Wait(ticks=LEASE + MAX_EXECUTION + SKEW)
        held: Held = yield ReadBack(offset=plan.lo)
        if held.rows == 0:
            self._become(Closed(plan.lo, plan.first_index))
            return
        if held.first_index != plan.first_index or held.last_offset > plan.hi:
            yield from self._alarm(InvariantError(f"{held} for {plan}"))
        if not held.in_view:
            yield from self._alarm(HalfDoneError(f"{held} for {plan}"))
        self.worker.leave_messages(self.partition, plan)
        end = plan.hi + 1 if self._rules.skips_stored else start
        self._become(Closed(end, plan.first_index + held.rows))

    def _account_for_lost(self, start: int) -> Steps:
        """Record what Kafka lost as a gap."""
        assert isinstance(self.state, Closed)
        lo, index = self.state
        if lo >= start:
            return
        if not self._rules.records_lost:
            raise LostOffsetsError(f"{lo} to {start - 1}")
        plan = Plan(lo, start - 1, index, day_of(self.worker.clock()), is_gap=True)
        yield from self._record(plan, [lo], is_planned=self._rules.plans_lost)

    def _begin_again(self) -> None:
        self.worker.leave_and_rejoin()
        raise FencedError

    def _record(self, plan: Plan, offsets: Sequence[int], *, is_planned: bool = True) -> Steps:
        before, self.state = self.state, plan
        if self._rules.plans and is_planned:
            yield from self._commit()
        elif not is_planned:
            self.state = before
        yield from self._finish(plan, offsets, is_replay=False)
        if not self._rules.plans:
            yield from self._commit()

    def _gather(self) -> Generator[Step, Any, Plan]:
        assert isinstance(self.state, Closed)
        lo = self.state.offset
        end: int | None = yield Gather(offset=lo)
        if end is None:
            self._begin_again()
            raise AssertionError
        hi = self.worker.chance.randint(lo, min(end, lo + SEGMENT) - 1)
        return Plan(lo, hi, self.state.next_index, day_of(self.worker.clock()))

    def _commit(self) -> Steps:
        """Commit the state until it is known to be accepted."""
        while True:
            commit = self.sign()
            answer = yield commit
            if answer is Answer.DONE:
                self.accept(commit)
                return
            if answer is Answer.REFUSED:
                raise FencedError
            if self._rules.rejoins_when_unsure:
                self.worker.leave_and_rejoin()
                raise FencedError

    def _finish(self, plan: Plan, offsets: Sequence[int], *, is_replay: bool) -> Steps:
        if offsets:
            yield from self._write(plan, offsets, may_be_there=is_replay)
            yield Pause()
            self.worker.publish(self.partition, plan)
            yield Pause()
        self._become(Closed(plan.hi + 1, plan.first_index + len(offsets)))

    def _write(self, plan: Plan, offsets: Sequence[int], *, may_be_there: bool) -> Steps:
        """Insert the block under its token until it is known to be in the store.

        Attempts of one series end with one lease, which is taken before the read-back, so that the token
        outlives them. A replay begins by reading back, and so does every later series.
        """
        lease = 0
        while True:
            if self._rules.plans and self.worker.clock() > lease - LEASE // 2:
                if self.worker.clock() > self.lease - LEASE // 2:
                    yield from self._commit()
                is_due = may_be_there and (lease == 0 or self._rules.reads_back_again)
                lease = self.lease
                if is_due and (yield from self._is_settled(plan, len(offsets))):
                    return
            answer = yield Send(insert=self._block(plan, offsets, lease))
            if answer is Answer.DONE:
                return
            may_be_there = may_be_there or answer is Answer.UNKNOWN

    def _is_settled(self, plan: Plan, count: int) -> Generator[Step, Any, bool]:
        """Read back; return whether the segment is there for good, False when its token decides."""
        held: Held = yield ReadBack(offset=plan.lo)
        if held.rows == 0:
            return False
        if (held.rows, held.first_index) != (count, plan.first_index) or held.last_offset > plan.hi:
            yield from self._alarm(InvariantError(f"{held} for {plan}"))
        if self._rules.tokens and held.later_inserts + MARGIN < self._rules.window:
            return False  # remembered: the table drops the block, a view that missed it does not
        if not held.in_view:
            yield from self._alarm(HalfDoneError(f"{held} for {plan}"))
        return True

    def _alarm(self, error: InvariantError) -> Steps:
        """Stop the worker, unless it is only that the group has moved on since the last commit."""
        if self._rules.confirms_alarms:
            yield from self._commit()
        raise error

    def _block(self, plan: Plan, offsets: Sequence[int], lease: int) -> Insert:
        now = self.worker.clock()
        planned_day = plan.day if self._rules.plans_day else day_of(now)
        return Insert(
            partition=self.partition,
            segment=plan,
            rows=tuple(
                Leaf(offset, plan.first_index + number, planned_day if self._rules.one_day else offset % 2)
                for number, offset in enumerate(offsets)
            ),
            token=(self.partition, plan.lo, plan.hi) if self._rules.tokens else None,
            insert_by=lease if self._rules.plans else now + LEASE,
        )

    def _become(self, state: State) -> None:
        self.state = state
        self.closed = state if isinstance(state, Closed) else Closed(state.lo, state.first_index)


def day_of(clock: int) -> int:
    """Return the table partition of a time; days are short, so that segments meet midnight."""
    return clock // 16
