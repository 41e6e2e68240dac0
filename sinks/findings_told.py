"""Which findings were told of lately, so that who begins anew does not tell them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sinks.clients import ClientPool
from sinks.expressions import time_text
from sinks.refusals import translated

_TOLD = """
SELECT DISTINCT finding_id FROM findings
WHERE rule_id IN {rules:Array(String)} AND recorded_at >= {since:DateTime64(6, 'UTC')}"""


def told_findings(clients: ClientPool, rules: Sequence[str], since: datetime) -> set[str]:
    """Return the ids of findings of some rules that were recorded since a time.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    parameters = {"rules": list(rules), "since": time_text(since)}
    with translated("read of what was told"), clients.borrow() as client:
        return {str(row[0]) for row in client.query(_TOLD, parameters).result_rows}
