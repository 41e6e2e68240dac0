"""Format `anthropic-activity`: the Activity Feed of Anthropic's Compliance API, activities or pages of it.

Source: Claude developer platform, "Query the Activity Feed", and Compliance API reference, "Activities".
"""

from __future__ import annotations

from auditstream.core.record_sources import ANTHROPIC_SOURCE
from auditstream.emit.audit_log import AuditLog, Kind, Record

_NOT_YET = ("_initiated", "_started", "_requested", "_attempted", "_sent")
"""Ends of types that say that something began, and not how it ended."""


def _outcome(_record: Record, name: str) -> dict[str, str]:
    if name.endswith(("_failed", "_invalid")):
        return {"outcome": "FAILURE"}
    if name.endswith("_blocked"):
        return {"outcome": "BLOCKED"}
    return {"outcome": "UNKNOWN" if name.endswith(_NOT_YET) else "SUCCESS"}


read_anthropic_activity = AuditLog(
    source=ANTHROPIC_SOURCE,
    account=("organization_uuid", "organization_id"),
    page="data",
    id=("id",),
    name=("type",),
    time=("created_at",),
    texts={
        "actor_id": (
            "actor.user_id", "actor.service_account_id", "actor.admin_api_key_id", "actor.api_key_id",
            "actor.subject", "actor.directory_id", "actor.service", "actor.email_address",
            "actor.unauthenticated_email_address",
        ),
        "credential_id": ("actor.admin_api_key_id", "actor.api_key_id"),
        "user_agent": ("actor.user_agent",),
        "project_id": ("workspace_id",),
    },
    addresses=("actor.ip_address",),
    actor_kind=(
        ("actor.type",),
        {
            "user_actor": "USER", "unauthenticated_user_actor": "USER", "anthropic_actor": "USER",
            "api_actor": "API_KEY", "admin_api_key_actor": "API_KEY", "service_account_actor": "SERVICE",
            "federated_identity_actor": "SERVICE", "scim_directory_sync_actor": "SYSTEM",
            "system_actor": "SYSTEM",
        },
    ),
    kinds=(
        Kind("*_login_*", "ai.auth"),
        Kind("sso_second_factor_*", "ai.auth"),
        Kind("user_logged_out", "ai.auth"),
        Kind("session_revoked", "ai.auth"),
        Kind("admin_api_key_*", "ai.key.lifecycle"),
        Kind("platform_api_key_*", "ai.key.lifecycle"),
        Kind("scoped_api_key_*", "ai.key.lifecycle"),
        Kind("api_key_*", "ai.key.lifecycle"),
        Kind("service_key_*", "ai.key.lifecycle"),
        Kind("platform_signing_key_*", "ai.key.lifecycle"),
        Kind("org_external_key_*", "ai.key.lifecycle"),
        Kind("*_token_minted", "ai.key.lifecycle"),
        Kind("*_token_revoked", "ai.key.lifecycle"),
        Kind("primary_owner_transferred", "ai.access.grant"),
        Kind("role_assignment_*", "ai.access.grant"),
        Kind("rbac_role_*", "ai.access.grant"),
        Kind("claude_user_role_updated", "ai.access.grant"),
        Kind("group_member_added", "ai.access.grant"),
        Kind("group_member_removed", "ai.access.grant"),
        Kind("platform_workspace_member_*ed", "ai.access.grant"),
        Kind("scim_user_*", "ai.access.grant"),
        Kind("org_user_invite_*", "ai.access.grant"),
        Kind("mcp_server_*", "ai.config.change", "mcp_server"),
        Kind("mcp_tool_policy_updated", "ai.config.change", "mcp_tool_policy"),
        Kind("*spend_limit_*", "ai.config.change", "spend_limit"),
        Kind("*_rate_limit_*", "ai.config.change", "rate_limit"),
        Kind("org_ip_restriction_*", "ai.config.change", "ip_restriction"),
        Kind("org_sso_*", "ai.config.change", "sso"),
        Kind("org_directory_sync_*", "ai.config.change", "directory_sync"),
        Kind("claude_organization_settings_updated", "ai.config.change", "organization"),
        Kind("org_compliance_api_settings_updated", "ai.config.change", "compliance_api"),
        Kind("claude_artifact_sharing_updated", "ai.config.change", "artifact_sharing"),
        Kind("claude_project_sharing_updated", "ai.config.change", "project_sharing"),
        Kind("integration_user_*", "ai.config.change", "integration"),
        Kind("claude_g*_integration_*", "ai.config.change", "integration"),
        Kind("claude_plugin_*", "ai.config.change", "plugin"),
        Kind("claude_skill_*", "ai.config.change", "skill"),
        Kind("desktop_extension_*", "ai.config.change", "desktop_extension"),
        Kind("platform_federation_*", "ai.config.change", "federation"),
        Kind("platform_workspace_*ed", "ai.config.change", "workspace"),
    ),
    subjects=(
        "admin_api_key_id", "api_key_id", "service_key_id", "key_id", "target_user_id", "user_id",
        "principal_id", "role_id", "email_address",
    ),
    objects=(
        "mcp_server_id", "spend_limit_id", "claude_artifact_id", "claude_project_id", "integration_type",
        "plugin_id", "skill_id", "extension_id", "federation_rule_id", "federation_issuer_id", "workspace_id",
        "organization_uuid", "organization_id",
    ),
    outcome=_outcome,
)  # fmt: skip
"""Reads the format."""
