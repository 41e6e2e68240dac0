"""Random schedules of faults for lanes, and the verdict on what came of them.

A schedule is everything that a seed decides: how many workers and partitions, clock skews, which faults there
are and when. After the faults the world is left in peace until every produced offset is stored, or for ten
minutes of virtual time.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Literal
from unittest import mock

from auditstream.core.ports import LogId
from streams.lane_services import LaneServices
from tests.support.virtual_kafka import TOPIC, VirtualGroup, VirtualLog
from tests.support.virtual_store import StoreFaults, VirtualStore
from tests.support.virtual_time import VirtualTime
from tests.support.virtual_worker import EPOCH, EPOCH_S, VirtualWorker, WorkerSetup

FAULTS_S = 20.0
PEACE_S = 600.0
STEPS = ("gather", "plan", "send", "insert", "close")
FAULT_KINDS = ("kill", "freeze", "join_and_leave", "store_down", "forget_group", "outage")


@dataclass(slots=True)
class Verdict:
    """What came of one schedule.

    Attributes:
        lost: Produced offsets that are neither stored nor in a gap.
        doubled: Offsets stored more than once, or in a gap as well, or in two gaps.
        given_up: Gaps over offsets that Kafka still has.
        disordered: Logs whose indexes are not dense in offset order.
        misused: Tokens that were sent with other rows than the first time.
        half_done: Tokens of the segments that the store's view lacks.
        stopped: Errors that stopped a worker.
        dropped: Errors that nobody looked at.
        counts: What happened, to see that the schedules exercise something.
    """

    seed: int
    lost: list[tuple[int, int]] = field(default_factory=list)
    doubled: list[tuple[int, int]] = field(default_factory=list)
    given_up: list[tuple[int, int]] = field(default_factory=list)
    disordered: list[int] = field(default_factory=list)
    misused: list[str] = field(default_factory=list)
    half_done: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether every record is stored once or in one gap, in order, and nothing had to stop."""
        return not (self.lost or self.stored_wrong or self.stopped or self.dropped)

    @property
    def stored_wrong(self) -> bool:
        """Whether something is stored that may not be stored so."""
        return bool(self.doubled or self.given_up or self.disordered or self.misused or self.half_done)


@dataclass(slots=True)
class Conditions:
    """What a family of schedules has in common.

    Attributes:
        window: Of how many inserts the store remembers the token.
        foreign_per_s: Inserts of other logs into the same table.
        answers_get_lost: Whether the store's answers are always in danger, and the store often down.
        checks_lease: False for a negative control.
        waits_for_leases: False for a negative control.
        expires: Whether retention takes records that were not recorded yet.
        lost_offsets: What workers do about it.
        sabotage: Breaks the services of every worker, for a negative control.
    """

    window: int = 1000
    foreign_per_s: float = 0.0
    answers_get_lost: bool = False
    checks_lease: bool = True
    waits_for_leases: bool = True
    expires: bool = False
    lost_offsets: Literal["stop", "record"] = "stop"
    sabotage: Callable[[LaneServices], None] = lambda services: None


def run_schedule(seed: int, conditions: Conditions | None = None) -> Verdict:
    """Run one schedule and judge it."""
    world = _World(seed, conditions or Conditions())
    with time_in_lanes(world.time, world.rng):
        return world.run()


@contextmanager
def time_in_lanes(time: VirtualTime, rng: random.Random) -> Iterator[None]:
    """Give lanes virtual time and a random number generator of their own."""
    clock = SimpleNamespace(monotonic=lambda: time.now)
    with (
        mock.patch("streams.lane.time", clock),
        mock.patch("streams.segment_writer.time", clock),
        mock.patch("streams.patience.random", rng),
    ):
        yield


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Leave out the lanes' log lines, which cost more than the lanes."""
    silent = SimpleNamespace(**dict.fromkeys(("info", "warning", "error", "exception"), _say_nothing))
    with ExitStack() as stack:
        for module in ("lane", "lane_start", "lanes", "patience", "segment_writer", "transport.commits"):
            stack.enter_context(mock.patch(f"streams.{module}.log", silent))
        yield


def _say_nothing(*_: object, **__: object) -> None:
    return


class _World:
    def __init__(self, seed: int, conditions: Conditions) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        self.time = VirtualTime()
        self.setup = WorkerSetup(
            lease_s=rng.choice([3.0, 6.0]),
            drain_s=rng.choice([0.0, 0.5, 2.0]),
            segment_rows=rng.choice([3, 8, 20]),
            segment_bytes=rng.choice([20, 1 << 20]),
            delay_s=rng.choice([0.1, 0.5, 2.0]),
            waits_for_leases=conditions.waits_for_leases,
            lost_offsets=conditions.lost_offsets,
            sabotage=conditions.sabotage,
        )
        self.group = VirtualGroup(
            self.time,
            rng,
            rng.randint(1, 2),
            session_s=rng.choice([1.5, 3.0]),
            fault=rng.choice([0.0, 0.0, 0.05, 0.15]),
        )
        self.store = VirtualStore(
            self.time,
            rng,
            window=conditions.window,
            foreign_per_s=conditions.foreign_per_s,
            epoch_s=EPOCH_S + rng.uniform(-self.setup.skew_s / 2, self.setup.skew_s / 2),
            faults=_store_faults(rng, lossy=conditions.answers_get_lost),
        )
        self.store.checks_lease = conditions.checks_lease
        self.kinds = rng.sample(FAULT_KINDS, rng.randint(1, len(FAULT_KINDS)))
        if conditions.answers_get_lost:
            self.kinds += ["store_down", "outage"]
        self.expires = conditions.expires
        if self.expires:
            self.kinds += ["expire"] * 3
            self.store.faults.half_done = 0.0  # what no replay reaches would stop a worker, and rightly
        self.is_static = rng.random() < 0.3
        self.holes = rng.choice([0.0, 0.1, 0.4])
        self.workers: list[VirtualWorker] = []
        self.delayed = self.store.faults.delayed
        self.armed: list[tuple[str, str]] = []
        self.verdict = Verdict(seed)
        self.counts = dict.fromkeys((*FAULT_KINDS, "expire", "workers"), 0)

    def run(self) -> Verdict:
        rng = self.rng
        for _ in range(rng.randint(1, 3)):
            self.start_worker()
        for _ in range(rng.randint(10, 40)):
            self.time.at(rng.uniform(0.0, FAULTS_S), self.produce)
        for _ in range(rng.randint(1, 6)):
            self.time.at(rng.uniform(0.5, FAULTS_S), self.fault)
        self.time.run_until(FAULTS_S)
        self.make_peace()
        while self.time.now < FAULTS_S + PEACE_S and len(self.verdict.stopped) <= 3 and not self.is_settled():
            self.time.run_until(self.time.now + 1.0)
            if not self.alive():
                self.start_worker()
        self.time.run_until(self.time.now + 3.0)
        for worker in self.workers:
            worker.kill()
        # What is still on its way may still do harm.
        self.time.run_until(self.time.now + self.store.faults.longest_delay_s + self.setup.quiet_s)
        for worker in self.workers:
            worker.loop.close()
        return self.judge()

    def start_worker(self, instance: str | None = None) -> None:
        self.counts["workers"] += 1
        number = self.counts["workers"]
        if instance is None:
            instance = f"i{number}" if self.is_static else ""
        # A plan may be larger, or smaller, than the segments of whoever replays it.
        rows = self.rng.choice([3, 20]) if self.rng.random() < 0.2 else self.setup.segment_rows
        worker = VirtualWorker(
            f"w{number}",
            time=self.time,
            rng=self.rng,
            group=self.group,
            store=self.store,
            setup=replace(self.setup, segment_rows=rows),
            instance=instance,
            on_crash=self.crashed,
            on_step=self.reached,
        )
        self.workers.append(worker)
        worker.start()

    def crashed(self, worker: VirtualWorker, error: BaseException) -> None:
        self.verdict.stopped.append(f"{worker.name} at {self.time.now:.3f}: {error!r}")
        self.time.after(1.0, self.start_worker, worker.instance)

    def produce(self) -> None:
        for log in self.group.logs:
            log.produce(self.rng.randint(0, 9), self.rng, self.holes)

    def produce_last(self, log: VirtualLog) -> None:
        """Produce a record, unless nobody is left to record it."""
        if self.alive():
            log.produce(1, self.rng, self.holes)

    def alive(self) -> list[VirtualWorker]:
        return [worker for worker in self.workers if worker.alive]

    def fault(self) -> None:
        """Let something happen now, or just after the next time that some lane reaches some step."""
        kind = self.rng.choice(self.kinds)
        if self.rng.random() < 0.5:
            self.armed.append((self.rng.choice(STEPS), kind))
        else:
            self.strike(kind, self.rng.choice(self.alive() or [None]))

    def reached(self, worker: VirtualWorker, step: str) -> None:
        for armed in [each for each in self.armed if each[0] == step and self.time.now < FAULTS_S]:
            self.armed.remove(armed)
            self.time.after(self.rng.choice([0.0, 0.002, 0.02]), self.strike, armed[1], worker)

    def strike(self, kind: str, victim: VirtualWorker | None) -> None:
        if victim is not None and victim.alive:
            self.counts[kind] += 1
            getattr(self, f"fault_{kind}")(victim)

    def fault_kill(self, victim: VirtualWorker) -> None:
        victim.kill()
        self.time.after(self.rng.uniform(0.0, 6.0), self.start_worker, victim.instance)

    def fault_freeze(self, victim: VirtualWorker) -> None:
        victim.loop.freeze()
        self.time.after(self.rng.uniform(0.1, 15.0), victim.loop.thaw)
        if self.is_static and self.rng.random() < 0.5:
            # Its supervisor takes it for dead: a zombie among static members.
            self.time.after(self.rng.uniform(0.0, 3.0), self.start_worker, victim.instance)

    def fault_join_and_leave(self, victim: VirtualWorker) -> None:
        if self.rng.random() < 0.5 or len(self.alive()) < 2:
            self.start_worker()
        if len(self.alive()) > 1:
            victim.leave()

    def fault_store_down(self, _victim: VirtualWorker) -> None:
        self.store.down_until = self.time.now + self.rng.choice([1.0, 8.0, 25.0]) * self.rng.random()

    def fault_outage(self, _victim: VirtualWorker) -> None:
        """Kill all workers and start none for a while."""
        for worker in self.alive():
            worker.kill()
        self.time.after(self.rng.uniform(0.0, 30.0), self.start_worker)

    def fault_expire(self, _victim: VirtualWorker) -> None:
        """Let retention pass the workers, often with inserts on their way, or the store away."""
        if self.rng.random() < 0.5:
            self.store.faults.delayed = 0.7
            self.time.after(1.0, self.end_workers)
        elif self.rng.random() < 0.5:
            self.store.down_until = self.time.now + self.rng.uniform(0.0, 8.0)
        for log in self.group.logs:
            self.time.after(self.rng.choice([0.0, 1.0, self.rng.uniform(0.0, 8.0)]), log.expire, self.rng)

    def end_workers(self) -> None:
        """Kill all workers with what they have sent still on its way, and start one soon."""
        self.store.faults.delayed = self.delayed if self.time.now < FAULTS_S else 0.0
        for worker in self.alive():
            worker.kill()
        self.time.after(self.rng.uniform(0.0, 6.0), self.start_worker)

    def fault_forget_group(self, _victim: VirtualWorker) -> None:
        """Delete the group's offsets, or reset them without metadata, with inserts still on their way."""
        self.store.faults.delayed = 0.7
        self.time.after(1.0, self.end_group)

    def end_group(self) -> None:
        self.store.faults.delayed = self.delayed if self.time.now < FAULTS_S else 0.0
        for worker in self.alive():
            if self.rng.random() < 0.3:
                worker.loop.freeze()
                self.time.after(self.rng.uniform(4.0, 15.0), worker.loop.thaw)
            else:
                worker.kill()
        self.forget_when_empty()

    def forget_when_empty(self) -> None:
        if not self.group.is_empty:
            self.time.after(0.2, self.forget_when_empty)
            return
        if self.rng.random() < 0.5:
            self.group.generation = 0  # the group itself was deleted: its numbers begin anew
        for partition in list(self.group.offsets):
            if self.rng.random() < 0.5:
                del self.group.offsets[partition]
            else:
                self.group.offsets[partition] = (0, "")
        self.start_worker()

    def make_peace(self) -> None:
        """Let all faults be over.

        A loss up to a log's very end is noticed when a record comes after it; a worker's watchdog, which the
        model lacks, would notice, too.
        """
        self.store.faults = StoreFaults()
        self.group.fault = 0.0
        if self.expires:
            for log in self.group.logs:
                self.time.after(PEACE_S / 10, self.produce_last, log)

    def is_settled(self) -> bool:
        return not any(self.unaccounted(partition) for partition in range(len(self.group.logs)))

    def unaccounted(self, partition: int) -> set[int]:
        """Return the produced offsets of a log that are neither stored nor in a gap."""
        log, store, log_id = self.group.logs[partition], self.store, str(self.log(partition))
        if not store.gaps[log_id] and len(store.rows[log_id]) >= len(log.offsets):
            return set()
        missing = {offset for offset in log.offsets if offset >= log.begun_at} - self.stored(log_id).keys()
        for lo, hi in store.gaps[log_id]:
            missing -= set(range(lo, hi + 1))
        return missing

    def stored(self, log_id: str) -> collections.Counter[int]:
        """Return how often each offset of a log is stored as a record."""
        stored = collections.Counter(offset for offset, _ in self.store.rows[log_id])
        stored.subtract(lo for lo, _ in self.store.gaps[log_id])
        return +stored

    def log(self, partition: int) -> LogId:
        return LogId(TOPIC, partition, EPOCH)

    def judge(self) -> Verdict:
        verdict = self.verdict
        for partition, log in enumerate(self.group.logs):
            log_id = str(self.log(partition))
            rows, gaps = sorted(self.store.rows[log_id]), self.store.gaps[log_id]
            times = self.stored(log_id)
            for lo, hi in gaps:
                times.update(range(lo, hi + 1))
            verdict.lost += [(partition, offset) for offset in sorted(self.unaccounted(partition))]
            verdict.doubled += [(partition, offset) for offset in sorted(times) if times[offset] > 1]
            verdict.given_up += [(partition, hi) for _, hi in gaps if hi >= log.start]
            if [index for _, index in rows] != list(range(len(rows))):
                verdict.disordered.append(partition)
        verdict.misused = self.store.misused
        verdict.half_done = self.store.missed_by_view()
        verdict.dropped = [f"{each['message']}: {each.get('exception')!r}" for each in self.time.errors]
        verdict.counts = {
            **self.counts,
            "blocks": self.store.written,
            "dropped_by_token": self.store.dropped,
            "refused_as_late": self.store.late,
            "forgotten_tokens": self.store.forgotten(),
            "healed_views": self.store.healed,
            "overtaken_commits": self.group.overtaken,
            "fenced_by_broker": sum(self.group.refusals.values()),
            "gaps": sum(map(len, self.store.gaps.values())),
            "gaps_of_plans": self.store.gaps_of_plans(),
            "records": sum(len(log.offsets) for log in self.group.logs),
        }
        return verdict


def _store_faults(rng: random.Random, *, lossy: bool) -> StoreFaults:
    def chance() -> float:
        return rng.choice([0.0, 0.0, 0.03, 0.1])

    return StoreFaults(
        delayed=chance(),
        refused=chance(),
        lost=chance(),
        answer_lost=0.1 if lossy else chance(),
        cut=0.1 if lossy else chance(),
        slow=chance(),
        half_done=0.0 if lossy else chance(),
    )
