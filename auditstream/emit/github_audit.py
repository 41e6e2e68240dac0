"""Format `github-audit`: the audit log of an organization or enterprise at GitHub, with Copilot's entries.

Source: GitHub Docs, "Audit log events for your organization", "Streaming the audit log for your enterprise".
"""

from __future__ import annotations

from typing import Any

from auditstream.core.record_sources import GITHUB_AUDIT_SOURCE
from auditstream.emit.audit_log import AuditLog, Kind, Record
from auditstream.emit.record_values import text_at

_MS_PER_S = 1_000


def _outcome(_record: Record, name: str) -> dict[str, str]:
    return {"outcome": "FAILURE" if name.endswith(("failed", "failure")) else "SUCCESS"}


def _more(record: Record, _name: str) -> dict[str, Any]:
    actor = text_at(record, "actor")
    if record.get("actor_is_agent") is True:
        return {"actor_type": "AGENT", **({"agent_id": actor} if actor else {})}
    if record.get("actor_is_bot") is True:
        return {"actor_type": "SERVICE"}
    return {"actor_type": "USER" if actor else "UNKNOWN"}


read_github_audit = AuditLog(
    source=GITHUB_AUDIT_SOURCE,
    account=("org", "business"),
    id=("_document_id",),
    name=("action",),
    time=("@timestamp", "created_at"),
    ticks_per_s=_MS_PER_S,
    texts={
        "actor_id": ("actor",),
        "user_agent": ("user_agent",),
        "credential_id": ("hashed_token",),
    },
    addresses=("actor_ip",),
    countries=("actor_location.country_code",),
    kinds=(
        Kind("copilot.cfb_seat_*", "ai.access.grant"),
        Kind("copilot.access_revoked", "ai.access.grant"),
        Kind("copilot.user_access_*", "ai.access.grant"),
        Kind("copilot.*content_exclusion*", "ai.config.change", "content_exclusion"),
        Kind("copilot.swe_agent_mcp_config_*", "ai.config.change", "mcp_config"),
        Kind("copilot.swe_agent_firewall_*", "ai.config.change", "coding_agent_firewall"),
        Kind("copilot.swe_agent_*", "ai.config.change", "coding_agent"),
        Kind("copilot.custom_instructions_*", "ai.config.change", "custom_instructions"),
        Kind("copilot.*", "ai.config.change", "copilot"),
        Kind("personal_access_token.*", "ai.key.lifecycle"),
        Kind("oauth_application.generate_client_secret", "ai.key.lifecycle"),
        Kind("deploy_key.*", "ai.key.lifecycle"),
        Kind("public_key.*", "ai.key.lifecycle"),
        Kind("org.add_member", "ai.access.grant"),
        Kind("org.update_member", "ai.access.grant"),
        Kind("org.remove_member", "ai.access.grant"),
        Kind("team.add_member", "ai.access.grant"),
        Kind("team.remove_member", "ai.access.grant"),
        Kind("org.sso_response", "ai.auth"),
    ),
    subjects=("user", "team"),
    objects=("repo", "org", "business"),
    outcome=_outcome,
    more=_more,
)
"""Reads the format."""
