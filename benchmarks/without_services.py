"""What the record path asks of a registry and of the reference data, answered in the process."""

from __future__ import annotations

import polars as pl

from auditstream.core.errors import SchemaError
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
