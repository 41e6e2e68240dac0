"""The row that an export leaves in table `exports`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditstream.cli.accessing import Reading
    from auditstream.core.settings import Settings


def record_export_of(
    settings: Settings, asked: Reading, *, kind: str, rows: int, size_bytes: int, sha256: str
) -> None:
    """Insert the row of an export.

    Args:
        settings: Where the store is.
        asked: What the command said that it reads, what for, and where to.
        kind: Kind of the export, as `focus`.
        rows: How many rows or leaves it has.
        size_bytes: How large it is.
        sha256: Hash of its manifest, lower-case hex.

    Raises:
        RetryableError: No answer.
    """
    from auditstream.cli.accessing import actor, claims
    from auditstream.core.ids import uuid7
    from sinks.clients import http_client
    from sinks.export_log import ExportRow, record_export

    row = ExportRow(
        export_id=uuid7(time.time_ns() // 1_000_000, os.urandom(10)),
        kind=kind,
        requested_by=actor(settings),
        query=asked.query,
        rows=rows,
        bytes_written=size_bytes,
        sha256=sha256,
        destination=asked.destination,
        purpose=asked.purpose,
    )
    with http_client(settings.clickhouse, headers=claims(settings, asked).headers) as client:
        record_export(client, row)
