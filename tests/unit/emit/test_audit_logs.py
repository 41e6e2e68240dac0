"""Audit logs of other systems: what their records become, what is kept, left out and refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from auditstream.emit.reading import Accepted, Refused
from tests.support.flagged import imported

OPENAI: dict[str, Any] = {
    "id": "audit_log-1", "type": "role.assignment.created", "effective_at": 1_772_445_600,
    "actor": {
        "type": "session",
        "session": {
            "user": {"id": "user-1", "email": "ann@example.com"}, "ip_address": "203.0.113.7",
            "user_agent": "Mozilla/5.0", "ip_address_details": {"country": "DE", "asn": "64500"},
        },
    },
    "role.assignment.created": {"id": "role_assignment_role-reader", "principal_id": "user-2"},
}  # fmt: skip
ANTHROPIC: dict[str, Any] = {
    "id": "activity_1", "created_at": "2026-03-02T10:00:00Z", "organization_id": "org_1",
    "type": "mcp_server_created", "mcp_server_id": "mcpsrv_1",
    "actor": {"type": "admin_api_key_actor", "admin_api_key_id": "apikey_1", "ip_address": "203.0.113.7"},
}  # fmt: skip
OKTA: dict[str, Any] = {
    "uuid": "2a992f80-d1ad-4f62-900e-8c68bb72a21b", "published": "2026-03-02T10:00:00.123Z",
    "eventType": "user.session.start", "severity": "INFO",
    "actor": {"id": "00u1", "type": "User", "alternateId": "ann@example.com"},
    "client": {"ipAddress": "203.0.113.7", "userAgent": {"rawUserAgent": "Mozilla/5.0"}},
    "securityContext": {"asNumber": 64500}, "outcome": {"result": "DENY", "reason": "LOCKED_OUT"},
    "authenticationContext": {"externalSessionId": "s-1"}, "target": [{"id": "00u2", "type": "User"}],
}  # fmt: skip
BEDROCK: dict[str, Any] = {
    "schemaType": "ModelInvocationLog", "timestamp": "2026-03-02T10:00:00Z", "accountId": "111122223333",
    "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/planner/run-1"}, "region": "eu-central-1",
    "requestId": "bb98d9a8-bd9a-47ca-976b-f165ef1f8b67", "operation": "ConverseStream",
    "modelId": "anthropic.claude-3-haiku",
    "input": {
        "inputContentType": "application/json", "inputTokenCount": 35, "cacheReadInputTokenCount": 100,
        "inputBodyJson": {"messages": [{"content": [{"text": "SECRET PROMPT"}]}]},
    },
    "output": {
        "outputTokenCount": 446,
        "outputBodyJson": {
            "output": {"message": {"content": [{"text": "SECRET ANSWER"}]}}, "stopReason": "end_turn",
            "metrics": {"latencyMs": 249}, "usage": {"totalTokens": 581},
        },
    },
}  # fmt: skip
AZURE: dict[str, Any] = {
    "time": "2026-03-02T10:00:00.4350000Z", "category": "RequestResponse",
    "operationName": "ChatCompletions_Create",
    "resourceId": "/SUBSCRIPTIONS/1/ACCOUNTS/A", "callerIpAddress": "81.2.69.***", "resultSignature": "200",
    "correlationId": "9d3a6e98-fc11-48d0-82cf-4de065c1a1f8", "durationMs": 1021, "location": "eastus",
    "properties": '{"modelDeploymentName": "pilot", "modelName": "gpt-4o", "requestLength": 128,'
    ' "responseLength": 1411, "objectId": "oid-1", "streamType": "Non-Streaming"}',
}  # fmt: skip
GCP: dict[str, Any] = {
    "insertId": "abc", "timestamp": "2026-03-02T10:00:00.123456789Z",
    "logName": "projects/p/logs/cloudaudit.googleapis.com%2Fdata_access",
    "resource": {"labels": {"project_id": "p", "location": "us-central1"}},
    "protoPayload": {
        "serviceName": "aiplatform.googleapis.com",
        "methodName": "google.cloud.aiplatform.v1.PredictionService.GenerateContent",
        "resourceName": "projects/p/locations/us-central1/publishers/google/models/gemini-2.0-flash",
        "authenticationInfo": {"principalEmail": "agent@p.iam.gserviceaccount.com"},
        "requestMetadata": {"callerIp": "203.0.113.5", "callerSuppliedUserAgent": "genai/1"},
        "request": {"model": "gemini-2.0-flash", "contents": [{"parts": [{"text": "SECRET PROMPT"}]}]},
        "response": {
            "modelVersion": "gemini-2.0-flash-001", "candidates": ["SECRET ANSWER"],
            "usageMetadata": {
                "promptTokenCount": 30, "candidatesTokenCount": 10, "thoughtsTokenCount": 5,
                "cachedContentTokenCount": 20,
            },
        },
        "status": {},
    },
}  # fmt: skip
GITHUB: dict[str, Any] = {
    "_document_id": "d-1", "@timestamp": 1_772_445_600_123, "action": "copilot.cfb_seat_assignment_created",
    "actor": "ann", "actor_ip": "203.0.113.7", "org": "acme", "user": "bob", "user_agent": "Mozilla/5.0",
    "actor_location": {"country_code": "DE"},
}  # fmt: skip

BY_FORMAT: dict[str, dict[str, Any]] = {
    "openai-audit": OPENAI, "anthropic-activity": ANTHROPIC, "okta": OKTA, "bedrock-invocation": BEDROCK,
    "azure-openai": AZURE, "gcp-audit": GCP, "github-audit": GITHUB,
}  # fmt: skip
NOON = datetime(2026, 3, 2, 10, tzinfo=UTC)


def ended(code: int) -> dict[str, Any]:
    return {"protoPayload": {"methodName": "m", "status": {"code": code}}}


def datum(folder: Path, name: str, **changes: Any) -> dict[str, Any]:
    [reading] = imported(folder, [BY_FORMAT[name] | changes], name)
    assert isinstance(reading, Accepted), reading
    return dict(reading.datum)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "openai-audit",
            {
                "event_type": "ai.access.grant", "source": "urn:openai:audit:", "actor_type": "USER",
                "actor_id": "user-1", "src_ip": "203.0.113.7", "src_country": "DE", "src_asn": 64_500,
                "user_agent": "Mozilla/5.0", "outcome": "SUCCESS", "idempotency_key": "audit_log-1",
                "access": {"subject_id": "user-2", "activity": "role.assignment.created", "scopes": []},
            },
        ),
        (
            "anthropic-activity",
            {
                "event_type": "ai.config.change", "source": "urn:anthropic:activity:org_1",
                "actor_type": "API_KEY", "actor_id": "apikey_1", "credential_id": "apikey_1",
                "outcome": "SUCCESS", "change": {"object_type": "mcp_server", "object_id": "mcpsrv_1"},
            },
        ),
        (
            "okta",
            {
                "event_id": UUID(OKTA["uuid"]), "event_type": "ai.auth", "actor_type": "USER",
                "actor_id": "00u1", "src_asn": 64_500, "session_id": "s-1", "outcome": "BLOCKED",
                "error_type": "LOCKED_OUT",
                "access": {"subject_id": "00u2", "activity": "user.session.start", "scopes": []},
            },
        ),
        (
            "bedrock-invocation",
            {
                "event_id": UUID(BEDROCK["requestId"]), "event_type": "ai.inference", "actor_type": "SERVICE",
                "source": "urn:aws:bedrock:111122223333", "actor_id": BEDROCK["identity"]["arn"],
                "duration_us": 249_000, "outcome": "SUCCESS",
                "usage": {
                    "input_tokens": 135, "cache_read_tokens": 100, "output_tokens": 446, "source": "PROVIDER",
                },
                "inference": {
                    "operation": "chat", "provider": "aws.bedrock", "stream": True,
                    "finish_reasons": ["end_turn"], "request_model": "anthropic.claude-3-haiku",
                    "region": "eu-central-1", "provider_account_id": "111122223333",
                },
            },
        ),
        (
            "azure-openai",
            {
                "event_type": "ai.inference", "source": "urn:azure:openai:/SUBSCRIPTIONS/1/ACCOUNTS/A",
                "actor_id": "oid-1", "http_status": 200, "duration_us": 1_021_000, "content_bytes": 1_539,
                "outcome": "SUCCESS",
                "inference": {
                    "operation": "chat", "provider": "azure.ai.openai", "stream": False,
                    "request_model": "pilot", "response_model": "gpt-4o", "region": "eastus",
                },
            },
        ),
        (
            "gcp-audit",
            {
                "event_type": "ai.inference", "source": "urn:gcp:audit:p", "actor_type": "SERVICE",
                "actor_id": "agent@p.iam.gserviceaccount.com", "src_ip": "203.0.113.5", "outcome": "SUCCESS",
                "usage": {
                    "input_tokens": 30, "cache_read_tokens": 20, "output_tokens": 15, "reasoning_tokens": 5,
                    "source": "PROVIDER",
                },
                "inference": {
                    "operation": "generate_content", "provider": "gcp.vertex_ai", "stream": False,
                    "request_model": "gemini-2.0-flash", "response_model": "gemini-2.0-flash-001",
                    "region": "us-central1",
                },
            },
        ),
        (
            "github-audit",
            {
                "event_type": "ai.access.grant", "source": "urn:github:audit:acme", "actor_type": "USER",
                "actor_id": "ann", "src_country": "DE", "outcome": "SUCCESS",
                "access": {
                    "subject_id": "bob", "activity": "copilot.cfb_seat_assignment_created", "scopes": [],
                },
            },
        ),
    ],
    ids=BY_FORMAT,
)  # fmt: skip
def test_a_record_becomes_an_event_of_its_family(tmp_path: Path, name: str, expected: dict[str, Any]) -> None:
    event = datum(tmp_path, name)
    assert {field: event.get(field) for field in expected} == expected
    assert event["event_time"].replace(microsecond=0) == NOON
    assert event["tenant_id"] == "acme"
    assert event["conversation_id"] == event["actor_id"]


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("openai-audit", {"details.principal_id": "user-2", "actor.session.user.email": "ann@example.com"}),
        ("anthropic-activity", {"type": "mcp_server_created", "organization_id": "org_1"}),
        ("okta", {"severity": "INFO", "target": '[{"id":"00u2","type":"User"}]'}),
        ("bedrock-invocation", {"output.outputBodyJson.usage.totalTokens": "581", "region": "eu-central-1"}),
        ("azure-openai", {"callerIpAddress": "81.2.69.***", "properties.requestLength": "128"}),
        ("gcp-audit", {"protoPayload.request.model": "gemini-2.0-flash", "insertId": "abc"}),
        ("github-audit", {"action": "copilot.cfb_seat_assignment_created", "@timestamp": "1772445600123"}),
    ],
)  # fmt: skip
def test_what_has_no_field_is_kept_by_its_path(tmp_path: Path, name: str, paths: dict[str, str]) -> None:
    attributes = datum(tmp_path, name)["attributes"]
    assert {path: attributes.get(path) for path in paths} == paths


@pytest.mark.parametrize("name", ["bedrock-invocation", "gcp-audit"])
def test_prompts_and_answers_are_not_recorded(tmp_path: Path, name: str) -> None:
    assert "SECRET" in json.dumps(BY_FORMAT[name])
    assert "SECRET" not in str(datum(tmp_path, name))


def test_a_stream_of_answers_is_not_recorded_and_its_length_is(tmp_path: Path) -> None:
    chunks = [{"contentBlockDelta": {"delta": {"text": "SECRET"}}}]
    event = datum(tmp_path, "bedrock-invocation", output={"outputBodyJson": chunks}, input={})
    assert "SECRET" not in str(event)
    assert event["content_bytes"] == len(json.dumps(chunks))
    assert "usage" not in event


@pytest.mark.parametrize("name", BY_FORMAT)
def test_a_record_without_a_name_or_time_is_refused_by_line_field_and_reason(
    tmp_path: Path, name: str
) -> None:
    record = BY_FORMAT[name]
    names = {"type", "eventType", "operation", "operationName", "action"} & record.keys()
    times = {"effective_at", "created_at", "published", "timestamp", "time", "@timestamp"} & record.keys()
    lost = {key: value for key, value in record.items() if key not in names}
    if name == "gcp-audit":
        names, lost = {"protoPayload.methodName"}, {**record, "protoPayload": {}}
    [refused, unclear, fine] = imported(tmp_path, [lost, {**record, max(times): "soon"}, record], name)
    assert str(refused) == f"line 1: {max(names)}: is required"
    assert str(unclear).startswith(f"line 2: {max(times)}: is not a")
    assert isinstance(fine, Accepted)


@pytest.mark.parametrize("name", BY_FORMAT)
def test_a_record_of_two_files_is_one_event_and_one_of_an_unknown_kind_an_activity(
    tmp_path: Path, name: str
) -> None:
    record = BY_FORMAT[name]
    key = max({"type", "eventType", "operation", "operationName", "action", "protoPayload"} & record.keys())
    odd = {"methodName": "Odd"} if key == "protoPayload" else "Odd"
    first, again, other = imported(tmp_path, [record, record, record | {key: odd}], name)
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert isinstance(other, Accepted)
    assert first.datum["event_id"] == again.datum["event_id"]
    assert other.datum["event_type"] == "audit.activity"
    assert not {"access", "change", "inference"} & other.datum.keys()


def test_two_records_of_one_request_are_two_events(tmp_path: Path) -> None:
    readings = imported(tmp_path, [AZURE, AZURE | {"category": "Trace"}], "azure-openai")
    assert len({reading.datum["event_id"] for reading in readings if isinstance(reading, Accepted)}) == 2


@pytest.mark.parametrize(
    ("name", "page", "record"),
    [
        ("openai-audit", "data", OPENAI), ("anthropic-activity", "data", ANTHROPIC),
        ("azure-openai", "records", AZURE), ("gcp-audit", "entries", GCP),
    ],
)  # fmt: skip
def test_a_page_of_the_api_is_its_records(
    tmp_path: Path, name: str, page: str, record: dict[str, Any]
) -> None:
    readings = imported(tmp_path, [{page: [record, 3], "has_more": False}, {page: "x"}], name)
    assert [type(reading) for reading in readings] == [Accepted, Refused, Refused]
    assert [str(reading) for reading in readings[1:]] == [
        "line 1: record: is not a JSON object", f"line 2: {page}: is not a list",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changes", "outcome", "error"),
    [
        ("openai-audit", {"type": "login.failed", "login_failed": {"error_code": "x"}}, "FAILURE", "x"),
        ("anthropic-activity", {"type": "sso_login_failed"}, "FAILURE", None),
        ("anthropic-activity", {"type": "sso_login_initiated"}, "UNKNOWN", None),
        ("anthropic-activity", {"type": "org_creation_blocked"}, "BLOCKED", None),
        ("okta", {"outcome": {"result": "CHALLENGE", "reason": "x"}}, "UNKNOWN", None),
        ("okta", {"outcome": {"result": "FAILURE"}}, "FAILURE", None),
        ("bedrock-invocation", {"errorCode": "AccessDeniedException"}, "BLOCKED", "AccessDeniedException"),
        ("bedrock-invocation", {"errorCode": "ThrottlingException"}, "FAILURE", "ThrottlingException"),
        ("azure-openai", {"resultSignature": "403"}, "BLOCKED", "403"),
        ("azure-openai", {"resultSignature": "429"}, "FAILURE", "429"),
        ("azure-openai", {"resultSignature": None}, "UNKNOWN", None),
        ("gcp-audit", ended(7), "BLOCKED", "PERMISSION_DENIED"),
        ("gcp-audit", ended(8), "FAILURE", "RESOURCE_EXHAUSTED"),
        ("github-audit", {"action": "org.sso_failed"}, "FAILURE", None),
    ],
)  # fmt: skip
def test_how_it_ended_is_what_the_record_says(
    tmp_path: Path, name: str, changes: dict[str, Any], outcome: str, error: str | None
) -> None:
    event = datum(tmp_path, name, **changes)
    assert (event["outcome"], event.get("error_type")) == (outcome, error)


def test_an_agent_of_github_is_an_agent(tmp_path: Path) -> None:
    event = datum(tmp_path, "github-audit", actor="Copilot", actor_is_agent=True)
    assert (event["actor_type"], event["agent_id"]) == ("AGENT", "Copilot")


def test_a_prediction_of_something_that_was_deployed_is_no_call_of_a_language_model(tmp_path: Path) -> None:
    method = "google.cloud.aiplatform.v1.PredictionService.Predict"
    asked = GCP["protoPayload"] | {"methodName": method}
    model = datum(tmp_path, "gcp-audit", protoPayload=asked)
    own = datum(tmp_path, "gcp-audit", protoPayload=asked | {"resourceName": "projects/p/endpoints/7"})
    assert (model["event_type"], own["event_type"]) == ("ai.inference", "audit.activity")
    assert "inference" not in own


def test_what_does_not_fit_a_field_is_left_out_of_it(tmp_path: Path) -> None:
    actor = {"id": 7, "type": "Alien"}
    event = datum(
        tmp_path, "okta", actor=actor, client={"ipAddress": "n/a"}, securityContext={"asNumber": -1}
    )
    assert not {"actor_id", "src_ip", "src_asn"} & event.keys()
    assert event["actor_type"] == "UNKNOWN"
    assert event["attributes"]["client.ipAddress"] == "n/a"
