"""What every OCSF event has of an event's envelope, whatever its class."""

from __future__ import annotations

from auditstream.exports.ocsf.rules import (
    Rule,
    address,
    choice,
    hmac,
    in_milliseconds,
    iso_text,
    milliseconds,
    named,
    other_class,
    text,
)

ACTOR_TYPES = {"USER": 1, "SERVICE": 4, "API_KEY": 99, "AGENT": 99, "SYSTEM": 3}
"""`actor_type` as `user.type_id`."""

STATUSES = {"SUCCESS": 1, "FAILURE": 2, "BLOCKED": 2, "PARTIAL": 99}
"""`outcome` as `status_id`; of classes whose status is one of a finding's life it is not."""

STATUS_NAMES = {"SUCCESS": "Success", "FAILURE": "Failure", "BLOCKED": "Failure", "PARTIAL": "Partial"}
"""`outcome` as `status`."""

SEVERITIES = ("Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal")
"""Names of `severity_id`, in its order; ours has the same numbers."""

EVENT = (
    Rule("event_id", "metadata.uid"),
    Rule("event_type", "metadata.event_code"),
    Rule("schema_rev", "metadata.log_version"),
    Rule("event_time", "time", milliseconds),
    Rule("event_time", "metadata.original_time", iso_text),
    Rule("observed_time", "metadata.logged_time", milliseconds, exact=False),
    Rule("inserted_at", "metadata.processed_time", milliseconds),
    Rule("duration_us", "duration", in_milliseconds, exact=False),
    Rule("source", "metadata.product.name"),
    Rule("source_instance", "metadata.reporter.uid"),
    Rule("source_seq", "metadata.sequence"),
    Rule("idempotency_key", "metadata.original_event_uid"),
    Rule("tenant_id", "metadata.tenant_uid"),
    Rule("causation_id", "metadata.correlation_uid"),
    Rule("severity", "severity_id"),
    Rule("severity", "severity", SEVERITIES.__getitem__),
    Rule("error_type", "status_detail"),
    Rule("http_status", "status_code", text),
    Rule("error_type", "status_code"),
    Rule("content_hmac", "raw_data_hash", hmac),
    Rule("content_bytes", "raw_data_size"),
    Rule("data_classes", "metadata.data_classifications", other_class),
    Rule("attributes", "unmapped.attributes"),
)
"""Of every class."""

OUTCOME = (
    Rule("outcome", "status_id", choice(STATUSES), exact=False),
    Rule("outcome", "status", choice(STATUS_NAMES), exact=False),
)
"""Of classes whose status is how the action ended."""

ACTOR = (
    Rule("actor_type", "actor.user.type_id", choice(ACTOR_TYPES)),
    Rule("actor_type", "actor.user.type"),
    Rule("actor_id", "actor.user.uid"),
    Rule("actor_hash", "actor.user.uid_alt"),
    Rule("actor_roles", "actor.user.groups", named),
    Rule("credential_id", "actor.user.credential_uid"),
    Rule("session_id", "actor.session.uid"),
    Rule("agent_id", "actor.app_uid"),
    Rule("agent_name", "actor.app_name"),
)
"""Of classes with an actor."""

CLIENT = (
    Rule("src_ip", "src_endpoint.ip", address),
    Rule("src_asn", "src_endpoint.autonomous_system.number"),
    Rule("src_country", "src_endpoint.location.country"),
)
"""Of classes with the endpoint that a request came from."""

USER_AGENT = (Rule("user_agent", "http_request.user_agent"),)
"""Of classes with a request over HTTP."""

TRACE = (
    Rule("trace_id", "trace.uid"),
    Rule("span_id", "trace.span.uid"),
    Rule("parent_span_id", "trace.span.parent_uid"),
)
"""Of the class with profile `trace`."""

TAGS = ("project_id", "team_id", "feature_id", "cost_center", "environment")
"""Columns that become `metadata.tags`."""
