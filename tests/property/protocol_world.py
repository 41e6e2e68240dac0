"""A world of workers, a group and a store in which everything happens at the worst moment, by seed.

One run is a number of random steps with faults, then a calm in which what is left must be recorded, then a
comparison of the store with what was produced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.property.protocol_faults import Faults
from tests.property.protocol_model import (
    MAX_EXECUTION,
    Answer,
    Commit,
    FencedError,
    Fetch,
    Gather,
    HalfDoneError,
    InvariantError,
    Lane,
    LostOffsetsError,
    Pause,
    Plan,
    Read,
    ReadBack,
    ReadHighest,
    ReadStart,
    Rules,
    Send,
    State,
    Step,
    Wait,
)
from tests.property.protocol_network import Network
from tests.property.protocol_weather import Weather
from tests.property.protocol_worker import GIVE_UP, Run, Worker
from tests.support.model_group import ModelGroup
from tests.support.model_store import Insert, ModelStore

CALM_STEPS = 6_000  # bound on the calm; it takes a few hundred
_MOST_WORKERS = 3
_GAP = 0.1  # share of the offsets that have no record


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        lost: Records without a row that are in no gap.
        doubled: Rows too many, and records in a gap that have a row or are in another gap.
        given_up: Gaps over records that Kafka still has.
        not_dense: Partitions whose indexes are not 0, 1, 2, … in offset order.
        view_wrong: Rows that the view has not counted once.
        unpublished: Rows whose messages never went out.
        stopped: Why a worker stopped itself for good, "" when none did.
        is_stuck: Whether the calm ended before everything was recorded.
        has_halted: Whether a worker stopped, as it had to, for offsets that Kafka lost.
        seen: How often each kind of thing happened.
    """

    lost: int = 0
    doubled: int = 0
    given_up: int = 0
    not_dense: int = 0
    view_wrong: int = 0
    unpublished: int = 0
    stopped: str = ""
    is_stuck: bool = False
    has_halted: bool = False
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> set[str]:
        """Names of the promises that do not hold."""
        counts = {
            "lost": self.lost,
            "doubled": self.doubled,
            "given_up": self.given_up,
            "not_dense": self.not_dense,
            "view_wrong": self.view_wrong,
            "unpublished": self.unpublished,
            "stopped": bool(self.stopped),
            "stuck": self.is_stuck,
        }
        return {name for name, count in counts.items() if count}


class World:
    """One run; `run` may be called once.

    Attributes:
        now: The store's clock, in ticks.
        logs: Whether each offset of each partition has a record.
        starts: The earliest offset of each partition that Kafka still has.
        may_lose: Whether Kafka's logs may lose records.
        begun: Where each log begins, of which nothing was recorded when it was begun.
        published: Places whose messages went out.
        unpublishable: Places whose messages cannot go out any more, as Kafka lost the records meanwhile.
    """

    def __init__(
        self,
        seed: int,
        rules: Rules | None = None,
        *,
        weather: Weather | None = None,
        steps: int = 320,
        expiry: float = 0.0,
        trace: list[str] | None = None,
    ) -> None:
        """Make a world.

        Args:
            seed: Decides everything.
            rules: The protocol, or a control.
            weather: What goes wrong; drawn by the seed when None.
            steps: Random steps before the calm.
            expiry: Weight of retention taking records, against 100 for everything else.
            trace: Gets a line for each thing that happens, to explain a failure.
        """
        self.chance = chance = Random(seed)
        self.rules = rules = rules or Rules()
        self.weather = weather or Weather.draw(chance)
        self.now = 100
        self.logs: list[list[bool]] = [[] for _ in range(chance.randint(1, 3))]
        self.starts = [0] * len(self.logs)
        self.begun = [0] * len(self.logs)
        self.published: set[tuple[int, int]] = set()
        self.unpublishable: set[tuple[int, int]] = set()
        self.workers: list[Worker] = []
        self.outcome = Outcome()
        self.group: ModelGroup[State] = ModelGroup(len(self.logs), chance.shuffle)
        self.store = ModelStore(
            lambda: self.now,
            window=rules.window,
            view_window=rules.view_window,
            max_execution=MAX_EXECUTION,
            checks_deadline=rules.leases,
        )
        self.network = Network(self.group, self.store, rules, self.weather, chance, self.note)
        self.faults = Faults(self)
        self._steps = steps
        self._expiry = expiry
        self.may_lose = expiry > 0
        self._trace = trace
        self._started = 0
        self._members = 0
        self._is_calm = False

    def run(self) -> Outcome:
        """Run the faults, then the calm, then compare."""
        for _ in range(self.chance.randint(1, _MOST_WORKERS)):
            self._start()
        actions = self._actions()
        for action in self.chance.choices(list(actions), list(actions.values()), k=self._steps):
            action()
            if self._is_over():
                break
        else:
            self._calm_down()
        self._compare()
        return self.outcome

    def note(self, what: str, *about: object) -> None:
        """Count a thing that happened, and tell it to the trace."""
        self.outcome.seen[what] += 1
        if self._trace is not None:
            self._trace.append(f"{self.now:4} {what} {' '.join(map(_describe, about))}")

    def _is_over(self) -> bool:
        return bool(self.outcome.stopped) or self.outcome.has_halted

    def new_member(self) -> str:
        """Return a member id that was never used."""
        self._members += 1
        return f"member {self._members}"

    def _actions(self) -> dict[Callable[[], object], float]:
        weather, faults = self.weather, self.faults
        regular: dict[Callable[[], object], float] = {
            self._go_on: 80,
            self._produce: 7,
            self._pass_time: weather.ticks,
            self._step_timer: weather.timer,
            self._start: 1,
            faults.evict_dead: 1,
            faults.resume: weather.resumes,
        }
        drawn = {getattr(faults, kind): weight for kind, weight in weather.faults.items()}
        return regular | drawn | {faults.expire: self._expiry}

    def _start(self) -> None:
        if len(self.workers) < _MOST_WORKERS:
            self._started += 1
            self.workers.append(Worker(self, self._started))

    def _produce(self) -> None:
        log = self.chance.choice(self.logs)
        log += [self.chance.random() >= _GAP for _ in range(self.chance.randint(1, 6))]

    def _pass_time(self) -> None:
        self.now += self.chance.randint(1, 2)

    def _step_timer(self) -> None:
        awake = [worker for worker in self.workers if not worker.is_frozen]
        if awake:
            for commit in self.chance.choice(awake).tick_timer():
                self.network.send_commit(commit)

    def _go_on(self) -> bool:
        """Do one of the things that can be done now, or let time pass; return whether there was one."""
        ready = [
            (worker, run)
            for worker in self.workers
            if not worker.is_frozen
            for run in worker.runs
            if self._can_go_on(run)
        ]
        commits = self.network.movable_commits()
        sends = self.network.movable_inserts()
        behind = [worker for worker in self.workers if worker.is_behind()]
        count = len(ready) + len(commits) + len(sends) + len(behind)
        if not count:
            self._pass_time()
            return False
        number = self.chance.randrange(count)
        if number < len(ready):
            self._step_lane(*ready[number])
        elif (number := number - len(ready)) < len(commits):
            self.network.deliver_commit(commits[number])
        elif (number := number - len(commits)) < len(sends):
            self._deliver_insert(sends[number])
        else:
            behind[number - len(sends)].hear()
        return True

    def _deliver_insert(self, send: Send) -> None:
        if self.network.deliver_insert(send):
            self.now += 1  # the store does one insert a tick at most, so that a lease bounds their number

    def _can_go_on(self, run: Run) -> bool:
        """Let a lane that waits move when it can; one that waits for an answer may give up now and then."""
        step = run.step
        if step.is_answered:
            return True
        if isinstance(step, Gather):
            partition = run.lane.partition
            return max(len(self.logs[partition]), self.starts[partition]) > step.offset
        if isinstance(step, Wait):
            return self.now >= step.since + step.ticks
        return not isinstance(step, Commit | Send) or self._gives_up(step)

    def _gives_up(self, step: Step) -> bool:
        return self.network.is_hopeless(step) if self._is_calm else self.chance.random() < GIVE_UP

    def _step_lane(self, worker: Worker, run: Run) -> None:
        if run.step.is_answered and self._is_struck(run.step):
            self.faults.strike(worker)
            return
        if run.step.is_answered:
            self._resume_lane(worker, run)
        else:
            self._answer(run.lane.partition, run.step)
        if worker in self.workers and self._is_struck(run.step):
            self.faults.strike(worker)

    def _is_struck(self, step: Step) -> bool:
        return not self._is_calm and self.faults.is_striking(step)

    def _answer(self, partition: int, step: Step) -> None:
        """Answer what can be answered at once; a request in flight is given up."""
        if isinstance(step, Gather):
            is_lost = step.offset < self.starts[partition]
            step.settle(None if is_lost else len(self.logs[partition]))
        elif isinstance(step, ReadStart):
            step.settle(self.starts[partition])
        elif isinstance(step, Read):
            is_lost = step.plan.lo < self.starts[partition]
            step.settle(None if is_lost else step.plan.hi)
        elif isinstance(step, Wait | Pause):
            step.settle(None)
        elif isinstance(step, Fetch):
            step.settle(self.group.fetch(partition))
        elif isinstance(step, ReadBack):
            step.settle(self.store.held(partition, step.offset))
        elif isinstance(step, ReadHighest):
            step.settle(self.store.highest(partition))
        else:
            step.settle(Answer.UNKNOWN)

    def _resume_lane(self, worker: Worker, run: Run) -> None:
        try:
            run.step = step = run.steps.send(run.step.answer)
        except FencedError:
            self.note("lane fenced", run.lane)
            worker.runs.remove(run)
        except LostOffsetsError as error:
            self.note("halted for lost offsets", run.lane, error)
            self.outcome.has_halted = True
        except InvariantError as error:
            self._stop_worker(worker, run.lane, error)
        else:
            if isinstance(step, Commit):
                self.network.send_commit(step)
            elif isinstance(step, Send):
                self.network.send_insert(step)
            elif isinstance(step, Wait):
                step.since = self.now

    def _stop_worker(self, worker: Worker, lane: Lane, error: InvariantError) -> None:
        self.workers.remove(worker)
        if not isinstance(error, HalfDoneError):
            self.note("worker stopped itself", lane, error)
            self.outcome.stopped = str(error)
            return
        self.note("half done", lane, error)
        if self._is_calm:
            self.note("operator mends the view", lane)
            self.store.mend_view(lane.partition)
            self.group.remove(worker.member)
            self._start()

    def _calm_down(self) -> None:
        """No more faults: all that is in flight arrives, workers run until everything is recorded."""
        self._is_calm = self.network.is_calm = True
        for worker in self.workers:
            worker.is_frozen = False
        self._start()
        for _ in range(len(self.group.members)):
            self.faults.evict_dead()
        for _ in range(CALM_STEPS):
            is_busy = self._go_on()
            if self._is_over() or (not is_busy and self._is_drained()):
                break
        else:
            self.outcome.is_stuck = True
        while self.network.inserts and not self._is_over():
            self._deliver_insert(self.network.inserts[0])

    def _is_drained(self) -> bool:
        waiting = {
            run.lane.partition
            for worker in self.workers
            for run in worker.runs
            if worker.generation == self.group.generation and self._is_idle(run)
        }
        return len(waiting) == len(self.logs)

    def _is_idle(self, run: Run) -> bool:
        return isinstance(run.step, Gather) and run.step.offset >= len(self.logs[run.lane.partition])

    def _compare(self) -> None:
        outcome = self.outcome
        for partition, log in enumerate(self.logs):
            rows = sorted(self.store.rows.get(partition, ()))
            gaps = [each for each in self.store.segments(partition) if isinstance(each, Plan) and each.is_gap]
            at = {(gap.lo, gap.first_index) for gap in gaps}
            counts = Counter(row.offset for row in rows)
            times = Counter(row.offset for row in rows if (row.offset, row.leaf_index) not in at)
            for gap in gaps:
                times.update(offset for offset in range(gap.lo, gap.hi + 1) if log[offset])
            outcome.doubled += len(rows) - len(counts) + sum(number - 1 for number in times.values())
            outcome.given_up += sum(gap.hi >= self.starts[partition] for gap in gaps)
            outcome.seen["records"] += sum(log)
            outcome.seen["gaps"] += len(gaps)
            if self._is_over():
                continue  # what is not there yet is not lost: the log has it
            produced = {offset for offset, is_record in enumerate(log) if is_record}
            outcome.lost += sum(offset >= self.begun[partition] for offset in produced - times.keys())
            outcome.not_dense += [row.leaf_index for row in rows] != list(range(len(rows)))
            outcome.view_wrong += sum(self.store.view[partition, offset] != 1 for offset in counts)
            told = self.published | self.unpublishable
            outcome.unpublished += sum((partition, offset) not in told for offset in counts)


def _describe(thing: object) -> str:
    if isinstance(thing, Worker):
        return f"worker {thing.number} ({thing.member})"
    if isinstance(thing, Lane):
        return f"partition {thing.partition} of {thing.member}, generation {thing.generation}"
    if isinstance(thing, Insert):
        return f"partition {thing.partition} {thing.segment} insert_by {thing.insert_by}"
    return str(thing)
