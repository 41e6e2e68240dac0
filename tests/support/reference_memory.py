"""Reference facts in memory, behind the methods of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from auditstream.reference.fact import Fact
from auditstream.reference.kinds import KINDS, Entry
from auditstream.reference.snapshot import Snapshot
from tests.support.facts import snapshot_of


class FactStore:
    """Facts in memory; a revision counts when it was told of."""

    def __init__(self, *facts: Fact) -> None:
        self.revisions: dict[int, list[Fact]] = {1: list(facts)}

    def newest(self) -> int:
        return max(self.revisions)

    def load(self, revision: int, *, kinds: Iterable[str] = tuple(KINDS)) -> Snapshot:
        return snapshot_of({number: self.revisions[number] for number in range(1, revision + 1)})

    def append(
        self,
        entries: Sequence[Entry],
        *,
        base: int,
        actor: str,
        announce: Callable[[int], object] | None = None,
    ) -> int:
        assert base == self.newest()
        if announce is not None:
            announce(base + 1)
        self.revisions[base + 1] = [entry.fact for entry in entries]
        return base + 1
