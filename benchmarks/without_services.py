"""What the record path asks of a registry and of the reference data, answered in the process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

import polars as pl

from auditstream.core.errors import SchemaError
from auditstream.core.ports import LogId
from auditstream.reference.fact import Fact
from auditstream.reference.kinds import KINDS, Entry, empty_frame, frame_of, kind_of
from auditstream.reference.snapshot import Snapshot
from benchmarks.events import SCHEMA_ID
from schemas.framing import SchemaRef
from schemas.packaged import AvroSchema, schema_json
from schemas.subjects import SUBJECTS, Subject


class OneSchema:
    """Knows the AuditEvent schema: no registry is part of the measurement."""

    def get(self, ref: SchemaRef) -> AvroSchema:
        """Return the schema."""
        if ref != SCHEMA_ID:
            raise SchemaError(f"schema {ref} is unknown")
        return schema_json("audit_event")

    def id_of(self, subject: Subject) -> int:
        """Return an id that is another one than that of the events."""
        return SCHEMA_ID + 1 + SUBJECTS.index(subject)


class NoFacts:
    """A directory without reference data."""

    def intervals(self, kind: str, revision: int) -> pl.DataFrame:
        """Return an empty table of the kind's columns."""
        return Snapshot(revision).intervals(kind)


class StatedFacts:
    """A directory over facts that were all stated in one revision, the first.

    Args:
        facts: The facts.
    """

    REVISION = 1

    def __init__(self, facts: Iterable[Fact]) -> None:
        rows: dict[str, list[pl.DataFrame]] = defaultdict(list)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        for fact in facts:
            kind = kind_of(type(fact))
            entry = Entry(fact, "benchmark")
            rows[kind.name].append(
                frame_of(kind, [entry], revision=self.REVISION, recorded_at=at, actor="benchmark")
            )
        tables = {name: pl.concat([empty_frame(kind), *rows[name]]) for name, kind in KINDS.items()}
        self.snapshot = Snapshot(self.REVISION, tables)

    def intervals(self, kind: str, revision: int) -> pl.DataFrame:
        """Return what holds when."""
        return self.snapshot.upto(revision).intervals(kind)


class NothingRecorded:
    """A history of logs that begin now: a recorder that takes all of a log remembers the rest by itself."""

    def first_ids(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        """Return no events."""
        return pl.DataFrame(schema={"event_id": pl.Binary, "leaf_index": pl.UInt64})

    def ids_at(self, log: LogId, indexes: Sequence[int]) -> dict[int, bytes]:
        """Return no ids."""
        return {}

    def first_calls(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        """Return no calls."""
        return pl.DataFrame(schema={"call_key": pl.Binary, "leaf_index": pl.UInt64})

    def calls_at(self, log: LogId, indexes: Sequence[int]) -> dict[int, bytes]:
        """Return no calls."""
        return {}

    def recent(self, log: LogId, columns: Sequence[str], from_index: int, to_index: int) -> pl.DataFrame:
        """Refuse: nobody should have to look back at what he was given.

        Raises:
            LookupError: Always.
        """
        raise LookupError(f"{log}: leaves {from_index} to {to_index} are kept nowhere")

    def first_swaps(
        self, log: LogId, swaps: Sequence[tuple[str, ...]], to_index: int
    ) -> dict[tuple[str, ...], int]:
        """Return no swaps."""
        return {}

    def first_unpriced(
        self, log: LogId, day: date, models: Sequence[tuple[str, ...]], to_index: int
    ) -> dict[tuple[str, ...], int]:
        """Return nothing without a price."""
        return {}
