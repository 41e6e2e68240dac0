"""The one writer schema of the measurements, without a registry."""

from __future__ import annotations

from auditstream.core.errors import SchemaError
from benchmarks.events import SCHEMA_ID
from schemas.framing import SchemaRef
from schemas.packaged import AvroSchema, schema_json


class OneSchema:
    """Knows the AuditEvent schema: no registry is part of the measurement."""

    def get(self, ref: SchemaRef) -> AvroSchema:
        """Return the schema."""
        if ref != SCHEMA_ID:
            raise SchemaError(f"schema {ref} is unknown")
        return schema_json("audit_event")
