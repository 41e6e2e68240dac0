"""The OCSF classes that events become, with the columns that each takes. Source: OCSF 1.8.0."""

from __future__ import annotations

from dataclasses import dataclass

from auditstream.exports.ocsf.envelope import ACTOR, CLIENT, EVENT, OUTCOME, TRACE, USER_AGENT
from auditstream.exports.ocsf.rules import Rule, choice, techniques, with_uid

FINDING_STATUSES = {"NEW": 1, "IN_PROGRESS": 2, "SUPPRESSED": 3, "RESOLVED": 4}
"""`finding_status` as the status of a finding; OCSF's names of them are the captions."""

INCIDENT_STATUSES = {"NEW": 1, "IN_PROGRESS": 2, "SUPPRESSED": 3, "RESOLVED": 4}
"""The same of an incident, where 3 is On Hold."""

ACTIONS = {"allow": 1, "block": 2, "modify": 4, "escalate": 99}
"""`policy_action` as `action_id`."""

DISPOSITIONS = {"allow": 1, "block": 2, "modify": 11, "escalate": 99}
"""`policy_action` as `disposition_id`."""

REVIEW_DISPOSITIONS = {
    "APPROVE": 8,
    "OVERRIDE": 8,
    "REJECT": 25,
    "REQUESTED": 14,
    "ESCALATE": 14,
    "EXPIRED": 6,
}
"""`review_decision` as `disposition_id`: approved, rejected, delayed, dropped."""


@dataclass(frozen=True, slots=True)
class OcsfClass:
    """One class of OCSF.

    Attributes:
        uid: `class_uid`.
        name: Its caption.
        category_uid: Number of its category.
        category: Caption of its category.
        activities: Captions of the activities that we use, by number.
        rules: Its columns; the first that has a value for an attribute gives it.
        profiles: Profiles of OCSF that its attributes are of.
    """

    uid: int
    name: str
    category_uid: int
    category: str
    activities: dict[int, str]
    rules: tuple[Rule, ...]
    profiles: tuple[str, ...] = ()


_MODEL = (
    Rule("inference_request_model", "ai_model.name"),
    Rule("inference_response_model", "ai_model.name"),
    Rule("inference_response_model", "ai_model.version"),
    Rule("inference_provider", "ai_model.ai_provider"),
)
_MESSAGE = (
    Rule("conversation_id", "message_context.uid"),
    Rule("input_tokens", "message_context.prompt_tokens"),
    Rule("output_tokens", "message_context.completion_tokens"),
    Rule("agent_name", "message_context.application.name"),
    Rule("agent_id", "message_context.application.uid"),
    Rule("agent_version", "message_context.application.version"),
)

API_ACTIVITY = OcsfClass(
    6003,
    "API Activity",
    6,
    "Application Activity",
    {99: "Other"},
    (
        Rule("inference_operation", "api.operation"),
        Rule("tool_name", "api.operation"),
        Rule("tool_name", "resources[].name"),
        Rule("tool_type", "resources[].type"),
        Rule("tool_call_id", "resources[].uid"),
        Rule("tool_mcp_server", "api.service.name"),
        Rule("tool_mcp_protocol", "api.version"),
        Rule("inference_provider", "api.service.name"),
        Rule("inference_response_id", "api.request.uid"),
        Rule("inference_server_host", "dst_endpoint.hostname"),
        Rule("http_status", "http_response.code"),
        *_MODEL,
        *_MESSAGE,
        Rule("policy_id", "policy.uid"),
        Rule("policy_component", "policy.name"),
        Rule("policy_rule_id", "firewall_rule.uid"),
        Rule("policy_action", "action_id", choice(ACTIONS), exact=False),
        Rule("policy_action", "disposition_id", choice(DISPOSITIONS), exact=False),
        Rule("policy_risk_category", "risk_details"),
        Rule("review_decision", "disposition_id", choice(REVIEW_DISPOSITIONS), exact=False),
        Rule("limit_name", "policy.name"),
        *EVENT,
        *OUTCOME,
        *ACTOR,
        *CLIENT,
        *USER_AGENT,
        *TRACE,
    ),
    ("ai_operation", "data_classification", "security_control", "trace"),
)

DATASTORE_ACTIVITY = OcsfClass(
    6005,
    "Datastore Activity",
    6,
    "Application Activity",
    {1: "Read", 2: "Update", 4: "Query", 5: "Write", 6: "Create", 7: "Delete", 99: "Other"},
    (
        Rule("retrieval_data_source_id", "databucket.uid"),
        Rule("retrieval_store_id", "database.uid"),
        Rule("data_access_query_hmac", "query_info.uid"),
        Rule("data_access_bytes", "query_info.bytes"),
        Rule("data_access_tables", "table.name", lambda names: names[0] if len(names) == 1 else None),
        Rule("data_access_destination", "dst_endpoint.name"),
        Rule("http_status", "http_response.code"),
        *_MODEL,
        *_MESSAGE,
        *EVENT,
        *OUTCOME,
        *ACTOR,
        *CLIENT,
        *USER_AGENT,
    ),
    ("ai_operation", "data_classification"),
)

AUTHENTICATION = OcsfClass(
    3002,
    "Authentication",
    3,
    "Identity & Access Management",
    {1: "Logon", 2: "Logoff", 99: "Other"},
    (
        Rule("access_subject_id", "user.uid"),
        Rule("access_mfa", "is_mfa"),
        *EVENT,
        *OUTCOME,
        *ACTOR,
        *CLIENT,
        *USER_AGENT,
    ),
    ("data_classification",),
)

ENTITY_MANAGEMENT = OcsfClass(
    3004,
    "Entity Management",
    3,
    "Identity & Access Management",
    {
        1: "Create", 3: "Update", 4: "Delete", 8: "Enable", 9: "Disable", 10: "Activate", 11: "Deactivate",
        12: "Suspend", 13: "Resume", 99: "Other",
    },
    (
        Rule("change_object_id", "entity.uid"),
        Rule("change_object_type", "entity.type"),
        Rule("access_subject_id", "entity.uid"),
        Rule("change_ticket", "comment"),
        *EVENT,
        *OUTCOME,
        *ACTOR,
        *CLIENT,
        *USER_AGENT,
    ),
    ("data_classification",),
)  # fmt: skip

USER_ACCESS = OcsfClass(
    3005,
    "User Access Management",
    3,
    "Identity & Access Management",
    {1: "Assign Privileges", 2: "Revoke Privileges", 99: "Other"},
    (
        Rule("access_subject_id", "user.uid"),
        Rule("access_scopes", "privileges"),
        *EVENT,
        *OUTCOME,
        *ACTOR,
        *CLIENT,
        *USER_AGENT,
    ),
    ("data_classification",),
)

_INFO = (
    Rule("finding_title", "finding_info.title"),
    Rule("finding_rule_id", "finding_info.analytic.uid"),
    Rule("finding_attacks", "finding_info.attacks", techniques),
    Rule("finding_related_events", "finding_info.related_events", with_uid),
)

DETECTION_FINDING = OcsfClass(
    2004,
    "Detection Finding",
    2,
    "Findings",
    {1: "Create", 2: "Update", 3: "Close"},
    (
        *_INFO,
        Rule("finding_status", "status_id", choice(FINDING_STATUSES)),
        Rule("finding_confidence", "confidence_score"),
        Rule("budget_id", "resources[].uid"),
        *EVENT,
        *ACTOR,
    ),
    ("data_classification", "host", "security_control"),
)

INCIDENT_FINDING = OcsfClass(
    2005,
    "Incident Finding",
    2,
    "Findings",
    {1: "Create", 2: "Update", 3: "Close"},
    (
        *(
            Rule(each.column, each.path.replace("finding_info.", "finding_info_list[]."), each.value)
            for each in _INFO
        ),
        Rule("finding_status", "status_id", choice(INCIDENT_STATUSES)),
        Rule("finding_confidence", "confidence_score"),
        Rule("team_id", "assignee_group.name"),
        Rule("tenant_id", "assignee_group.name"),
        *EVENT,
        *ACTOR,
    ),
    ("data_classification", "host", "security_control"),
)

DATA_SECURITY_FINDING = OcsfClass(
    2006,
    "Data Security Finding",
    2,
    "Findings",
    {1: "Create"},
    (
        Rule("policy_risk_category", "finding_info.title"),
        Rule("policy_rule_id", "finding_info.analytic.uid"),
        Rule("policy_id", "finding_info.analytic.uid"),
        Rule("policy_id", "policy.uid"),
        Rule("policy_component", "policy.name"),
        Rule("policy_action", "action_id", choice(ACTIONS), exact=False),
        Rule("policy_action", "disposition_id", choice(DISPOSITIONS), exact=False),
        *EVENT,
        *ACTOR,
        *CLIENT,
    ),
    ("data_classification", "security_control"),
)

INVENTORY = OcsfClass(
    5023,
    "Cloud Resources Inventory Info",
    5,
    "Discovery",
    {1: "Log"},
    (
        Rule("discovery_asset_id", "resources[].uid"),
        Rule("discovery_asset_type", "resources[].type"),
        *EVENT,
        *OUTCOME,
        *ACTOR,
    ),
    ("data_classification", "host"),
)

APPLICATION_LIFECYCLE = OcsfClass(
    6002,
    "Application Lifecycle",
    6,
    "Application Activity",
    {99: "Other"},
    (
        Rule("source", "app.name"),
        Rule("source_instance", "app.uid"),
        *EVENT,
        *OUTCOME,
        *ACTOR,
    ),
    ("data_classification", "host"),
)

BASE_EVENT = OcsfClass(
    0,
    "Base Event",
    0,
    "Uncategorized",
    {99: "Other"},
    (*EVENT, *OUTCOME, *ACTOR),
    ("data_classification", "host"),
)

CLASSES = (
    API_ACTIVITY,
    DATASTORE_ACTIVITY,
    AUTHENTICATION,
    ENTITY_MANAGEMENT,
    USER_ACCESS,
    DETECTION_FINDING,
    INCIDENT_FINDING,
    DATA_SECURITY_FINDING,
    INVENTORY,
    APPLICATION_LIFECYCLE,
    BASE_EVENT,
)
"""Every class that events become."""
