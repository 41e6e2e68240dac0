"""What findings and events of burning budgets have in common, whatever the budget is of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from auditstream.core.finding_ids import UPDATES_APART, finding_id
from auditstream.core.ids import uuid7
from auditstream.core.tenants import UNATTRIBUTED
from auditstream.notify.told_episodes import ToldEpisode
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

RULE = "slo.burn"
DETECTOR_VERSION = "1"

_INFORMATIONAL = 1
_CERTAIN = 100  # counted, not estimated


def burn_finding(episode: ToldEpisode, tenant: str, scope: str, metric: str, **fields: Any) -> Finding:
    """Return the finding of an episode, or its update.

    Args:
        episode: The episode.
        tenant: The tenant; empty for all.
        scope: What it is about within the tenant.
        metric: What was watched.
        **fields: Further fields of the finding.
    """
    tenant = tenant or UNATTRIBUTED
    return Finding(
        finding_id=finding_id(tenant, scope, metric, RULE, episode.opened.isoformat()),
        version=episode.update * UPDATES_APART,
        tenant_id=tenant,
        rule_id=RULE,
        detector_version=DETECTOR_VERSION,
        status=FindingStatus.NEW if episode.is_open else FindingStatus.RESOLVED,
        severity=episode.severity,
        confidence=_CERTAIN,
        scope=scope,
        metric=metric,
        **fields,
    )


def event_id_of(finding: Finding, episode: ToldEpisode) -> UUID:
    """Return the id of the event that tells of a finding: the same whoever tells of it, however often."""
    name = f"{finding.finding_id}\0{finding.version}".encode()
    return uuid7(int(episode.opened.timestamp() * 1_000), hashlib.sha256(name).digest()[:10])


def event_fields(
    finding: Finding, episode: ToldEpisode, rule: str, about: str, attributes: Mapping[str, str]
) -> dict[str, Any]:
    """Return the fields of the event `ai.finding` that tells of a finding.

    Args:
        finding: The finding.
        episode: Its episode: what `episode_before` reads back.
        rule: Id of the objective or budget.
        about: What of it the finding is about.
        attributes: What else there is to say.
    """
    return {
        "event_id": event_id_of(finding, episode),
        "severity": episode.severity if episode.is_open else _INFORMATIONAL,
        "finding": {
            "rule_id": RULE,
            "title": finding.title,
            "status": str(finding.status),
            "confidence": _CERTAIN,
            "attacks": list(finding.attacks),
        },
        "attributes": {
            "rule": rule,
            "about": about,
            "opened": episode.opened.isoformat(),
            "update": str(episode.update),
            "severity": str(episode.severity),
            "open": "yes" if episode.is_open else "no",
            "finding_id": finding.finding_id,
            **attributes,
        },
    }


def episode_before(attributes: Mapping[str, str]) -> ToldEpisode:
    """Return what an event told; see `event_fields`."""
    return ToldEpisode(
        opened=datetime.fromisoformat(attributes["opened"]),
        update=int(attributes["update"]),
        severity=int(attributes["severity"]),
        is_open=attributes["open"] == "yes",
    )
