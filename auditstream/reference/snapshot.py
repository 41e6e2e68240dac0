"""All reference facts up to a revision, by row and as intervals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import polars as pl

from auditstream.core.errors import InvariantError
from auditstream.reference.fact import Fact
from auditstream.reference.intervals import holds_at, intervals_of
from auditstream.reference.kinds import KINDS, empty_frame, kind_of

AnyFact = TypeVar("AnyFact", bound=Fact)


class Snapshot:
    """What is known at a revision; never changes.

    Args:
        revision: Revision up to which rows are known; 0 knows none.
        tables: Rows by name of the kind; columns as `Kind.schema`, none of a later revision. A kind that is
            left out was not read, and asking for it is an error; without `tables` every kind is empty.
    """

    def __init__(self, revision: int, tables: Mapping[str, pl.DataFrame] | None = None) -> None:
        if tables is None:
            tables = {name: empty_frame(kind) for name, kind in KINDS.items()}
        self.revision = revision
        self._tables = dict(tables)
        self._intervals: dict[str, pl.DataFrame] = {}
        for name, rows in self._tables.items():
            if rows.schema != pl.Schema(KINDS[name].schema):
                raise InvariantError(f"reference {name}: columns {rows.schema}, not those of its table")
            if rows.height and int(rows["revision"].max()) > revision:  # type: ignore[arg-type]  # u64
                raise InvariantError(f"reference {name}: rows later than revision {revision}")

    def rows(self, kind: str) -> pl.DataFrame:
        """Return every row of a kind that is known, superseded ones too.

        Raises:
            InvariantError: The kind was not read.
        """
        if kind not in self._tables:
            raise InvariantError(f"reference {kind}: not read into this snapshot")
        return self._tables[kind]

    def intervals(self, kind: str) -> pl.DataFrame:
        """Return what holds when: rows with disjoint `[valid_from, valid_to)` a key, sorted by key and time.

        Raises:
            InvariantError: The kind was not read.
        """
        found = self._intervals.get(kind)
        if found is None:  # two threads may both work it out, to the same result
            found = intervals_of(self.rows(kind), KINDS[kind].key)
            self._intervals[kind] = found
        return found

    def holding(self, kind: str, at: datetime) -> pl.DataFrame:
        """Return the intervals that cover a time: one row a key at most; raises as `intervals`."""
        return self.intervals(kind).filter(holds_at(at))

    def find(self, fact: type[AnyFact], *key: str, at: datetime) -> AnyFact | None:
        """Return the fact of a key that holds at a time, None when none does.

        Args:
            fact: Type of the fact, as `Credential`.
            *key: Values of the type's `KEY`, in its order.
            at: Time, by event time.
        """
        kind = kind_of(fact)
        held = self.rows(kind.name).filter(
            *(pl.col(name).cast(pl.String) == value for name, value in zip(kind.key, key, strict=True)),
            holds_at(at),
        )
        if held.is_empty():
            return None
        latest = held.sort("revision", "valid_from").tail(1)
        return fact.model_validate(latest.select(*fact.model_fields).row(0, named=True))

    def upto(self, revision: int) -> Snapshot:
        """Return what was known at an earlier revision."""
        known = pl.col("revision") <= revision
        earlier = {name: rows.filter(known) for name, rows in self._tables.items()}
        return Snapshot(min(revision, self.revision), earlier)
