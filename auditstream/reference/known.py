"""The facts of one kind in a snapshot, by key: what documents are compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from auditstream.reference.fact import Fact
from auditstream.reference.kinds import Kind
from auditstream.reference.snapshot import Snapshot

Row = Mapping[str, Any]


class KnownFacts:
    """The facts of one kind in a snapshot.

    Args:
        snapshot: Snapshot to look in.
        kind: Kind of the facts.
    """

    def __init__(self, snapshot: Snapshot, kind: Kind) -> None:
        self._snapshot = snapshot
        self._kind = kind

    def holding(self, key: tuple[str, ...], at: datetime) -> Fact | None:
        """Return the fact that holds at a time; its `valid_to` is where it ends or is replaced."""
        return next((fact for fact in self._held.get(key, ()) if fact.covers(at)), None)

    def replaced_by(self, fact: Fact) -> list[datetime]:
        """Return when facts of the same key begin to hold, later than `fact` and within it."""
        starts = [known.valid_from for known in self._held.get(fact.key, ())]
        return [start for start in starts if start > fact.valid_from and fact.covers(start)]

    def states(self, fact: Fact) -> bool:
        """Return whether a row says exactly this, and no later one of the same start says otherwise."""
        rows = [row for row in self._rows.get(fact.key, ()) if row["valid_from"] == fact.valid_from]
        return bool(rows) and self._fact(max(rows, key=lambda row: int(row["revision"]))) == fact

    def begins(self, key: tuple[str, ...], at: datetime | None) -> bool:
        """Return whether a fact of the key begins to hold exactly then."""
        return any(fact.valid_from == at for fact in self._held.get(key, ()))

    @cached_property
    def _rows(self) -> Mapping[tuple[str, ...], list[Row]]:
        return self._by_key(self._snapshot.rows(self._kind.name).iter_rows(named=True))

    @cached_property
    def _held(self) -> Mapping[tuple[str, ...], list[Fact]]:
        rows = self._by_key(self._snapshot.intervals(self._kind.name).iter_rows(named=True))
        return {key: [self._fact(row) for row in of_key] for key, of_key in rows.items()}

    def _fact(self, row: Row) -> Fact:
        return self._kind.fact.model_validate({name: row[name] for name in self._kind.fact.model_fields})

    def _by_key(self, rows: Iterable[Row]) -> Mapping[tuple[str, ...], list[Row]]:
        found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in rows:
            found[tuple(str(row[name]) for name in self._kind.key)].append(row)
        return found
