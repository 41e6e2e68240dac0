"""One Kafka group and its logs in virtual time: generations, heartbeats, fenced commits with metadata.

The broker's side of an eager rebalance: members learn of it from their next heartbeat, commits of the old
generation are accepted until the new one begins, and a member that is silent for the session timeout, or
does not join again in time, is put out. A commit takes a while to arrive and is judged on arrival; who sent
it may have given up on the answer by then, and have sent another over a new connection.

Members are named `process#number`: a process that joins anew is another member.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import (
    GroupLoadInProgressError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
)

from auditstream.core.ports import Slab
from tests.support.virtual_time import VirtualTime

TOPIC = "audit.events.v1"
Answer = Callable[[Any], None]


@dataclass(slots=True)
class VirtualLog:
    """A partition: offsets that carry a record, and the end, which markers without a record also move.

    Attributes:
        offsets: Offset of every record that was ever produced.
        end: Offset that comes next.
        start: Offset below which retention has taken everything.
        begun_at: Offset at which a worker began the log, of which nothing was recorded or committed.
    """

    offsets: list[int] = field(default_factory=list)
    end: int = 0
    start: int = 0
    begun_at: int = 0

    def produce(self, records: int, rng: random.Random, holes: float) -> None:
        """Append records; before each, with probability `holes`, up to three offsets without one."""
        for _ in range(records):
            if rng.random() < holes:
                self.end += rng.randint(1, 3)
            self.offsets.append(self.end)
            self.end += 1
        if rng.random() < holes:
            self.end += 1

    def expire(self, rng: random.Random) -> None:
        """Let retention take the oldest records, or all of them."""
        self.start = rng.choice([self.end, rng.randint(self.start, self.end)])

    def slab(self, partition: int, first: int, to: int, membership: tuple[str, int]) -> Slab:
        """Return the records of offsets `[first, to)`, each with its offset as its value."""
        offsets = [offset for offset in self.offsets if first <= offset < to]
        values: list[bytes | None] = [b"%d" % offset for offset in offsets]
        return Slab(
            topic=TOPIC,
            partition=partition,
            first_offset=first,
            next_offset=to,
            offsets=offsets,
            values=values,
            timestamps_ms=list(offsets),
            size_bytes=sum(len(value or b"") for value in values),
            membership=membership,
        )


@dataclass(slots=True)
class _Member:
    heard_at: float
    instance: str = ""
    share: list[int] = field(default_factory=list)
    join: Answer | None = None


class VirtualGroup:
    """The group coordinator.

    Attributes:
        generation: Counts the completed rebalances.
        offsets: Committed offset and metadata by partition.
        commits: Every accepted commit, in order.
        fault: Probability that a commit meets a broker in trouble: it is refused, or applied and then
            answered with an error.
        longest_delay_s: A commit may take this long to arrive, now and then.
        request_timeout_s: How long the client waits for the answer to a commit.
        overtaken: Commits that arrived after their sender had given them up, and were accepted.
    """

    def __init__(
        self,
        time: VirtualTime,
        rng: random.Random,
        partitions: int,
        *,
        session_s: float = 3.0,
        join_s: float = 6.0,
        fault: float = 0.0,
        longest_delay_s: float = 5.0,
        request_timeout_s: float = 2.0,
    ) -> None:
        self.time = time
        self.rng = rng
        self.logs = [VirtualLog() for _ in range(partitions)]
        self.generation = 0
        self.offsets: dict[int, tuple[int, str]] = {}
        self.commits: list[tuple[int, int, str]] = []
        self.fault = fault
        self.longest_delay_s = longest_delay_s
        self.request_timeout_s = request_timeout_s
        self.overtaken = 0
        self.refusals: collections.Counter[str] = collections.Counter()
        self._session_s = session_s
        self._join_s = join_s
        self._members: dict[str, _Member] = {}
        self._replaced_processes: set[str] = set()
        self._joining = False
        self._round = 0
        time.after(1.0, self._expire)

    @property
    def is_empty(self) -> bool:
        """Whether the group has no member, so that its offsets may be deleted or reset."""
        return not self._members

    def join(self, name: str, instance: str, answer: Answer) -> None:
        """Take a member in; `answer` gets the generation and the member's partitions, later.

        A static member that comes back under a new name takes the place of the old one, which is unknown
        from then on; where nothing else is going on, the generation stays (KIP-345). A process that was
        replaced by another one may not come back.
        """
        if _process(name) in self._replaced_processes:
            answer(UnknownMemberIdError())
            return
        if self._replaced(name, instance, answer):
            return
        member = self._members.setdefault(name, _Member(self.time.now, instance))
        member.heard_at, member.join = self.time.now, answer
        if not self._joining:
            self._joining = True
            self._round += 1
            self.time.after(self._join_s, self._expire_join, self._round)
        self._try_complete()

    def _replaced(self, name: str, instance: str, answer: Answer) -> bool:
        for other, member in list(self._members.items()):
            if instance and member.instance == instance and other != name:
                self._members[name] = self._members.pop(other)
                if _process(other) != _process(name):
                    self._replaced_processes.add(_process(other))
                if not self._joining:
                    member.heard_at = self.time.now
                    self.time.after(0.01, answer, (self.generation, member.share))
                    return True
        return False

    def leave(self, name: str) -> None:
        """Let a member go that says goodbye."""
        self._put_out(name)

    def heartbeat(self, name: str, generation: int) -> type[KafkaError] | None:
        """Return what is wrong with a member, None when it may go on."""
        member = self._members.get(name)
        if member is None:
            return UnknownMemberIdError
        if generation != self.generation:
            return IllegalGenerationError
        member.heard_at = self.time.now
        return RebalanceInProgressError if self._joining else None

    def commit(
        self, name: str, generation: int, offsets: Mapping[int, tuple[int, str]], answer: Answer
    ) -> None:
        """Carry an offset commit that was sent just now; `answer` gets None or an error."""
        slow = self.rng.random() < self.fault
        way = self.rng.uniform(0.0, self.longest_delay_s) if slow else self.rng.uniform(0.001, 0.01)
        self.time.after(way, self._judge, name, generation, dict(offsets), answer, self.time.now)
        self.time.after(self.request_timeout_s, answer, RequestTimedOutError())

    def _judge(
        self,
        name: str,
        generation: int,
        offsets: dict[int, tuple[int, str]],
        answer: Answer,
        sent_at: float,
    ) -> None:
        error = self._refusal(name, generation)
        if error is None:
            self.overtaken += self.time.now - sent_at > self.request_timeout_s
            self.offsets.update(offsets)
            self.commits += [(partition, *committed) for partition, committed in offsets.items()]
            if self.rng.random() < self.fault:
                error = RequestTimedOutError()  # applied all the same
        else:
            self.refusals[type(error).__name__] += 1
        self.time.after(self.rng.uniform(0.001, 0.01), answer, error)

    def _refusal(self, name: str, generation: int) -> KafkaError | None:
        if name not in self._members:
            return UnknownMemberIdError()
        if generation != self.generation:
            return IllegalGenerationError()
        self._members[name].heard_at = self.time.now
        return GroupLoadInProgressError() if self.rng.random() < self.fault else None

    def _expire(self) -> None:
        for name, member in list(self._members.items()):
            if member.join is None and self.time.now - member.heard_at > self._session_s:
                self._put_out(name)
        self.time.after(1.0, self._expire)

    def _expire_join(self, number: int) -> None:
        if self._joining and self._round == number:
            for name in [name for name, member in self._members.items() if member.join is None]:
                del self._members[name]
            self._try_complete()

    def _put_out(self, name: str) -> None:
        if self._members.pop(name, None) is None:
            return
        if not self._joining:
            self._joining = True
            self._round += 1
            self.time.after(self._join_s, self._expire_join, self._round)
        self._try_complete()

    def _try_complete(self) -> None:
        if not self._members or any(member.join is None for member in self._members.values()):
            self._joining = bool(self._members)
            return
        self._joining = False
        self.generation += 1
        names = list(self._members)
        self.rng.shuffle(names)
        shares: dict[str, list[int]] = {name: [] for name in names}
        for partition in range(len(self.logs)):
            shares[names[partition % len(names)]].append(partition)
        for name, share in shares.items():
            member = self._members[name]
            join, member.join, member.heard_at, member.share = member.join, None, self.time.now, share
            assert join is not None
            self.time.after(self.rng.uniform(0.001, 0.02), join, (self.generation, share))


def _process(name: str) -> str:
    return name.partition("#")[0]
