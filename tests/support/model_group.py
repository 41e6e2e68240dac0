"""Kafka's consumer group as far as delivery depends on it: who owns what, and whose commits count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

Metadata = TypeVar("Metadata")


class CommitRefusedError(Exception):
    """The group has moved on: the commit's generation or member is not of now."""


class Committed(NamedTuple, Generic[Metadata]):
    """What a group remembers of a partition.

    Attributes:
        offset: Committed offset.
        metadata: What the committer wrote beside it; None after a reset or a stock commit.
    """

    offset: int
    metadata: Metadata | None


class ModelGroup(Generic[Metadata]):
    """A consumer group with eager rebalancing.

    Every change of membership makes a new generation and deals the partitions anew. A commit is accepted from
    a member of the present generation only; which partitions that member owns is not looked at, as in Kafka.

    Attributes:
        generation: Number of the present generation; starts again after the group was deleted.
        members: Ids of the present members; an id is never used twice.
        owners: Owner of each partition; empty while nobody is there.
    """

    def __init__(self, partitions: int, deal: Callable[[list[str]], None] = list.sort) -> None:
        """Make an empty group.

        Args:
            partitions: Number of partitions of the topic.
            deal: Orders the members in place before partitions are dealt to them in turn.
        """
        self.generation = 0
        self.members: list[str] = []
        self.owners: dict[int, str] = {}
        self._partitions = partitions
        self._deal = deal
        self._committed: dict[int, Committed[Metadata]] = {}

    def join(self, member: str) -> None:
        """Admit a member: a new generation."""
        self.members.append(member)
        self._rebalance()

    def remove(self, member: str) -> None:
        """Let a member leave, or evict it without its knowledge: a new generation. Strangers are ignored."""
        if member in self.members:
            self.members.remove(member)
            self._rebalance()

    def owned_by(self, member: str) -> list[int]:
        """Return the partitions of a member in the present generation."""
        return [partition for partition, owner in self.owners.items() if owner == member]

    def commit(self, member: str, generation: int, partition: int, committed: Committed[Metadata]) -> None:
        """Replace what is committed for a partition.

        Raises:
            CommitRefusedError: The member or the generation is not of now; nothing was changed.
        """
        if member not in self.members or generation != self.generation:
            raise CommitRefusedError(f"{member} of generation {generation}, now {self.generation}")
        self._committed[partition] = committed

    def fetch(self, partition: int) -> Committed[Metadata] | None:
        """Return what is committed for a partition."""
        return self._committed.get(partition)

    def delete(self) -> None:
        """Forget offsets and generations, as an administrator may do with a group that has no members."""
        assert not self.members, "Kafka refuses: NON_EMPTY_GROUP"
        self._committed.clear()
        self.generation = 0

    def reset(self, offset: int) -> None:
        """Commit `offset` without metadata for all partitions, as an administrator may do likewise."""
        assert not self.members, "Kafka refuses: UNKNOWN_MEMBER_ID"
        for partition in range(self._partitions):
            self._committed[partition] = Committed(offset, None)

    def _rebalance(self) -> None:
        self.generation += 1
        self._deal(self.members)
        count = len(self.members)
        self.owners = {
            partition: self.members[partition % count]
            for partition in range(self._partitions if count else 0)
        }
