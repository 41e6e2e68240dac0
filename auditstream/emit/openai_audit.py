"""Format `openai-audit`: the audit log of an organization at OpenAI, records or pages of its API.

What a record says of its own kind is named by the kind (`api_key.created`, or `api_key_created` from some
collectors); in `attributes` it is under `details`.

Source: OpenAI API reference, "Audit logs", and the types of the library `openai` for Python.
"""

from __future__ import annotations

from typing import Any

from auditstream.core.record_sources import OPENAI_SOURCE
from auditstream.emit.audit_log import AuditLog, Kind, Record
from auditstream.emit.record_values import given, text_at

_DETAILS = "details"


def _prepared(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the details of its kind under one name."""
    kind = record.get("type")
    if not isinstance(kind, str) or _DETAILS in record:
        return record
    names = [name for name in (kind, kind.replace(".", "_")) if isinstance(record.get(name), dict)]
    return {(_DETAILS if [key] == names[:1] else key): value for key, value in record.items()}


def _outcome(record: Record, name: str) -> dict[str, str]:
    if name.endswith(".failed"):
        return {"outcome": "FAILURE", **given("error_type", text_at(record, "details.error_code"))}
    return {"outcome": "SUCCESS"}


read_openai_audit = AuditLog(
    source=OPENAI_SOURCE,
    account=("organization_id", "details.organization_id"),
    page="data",
    id=("id",),
    name=("type",),
    time=("effective_at",),
    ticks_per_s=1,
    texts={
        "actor_id": (
            "actor.session.user.id", "actor.api_key.service_account.id", "actor.api_key.user.id",
            "actor.api_key.id",
        ),
        "credential_id": ("actor.api_key.id",),
        "user_agent": ("actor.session.user_agent",),
        "project_id": ("project.id",),
    },
    addresses=("actor.session.ip_address",),
    countries=("actor.session.ip_address_details.country",),
    networks=("actor.session.ip_address_details.asn",),
    actor_kind=(("actor.type",), {"session": "USER", "api_key": "API_KEY"}),
    kinds=(
        Kind("login.*", "ai.auth"),
        Kind("logout.*", "ai.auth"),
        Kind("api_key.*", "ai.key.lifecycle"),
        Kind("tenant.*api_key.*", "ai.key.lifecycle"),
        Kind("external_key.*", "ai.key.lifecycle"),
        Kind("certificate*", "ai.key.lifecycle"),
        Kind("service_account.*", "ai.access.grant"),
        Kind("tenant.service_account.*", "ai.access.grant"),
        Kind("role.*", "ai.access.grant"),
        Kind("tenant.*role*", "ai.access.grant"),
        Kind("user.*", "ai.access.grant"),
        Kind("tenant.user.*", "ai.access.grant"),
        Kind("group.*", "ai.access.grant"),
        Kind("tenant.group.*", "ai.access.grant"),
        Kind("invite.*", "ai.access.grant"),
        Kind("checkpoint.permission.*", "ai.access.grant"),
        Kind("scim.*", "ai.config.change", "scim"),
        Kind("tenant.scim.*", "ai.config.change", "scim"),
        Kind("ip_allowlist.*", "ai.config.change", "ip_allowlist"),
        Kind("rate_limit.*", "ai.config.change", "rate_limit"),
        Kind("tenant.usage_limit.*", "ai.config.change", "usage_limit"),
        Kind("tenant.billing.*", "ai.config.change", "billing"),
        Kind("project.*", "ai.config.change", "project"),
        Kind("organization.updated", "ai.config.change", "organization"),
        Kind("tenant.sso*", "ai.config.change", "sso"),
        Kind("tenant.*policy*", "ai.config.change", "policy"),
        Kind("tunnel.*", "ai.config.change", "tunnel"),
        Kind("*workload_identity*", "ai.config.change", "workload_identity"),
    ),
    subjects=("details.principal_id", "details.user_id", "details.id", "details.email", "details.data.email"),
    objects=("details.id", "project.id"),
    scopes=("details.data.scopes", "details.changes_requested.scopes"),
    outcome=_outcome,
    prepared=_prepared,
)  # fmt: skip
"""Reads the format."""
