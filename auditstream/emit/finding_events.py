"""What is done about findings, as `ai.finding` events: triage, and notifications that were given up."""

from __future__ import annotations

from typing import Any

from auditstream.emit.announcements import Said, announcement
from schemas.records.detection import Finding

EVENT_TYPE = "ai.finding"


def finding_event(finding: Finding, act: str, said: Said, **details: str) -> dict[str, Any]:
    """Return the event of an act about a finding.

    Args:
        finding: The finding as it is after the act.
        act: What was done: `acknowledge`, `assign`, `comment`, `close`, `notify`.
        said: Who, when, and how it ended; its tenant is the finding's.
        details: Further attributes, as `assignee`; empty ones are left out.
    """
    attributes = {
        "act": act,
        "finding_id": finding.finding_id,
        "version": str(finding.version),
        "scope": finding.scope,
        **details,
    }
    return announcement(
        EVENT_TYPE,
        said,
        severity=finding.severity,
        finding={
            "rule_id": finding.rule_id,
            "title": finding.title,
            "status": str(finding.status),
            "confidence": finding.confidence,
            "attacks": list(finding.attacks),
            "related_events": list(finding.related_events),
        },
        attributes={name: value for name, value in attributes.items() if value},
    )
