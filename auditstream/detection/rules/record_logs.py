"""Logs of other systems whose records events keep in `attributes`, by the names that Sigma gives them.

A rule of such a log names fields of a record by dotted path, as `userIdentity.type`; importers keep them so.
Capitals of a path's first name do not matter: rules for Okta in circulation write `eventtype`.

Source: Sigma specification, "Taxonomy"; where it has no name for a log, ours. Fields: the references that
the importers of `auditstream.emit` name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditstream.core import record_sources


@dataclass(frozen=True, slots=True)
class RecordLog:
    """A log.

    Attributes:
        title: What it is called.
        source: What the `source` of its events begins with.
        fields: First names of the paths of its records.
        actor: Path of who acted, for cases.
    """

    title: str
    source: str
    fields: tuple[str, ...]
    actor: str

    def path(self, name: str) -> str | None:
        """Return a path with its first name as the log writes it; None where the log has no such field."""
        first, dot, rest = name.partition(".")
        known = next((each for each in self.fields if each.lower() == first.lower()), None)
        return None if known is None else f"{known}{dot}{rest}"


RECORD_LOGS: Mapping[tuple[str, str], RecordLog] = {
    ("aws", "cloudtrail"): RecordLog(
        "CloudTrail",
        record_sources.CLOUDTRAIL_SOURCE,
        (
            "additionalEventData", "addendum", "apiVersion", "awsRegion", "edgeDeviceDetails", "errorCode",
            "errorMessage", "eventCategory", "eventContext", "eventID", "eventName", "eventSource",
            "eventTime", "eventType", "eventVersion", "insightDetails", "managementEvent", "readOnly",
            "recipientAccountId", "requestID", "requestParameters", "resources", "responseElements",
            "serviceEventDetails", "sessionCredentialFromConsole", "sharedEventID", "sourceIPAddress",
            "tlsDetails", "userAgent", "userIdentity", "vpcEndpointAccountId", "vpcEndpointId",
        ),
        "userIdentity.arn",
    ),
    ("aws", "bedrock"): RecordLog(
        "Bedrock's model invocation log",
        record_sources.BEDROCK_SOURCE,
        (
            "accountId", "errorCode", "identity", "inferenceRegion", "input", "modelId", "operation",
            "output", "performanceConfig", "region", "requestId", "requestMetadata", "schemaType",
            "schemaVersion", "status", "timestamp",
        ),
        "identity.arn",
    ),
    ("openai", "audit"): RecordLog(
        "OpenAI's audit log",
        record_sources.OPENAI_SOURCE,
        ("actor", "details", "effective_at", "id", "object", "organization_id", "project", "type"),
        "actor.session.user.id",
    ),
    ("anthropic", "activity"): RecordLog(
        "Anthropic's Activity Feed",
        record_sources.ANTHROPIC_SOURCE,
        (
            "actor", "admin_api_key_id", "api_key_id", "audience", "claude_artifact_id", "claude_chat_id",
            "claude_project_id", "created_at", "filename", "id", "integration_type", "mcp_server_id",
            "mcp_server_name", "organization_id", "organization_uuid", "role_id", "service_key_id",
            "spend_limit_id", "type", "updates", "user_id", "workspace_id",
        ),
        "actor.user_id",
    ),
    ("okta", "okta"): RecordLog(
        "Okta's System Log",
        record_sources.OKTA_SOURCE,
        (
            "actor", "authenticationContext", "client", "debugContext", "device", "displayMessage",
            "eventType", "legacyEventType", "outcome", "published", "request", "securityContext", "severity",
            "target", "transaction", "uuid", "version",
        ),
        "actor.id",
    ),
    ("azure", "openai"): RecordLog(
        "Azure OpenAI's resource logs",
        record_sources.AZURE_OPENAI_SOURCE,
        (
            "AssetIdentity", "Tenant", "callerIpAddress", "category", "correlationId", "durationMs", "event",
            "identity", "level", "location", "operationName", "operationVersion", "properties", "resourceId",
            "resultDescription", "resultSignature", "resultType", "time",
        ),
        "properties.objectId",
    ),
    ("gcp", "gcp.audit"): RecordLog(
        "Cloud Audit Logs",
        record_sources.GCP_AUDIT_SOURCE,
        (
            "insertId", "labels", "logName", "operation", "protoPayload", "receiveTimestamp", "resource",
            "severity", "spanId", "timestamp", "trace",
        ),
        "protoPayload.authenticationInfo.principalEmail",
    ),
    ("github", "audit"): RecordLog(
        "GitHub's audit log",
        record_sources.GITHUB_AUDIT_SOURCE,
        (
            "@timestamp", "_document_id", "action", "actor", "actor_id", "actor_ip", "actor_is_agent",
            "actor_is_bot", "actor_location", "business", "created_at", "data", "hashed_token",
            "new_access", "new_config", "old_access", "operation_type", "org", "owner", "plan",
            "programmatic_access_type", "public_repo", "repo", "seat_assignment", "team", "token_id", "user",
            "user_agent", "user_id", "visibility",
        ),
        "actor",
    ),
}  # fmt: skip
"""All of them, by Sigma's product and service."""

_BY_SOURCE = {log.source: log for log in RECORD_LOGS.values()}


def record_log(source: str) -> RecordLog | None:
    """Return the log whose events' `source` begins with a text; None where that is none of a log."""
    return _BY_SOURCE.get(source)
