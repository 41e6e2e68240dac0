"""The record of exports: table `exports`, a row for each thing that left the house."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from clickhouse_connect.driver.client import Client

from sinks.expressions import time_text
from sinks.refusals import translated

_INSERT = """
INSERT INTO exports (
    export_id, kind, tenant_id, requested_by, purpose, query, rows, bytes, sha256, destination, finished_at)
SELECT {export_id:UUID}, {kind:String}, '', {requested_by:String}, {purpose:String}, {query:String},
    {rows:UInt64}, {bytes:UInt64}, {sha256:String}, {destination:String},
    {finished_at:DateTime64(6, 'UTC')}"""


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One export.

    Attributes:
        export_id: Its id.
        kind: What it is, as `evidence`.
        requested_by: Who asked for it.
        query: What it was narrowed to; empty for everything.
        rows: Rows in it.
        bytes_written: Bytes in it.
        sha256: Hash of its manifest, lower-case hex.
        destination: Where it went.
        purpose: What for.
    """

    export_id: uuid.UUID
    kind: str
    requested_by: str
    query: str
    rows: int
    bytes_written: int
    sha256: str
    destination: str
    purpose: str = ""


def record_export(client: Client, row: ExportRow) -> None:
    """Insert the row of an export.

    Raises:
        ConfigError: The user may not.
        RetryableError: No answer.
    """
    values = {
        "export_id": str(row.export_id),
        "kind": row.kind,
        "requested_by": row.requested_by,
        "purpose": row.purpose,
        "query": row.query,
        "rows": row.rows,
        "bytes": row.bytes_written,
        "sha256": row.sha256,
        "destination": row.destination,
        "finished_at": time_text(datetime.now(UTC)),
    }
    with translated("record of an export"):
        client.command(_INSERT, values)
