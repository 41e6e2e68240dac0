"""Which findings were told of lately, and which of them are open: who begins anew goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from auditstream.core.finding_ids import UPDATES_APART
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from sinks.clients import ClientPool
from sinks.expressions import time_text
from sinks.refusals import translated

_TOLD = """
SELECT DISTINCT finding_id FROM findings
WHERE rule_id IN {rules:Array(String)} AND recorded_at >= {since:DateTime64(6, 'UTC')}"""

# A watch's own versions: what people did about a finding takes the numbers between.
_OPEN = """
SELECT tenant_id, finding_id, max(version), argMax(status, version) AS newest,
    argMax((rule_id, detector_version, title, severity, confidence, scope, metric, window_start, window_end,
        observed, expected, attacks), version)
FROM findings
WHERE rule_id IN {rules:Array(String)} AND recorded_at >= {since:DateTime64(6, 'UTC')}
    AND version % {apart:Int32} = 0
GROUP BY tenant_id, finding_id
HAVING newest != {resolved:String}
ORDER BY tenant_id, finding_id"""


def told_findings(clients: ClientPool, rules: Sequence[str], since: datetime) -> set[str]:
    """Return the ids of findings of some rules that were recorded since a time.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    parameters = {"rules": list(rules), "since": time_text(since)}
    with translated("read of what was told"), clients.borrow() as client:
        return {str(row[0]) for row in client.query(_TOLD, parameters).result_rows}


def open_findings(clients: ClientPool, rules: Sequence[str], since: datetime) -> list[Finding]:
    """Return the newest versions of findings of some rules that were recorded since a time and are not over.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    asked = {
        "rules": list(rules),
        "since": time_text(since),
        "apart": UPDATES_APART,
        "resolved": FindingStatus.RESOLVED,
    }
    with translated("read of what is open"), clients.borrow() as client:
        rows = client.query(_OPEN, asked).result_rows
    return [
        Finding(
            tenant_id=str(tenant),
            finding_id=str(id_),
            version=int(version),
            status=FindingStatus(status),
            rule_id=str(rule),
            detector_version=str(made_by),
            title=str(title),
            severity=int(severity),
            confidence=int(confidence),
            scope=str(scope),
            metric=str(metric),
            window_start=start.replace(tzinfo=UTC),
            window_end=end.replace(tzinfo=UTC),
            observed=observed,
            expected=expected,
            attacks=tuple(attacks),
        )
        for tenant, id_, version, status, (
            rule, made_by, title, severity, confidence, scope, metric, start, end, observed, expected, attacks
        ) in rows
    ]  # fmt: skip
