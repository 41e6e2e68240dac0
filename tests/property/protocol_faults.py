"""What goes wrong in the protocol's model: workers die and freeze, groups move on, requests vanish."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tests.property.protocol_model import Send, State, Step
from tests.property.protocol_network import Network
from tests.property.protocol_weather import Weather
from tests.support.model_group import ModelGroup
from tests.support.model_store import Insert

if TYPE_CHECKING:
    from tests.property.protocol_worker import Worker
    from tests.property.protocol_world import World


class Faults:
    """The faults of one run; each method is one, and does nothing where there is nothing to harm."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance: Random = world.chance
        self._weather: Weather = world.weather
        self._group: ModelGroup[State] = world.group
        self._network: Network = world.network

    def is_striking(self, step: Step) -> bool:
        """Whether the worker is struck now that a lane is at this step."""
        focus = self._weather.focus
        if focus is None:
            return self._chance.random() < self._weather.strikes
        return type(step) is focus and self._chance.random() < 4 * self._weather.strikes

    def strike(self, worker: Worker) -> None:
        """Kill or freeze a worker between two steps of a lane, with what it has in flight."""
        if self._chance.random() < self._weather.kills:
            self._world.workers.remove(worker)
            self._world.note("killed", worker)
        else:
            worker.is_frozen = True
            self._world.note("frozen", worker)
        self._network.hold_up(0.5)
        what_next = self._chance.random()
        if what_next < self._weather.evictions:
            self._group.remove(worker.member)
        elif what_next < self._weather.evictions + self._weather.wipes:
            self.wipe_group()

    def kill(self) -> None:
        """A worker dies; what it sent lives on."""
        if self._world.workers:
            self._world.note("killed", self._pick_worker())

    def stop(self) -> None:
        """SIGTERM: the lanes end where they are, their states are committed, the member leaves."""
        if self._world.workers:
            worker = self._pick_worker()
            self._world.note("stopped", worker)
            for run in worker.runs:
                if run.lane.state is not None:
                    self._network.send_commit(run.lane.sign())

    def freeze(self) -> None:
        """A worker stands still."""
        if self._world.workers:
            worker = self._chance.choice(self._world.workers)
            worker.is_frozen = True
            self._world.note("frozen", worker)

    def resume(self) -> None:
        """A frozen worker goes on as if nothing had happened."""
        frozen = [worker for worker in self._world.workers if worker.is_frozen]
        if frozen:
            worker = self._chance.choice(frozen)
            worker.is_frozen = False
            self._world.note("resumed", worker)

    def evict(self) -> None:
        """A session times out, with or without reason."""
        if self._group.members:
            member = self._chance.choice(self._group.members)
            self._group.remove(member)
            self._world.note("evicted", member)

    def evict_dead(self) -> None:
        """The group notices that a member is no more."""
        alive = {worker.member for worker in self._world.workers}
        dead = [member for member in self._group.members if member not in alive]
        if dead:
            self._group.remove(dead[0])

    def wipe_group(self) -> None:
        """Everybody is evicted; an administrator deletes the group or resets its offsets."""
        for member in list(self._group.members):
            self._group.remove(member)
        if self._chance.random() < 0.5:
            self._group.delete()
            self._world.note("group deleted")
        else:
            self._group.reset(self._chance.choice([0, 3]))
            self._world.note("offsets reset")

    def lose_insert(self) -> None:
        """A request vanishes on its way, or at work."""
        if self._network.inserts:
            lost = self._network.inserts.pop(self._chance.randrange(len(self._network.inserts)))
            self._world.note("insert lost", lost.insert)

    def repeat_insert(self) -> None:
        """The network or a client library sends a request a second time."""
        if self._network.inserts:
            insert = self._chance.choice(self._network.inserts).insert
            copy = Insert(insert.partition, insert.segment, insert.rows, insert.token, insert.insert_by)
            self._network.send_insert(Send(insert=copy))
            self._world.note("insert repeated", insert)

    def crash_store(self) -> None:
        """The store dies in the middle of all that it is doing, and comes back."""
        for send in [send for send in self._network.inserts if send.insert.stop_at is not None]:
            self._network.inserts.remove(send)
            self._world.note("store killed in mid-insert", send.insert)

    def expire(self) -> None:
        """Retention takes the oldest records of a partition, recorded or not."""
        partition = self._chance.randrange(len(self._world.logs))
        start, end = self._world.starts[partition], len(self._world.logs[partition])
        self._world.starts[partition] = self._chance.choice([end, self._chance.randint(start, end)])
        self._world.note("records lost")

    def jump(self) -> None:
        """Nothing happens for a while."""
        self._world.now += self._chance.randint(5, 25)

    def _pick_worker(self) -> Worker:
        workers = self._world.workers
        return workers.pop(self._chance.randrange(len(workers)))
