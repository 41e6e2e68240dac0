"""Format `okta`: Okta's System Log, a LogEvent a line.

Source: Okta API reference, "System Log", and "Event types".
"""

from __future__ import annotations

from auditstream.core.record_sources import OKTA_SOURCE
from auditstream.emit.audit_log import AuditLog, Kind, Record
from auditstream.emit.record_values import given, text_at

_OUTCOMES = {"SUCCESS": "SUCCESS", "ALLOW": "SUCCESS", "FAILURE": "FAILURE", "DENY": "BLOCKED"}
"""Okta's results; SKIPPED, CHALLENGE, DEFERRED and such say nothing of how it ended."""


def _outcome(record: Record, _name: str) -> dict[str, str]:
    outcome = _OUTCOMES.get(text_at(record, "outcome.result"), "UNKNOWN")
    went_wrong = outcome in {"FAILURE", "BLOCKED"}
    return {
        "outcome": outcome,
        **(given("error_type", text_at(record, "outcome.reason")) if went_wrong else {}),
    }


read_okta = AuditLog(
    source=OKTA_SOURCE,
    id=("uuid",),
    name=("eventType",),
    time=("published",),
    texts={
        "actor_id": ("actor.id", "actor.alternateId"),
        "session_id": ("authenticationContext.externalSessionId",),
        "user_agent": ("client.userAgent.rawUserAgent",),
    },
    addresses=("client.ipAddress", "request.ipChain.0.ip"),
    networks=("securityContext.asNumber",),
    actor_kind=(
        ("actor.type",),
        {
            "User": "USER", "SystemPrincipal": "SYSTEM", "PublicClientApp": "SERVICE",
            "AppInstance": "SERVICE",
        },
    ),
    kinds=(
        Kind("user.session.*", "ai.auth"),
        Kind("user.authentication.*", "ai.auth"),
        Kind("user.account.lock*", "ai.auth"),
        Kind("user.account.unlock*", "ai.auth"),
        Kind("app.oauth2.*", "ai.auth"),
        Kind("user.mfa.*", "ai.key.lifecycle"),
        Kind("user.account.*password*", "ai.key.lifecycle"),
        Kind("system.api_token.*", "ai.key.lifecycle"),
        Kind("user.account.privilege.*", "ai.access.grant"),
        Kind("group.privilege.*", "ai.access.grant"),
        Kind("iam.role.*", "ai.access.grant"),
        Kind("group.user_membership.*", "ai.access.grant"),
        Kind("application.user_membership.*", "ai.access.grant"),
        Kind("policy.evaluate_sign_on", "ai.auth"),
        Kind("policy.*", "ai.config.change", "policy"),
        Kind("zone.*", "ai.config.change", "network_zone"),
        Kind("application.lifecycle.*", "ai.config.change", "application"),
        Kind("system.idp.lifecycle.*", "ai.config.change", "identity_provider"),
    ),
    subjects=("target.0.id", "target.0.alternateId"),
    objects=("target.0.id", "target.0.alternateId"),
    outcome=_outcome,
)  # fmt: skip
"""Reads the format."""
