"""What readers ask the store, question by question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from auditstream.query import current_events
from auditstream.query.periods import Period
from auditstream.query.reader import Reader, Table
from auditstream.query.scopes import tables_of


@dataclass
class Watch:
    """Notes which tables are read, by whatever reader.

    Attributes:
        read: The tables of each question.
        by_view: Whether readers are told that something was booked to all they ask for: they ask the view.
    """

    read: list[set[str]] = field(default_factory=list)
    by_view: bool = False

    @property
    def tables(self) -> set[str]:
        """All tables that were read."""
        return set().union(*self.read)


def watched(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Watch all readers until the test ends."""
    watch, table, batches, within = Watch(), Reader.table, Reader.batches, current_events.within

    def watched_table(
        self: Reader, sql: str, parameters: Mapping[str, object], *, doing: str, limit_s: float = 0.0
    ) -> Table:
        if watch.by_view and doing in {"look for adjustments", "look for events that came"}:
            return Table(("1",), ((1,),))
        watch.read.append(tables_of(sql))
        return table(self, sql, parameters, doing=doing, limit_s=limit_s)

    def watched_batches(
        self: Reader, sql: str, parameters: Mapping[str, object], *, doing: str
    ) -> Iterator[pa.RecordBatch]:
        watch.read.append(tables_of(sql))
        yield from batches(self, sql, parameters, doing=doing)

    def watched_within(reader: Reader, period: Period) -> Reader:
        return reader if watch.by_view else within(reader, period)

    monkeypatch.setattr(Reader, "table", watched_table)
    monkeypatch.setattr(Reader, "batches", watched_batches)
    monkeypatch.setattr(current_events, "within", watched_within)
    return watch
