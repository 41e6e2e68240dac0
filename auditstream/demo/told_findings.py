"""Findings that a demonstration brought about, as the store has them."""

from __future__ import annotations

from datetime import UTC, datetime

from auditstream.demo.incident import Told
from auditstream.demo.inspection import Ask
from sinks.expressions import time_text

# An episode's first version says when it was known; a later one may say that another finding stands for it.
_TOLD = """
SELECT finding_id, argMin(rule_id, version), argMin(tenant_id, version), argMin(scope, version),
    argMin(window_end, version),
    argMax(suppressed_by, (startsWith(suppressed_by, 'parent:'), version))
FROM findings
WHERE act = ''
GROUP BY finding_id
HAVING min(recorded_at) >= {since:DateTime64(6, 'UTC')}
ORDER BY finding_id"""


def told_since(ask: Ask, since: datetime) -> list[Told]:
    """Return the findings that were first recorded after a moment.

    Raises:
        RetryableError: The store does not answer.
    """
    return [
        Told(
            finding_id=str(id_),
            rule=str(rule),
            tenant=str(tenant),
            scope=str(scope),
            known=known.replace(tzinfo=UTC),
            suppressed_by=str(reason),
        )
        for id_, rule, tenant, scope, known, reason in ask(_TOLD, {"since": time_text(since)})
    ]
