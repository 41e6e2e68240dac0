"""Questions about the record of exports: what left, by whatever way."""

from __future__ import annotations

from typing import Any

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal

_MOST_TOLD = 100
_TOLD = """
SELECT kind, requested_by, query, rows AS row_count, bytes AS size_bytes, sha256, destination, purpose,
    finished_at
FROM exports
ORDER BY finished_at DESC
LIMIT {most:UInt32}"""


def told_of(desk: Desk, who: Principal, caller: Caller) -> list[dict[str, Any]]:
    """Return the newest of the record of exports; raises as `Desk.ask`.

    An export is of several tenants and nobody's own: only who may see everybody's rows sees them.
    """
    reader = desk.ask(who, Question("exports", "", ("exports",), caller=caller), may="exports")
    return reader.table(_TOLD, {"most": _MOST_TOLD}, doing="read of the record of exports").records()
