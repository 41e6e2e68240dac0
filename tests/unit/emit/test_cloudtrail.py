"""Format `cloudtrail`: a record of CloudTrail becomes an event that keeps all of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from auditstream.emit.reading import Accepted, Refused
from tests.support.flagged import flags, imported

RECORD: dict[str, Any] = {
    "eventVersion": "1.09",
    "userIdentity": {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::111122223333:assumed-role/planner/run-1",
        "accessKeyId": "ASIAEXAMPLE",
    },
    "eventTime": "2026-03-02T10:00:00Z",
    "eventSource": "bedrock.amazonaws.com",
    "eventName": "InvokeModel",
    "awsRegion": "eu-central-1",
    "sourceIPAddress": "203.0.113.7",
    "userAgent": "aws-sdk-go",
    "requestParameters": {"modelId": "anthropic.claude-3-haiku", "tags": ["a", "b"], "dry": True},
    "responseElements": None,
    "eventID": "62e290e2-ee95-4a7c-a9f8-db4ef462b12d",
    "requestID": "r-1",
    "readOnly": True,
    "recipientAccountId": "111122223333",
}


def datum(folder: Path, **changes: Any) -> dict[str, Any]:
    [reading] = imported(folder, [RECORD | changes])
    assert isinstance(reading, Accepted), reading
    return dict(reading.datum)


def iam(name: str, **asked: str) -> dict[str, Any]:
    user = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory"}
    return {
        "eventSource": "iam.amazonaws.com", "eventName": name, "requestParameters": asked,
        "userIdentity": user, "readOnly": False,
    }  # fmt: skip


def test_a_call_of_a_model_is_an_inference_with_who_where_and_which(tmp_path: Path) -> None:
    event = datum(tmp_path)
    assert event["event_id"] == UUID(RECORD["eventID"])
    assert event["event_time"] == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert (event["event_type"], event["outcome"]) == ("ai.inference", "SUCCESS")
    assert event["source"] == "urn:aws:cloudtrail:111122223333:eu-central-1"
    assert event["inference"] == {
        "operation": "text_completion", "provider": "aws.bedrock",
        "request_model": "anthropic.claude-3-haiku", "region": "eu-central-1",
    }  # fmt: skip
    assert (event["actor_type"], event["actor_id"]) == ("SERVICE", RECORD["userIdentity"]["arn"])
    assert (event["credential_id"], event["src_ip"]) == ("ASIAEXAMPLE", "203.0.113.7")
    assert event["tenant_id"] == "acme"
    assert event["conversation_id"] == event["actor_id"]


def test_all_of_a_record_is_in_the_attributes_by_path(tmp_path: Path) -> None:
    attributes = datum(tmp_path)["attributes"]
    assert attributes["userIdentity.type"] == "AssumedRole"
    assert attributes["requestParameters.tags"] == '["a","b"]'
    assert attributes["requestParameters.dry"] == "true"
    assert "responseElements" not in attributes


@pytest.mark.parametrize(
    ("changes", "event_type", "family"),
    [
        (
            iam("CreateAccessKey", userName="u"),
            "ai.key.lifecycle",
            {"subject_id": "u", "activity": "CreateAccessKey"},
        ),
        (
            iam("AttachUserPolicy", userName="u"),
            "ai.access.grant",
            {"subject_id": "u", "activity": "AttachUserPolicy"},
        ),
        (
            {"eventName": "DeleteGuardrail", "readOnly": False, "requestParameters": {"guardrailId": "g"}},
            "ai.config.change",
            {"object_type": "bedrock", "object_id": "g"},
        ),
        ({"eventName": "ListGuardrails"}, "cloud.api_call", None),
    ],
)  # fmt: skip
def test_what_is_about_keys_grants_and_settings_is_said_so(
    tmp_path: Path, changes: dict[str, Any], event_type: str, family: dict[str, str] | None
) -> None:
    event = datum(tmp_path, **changes)
    assert event["event_type"] == event_type
    assert (event.get("access") or event.get("change")) == family


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"errorCode": "AccessDenied"}, "BLOCKED"),
        ({"errorCode": "Client.UnauthorizedOperation"}, "BLOCKED"),
        ({"errorCode": "ThrottlingException"}, "FAILURE"),
        ({"responseElements": {"ConsoleLogin": "Failure"}}, "FAILURE"),
    ],
)
def test_what_was_denied_was_blocked_and_what_went_wrong_failed(
    tmp_path: Path, changes: dict[str, Any], outcome: str
) -> None:
    event = datum(tmp_path, **changes)
    assert (event["outcome"], event.get("error_type")) == (outcome, changes.get("errorCode"))


def test_a_record_that_is_sent_twice_is_one_event_and_one_without_an_id_gets_one(tmp_path: Path) -> None:
    without = {name: value for name, value in RECORD.items() if name != "eventID"}
    first = imported(tmp_path, [RECORD, without, RECORD])
    again = imported(tmp_path, [RECORD, without, RECORD])
    ids = [reading.datum["event_id"] for reading in first if isinstance(reading, Accepted)]
    assert first == again
    assert ids[0] == ids[2] != ids[1]
    assert ids[1].version == 7


def test_a_file_as_cloudtrail_delivers_it_is_its_records(tmp_path: Path) -> None:
    readings = imported(tmp_path, [{"Records": [RECORD, RECORD | {"eventID": None}, 3]}])
    assert [type(reading) for reading in readings] == [Accepted, Accepted, Refused]
    assert str(readings[2]) == "line 1: record: is not a JSON object"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"eventTime": "soon"}, "line 1: eventTime: is not a time"),
        ({"eventTime": None}, "line 1: eventTime: is required"),
        ({"eventName": 7}, "line 1: eventName: is not a text"),
        ({"eventSource": ""}, "line 1: eventSource: is not a text"),
    ],
)
def test_a_line_that_is_no_record_is_refused_with_the_field(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    [refused] = imported(tmp_path, [RECORD | changes])
    assert str(refused).startswith(said)


def test_a_service_of_aws_is_no_address_and_odd_values_are_kept_as_attributes(tmp_path: Path) -> None:
    event = datum(
        tmp_path, sourceIPAddress="cloudformation.amazonaws.com", userIdentity="x", requestParameters=[1]
    )
    assert "src_ip" not in event
    assert event["attributes"]["sourceIPAddress"] == "cloudformation.amazonaws.com"
    assert (event["actor_type"], event["attributes"]["userIdentity"]) == ("UNKNOWN", "x")


def test_a_sequence_is_flagged_in_its_order(tmp_path: Path) -> None:
    steps = [
        iam("CreateUser", userName="m"),
        iam("AttachUserPolicy", userName="m", policyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
        iam("CreateAccessKey", userName="m"),
        {"eventName": "PutFoundationModelEntitlement", "readOnly": False},
        {"eventName": "InvokeModel"},
        {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"},
    ]
    records = [
        RECORD | step | {"eventTime": f"2026-03-02T10:0{minute}:00Z", "eventID": None}
        for minute, step in enumerate(steps)
    ]
    found = [(each.rule, each.time.minute) for each in flags(imported(tmp_path, records))]
    assert found == [
        ("aws.user_made", 0),
        ("aws.admin_granted", 1),
        ("aws.key_made", 2),
        ("aws.model_access_asked", 3),
        ("aws.model_hijacked", 3),
        ("aws.trail_stopped", 5),
    ]
