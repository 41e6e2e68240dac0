"""Events as OCSF: every type is accepted by two validators of others, and nothing that is known is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.exports.forms import FORMS
from auditstream.exports.ocsf.classes import CLASSES
from auditstream.exports.ocsf.event import ocsf_of
from auditstream.exports.ocsf.kinds import KINDS
from auditstream.exports.ocsf.page import page
from auditstream.query.event_rows import SCHEMA
from schemas.columns import BY_NAME
from tests.support.examples import examples
from tests.support.ocsf_validators import faults_by_json_schema, faults_by_model

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "ocsf-mapping.md"
AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LEAST = {
    "event_id": "0195511c-0000-7000-8000-000000000001",
    "event_type": "ai.inference",
    "event_time": AT,
    "source": "urn:test",
}
WORDS = {
    "outcome": ["SUCCESS", "FAILURE", "BLOCKED", "PARTIAL", "UNKNOWN"],
    "access_activity": ["logon", "logout", "role_revoked", "userCreated", "grant", "rotate", "x"],
    "inference_operation": ["chat", "create_memory", "delete_memory", "search_memory"],
    "policy_action": ["allow", "block", "modify", "escalate", "shrug"],
    "src_ip": ["192.0.2.0", "2001:db8::", "h.example"],
    "event_id": [LEAST["event_id"]],
    "trace_id": ["0af7651916cd43dd8448eb211c80319c"],
}


def value_of(name: str, kind: pa.DataType) -> Any:
    """Return a value that tells which column it is of, where its type leaves room for that."""
    if name in WORDS:
        return WORDS[name][0]
    if name in BY_NAME and BY_NAME[name].symbols:
        return BY_NAME[name].symbols[1]
    if pa.types.is_boolean(kind):
        return True
    if name == "severity":
        return 4
    if pa.types.is_integer(kind):
        return 1_000 + SCHEMA.names.index(name)
    if pa.types.is_floating(kind):
        return 0.5
    if pa.types.is_decimal(kind):
        return Decimal("1.5")
    if pa.types.is_timestamp(kind):
        return AT
    if pa.types.is_date(kind):
        return date(2026, 3, 1)
    if pa.types.is_map(kind):
        return {f"{name}-key": 3 if pa.types.is_integer(kind.item_type) else f"value of {name}"}
    if pa.types.is_list(kind):
        return [{"meter": "input"}] if pa.types.is_struct(kind.value_type) else [f"value of {name}"]
    return f"value of {name}"


FULL = {field.name: value_of(field.name, field.type) for field in SCHEMA}


def accepted(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as it is written, if both validators accept it."""
    written: dict[str, Any] = json.loads(json.dumps(event, default=str))
    assert faults_by_json_schema(written) == []
    assert faults_by_model(written) == []
    return written


@pytest.mark.parametrize("event_type", [*KINDS, "com.example.other"])
def test_both_validators_accept_an_event_of_every_type_full_or_bare(event_type: str) -> None:
    accepted(ocsf_of(LEAST | {"event_type": event_type}))
    accepted(ocsf_of(FULL | {"event_type": event_type}))


def test_every_class_is_one_that_some_type_becomes() -> None:
    used = {kind.ocsf_class.uid for kind in KINDS.values()}

    assert used == {each.uid for each in CLASSES}


@settings(deadline=None, max_examples=examples(100))  # the first of a class compiles its schema
@given(st.data())
def test_both_validators_accept_whichever_columns_an_event_has(data: st.DataObject) -> None:
    record: dict[str, Any] = LEAST | {"event_type": data.draw(st.sampled_from([*KINDS, "com.example.other"]))}
    optional = sorted(FULL.keys() - LEAST.keys())
    for name in data.draw(st.sets(st.sampled_from(optional), max_size=25)):
        symbols = list(BY_NAME[name].symbols) if name in BY_NAME else []
        record[name] = data.draw(st.sampled_from(WORDS.get(name) or symbols or [FULL[name]]))

    accepted(ocsf_of(record))


def leaves_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(leaves_of, value.values()), *map(leaves_of, value.keys()))
    if isinstance(value, list):
        return set().union(*map(leaves_of, value))
    return {str(value)}


@pytest.mark.parametrize("event_type", [*KINDS, "com.example.other"])
def test_what_a_record_says_is_in_its_ocsf_event(event_type: str) -> None:
    record = FULL | {"event_type": event_type}
    said = {name: value for name, value in record.items() if str(value).startswith("value of")}
    found = leaves_of(ocsf_of(record))

    assert {name for name, value in said.items() if value not in found} == set()


def test_a_call_has_model_tokens_trace_and_times_where_ocsf_has_them() -> None:
    record = LEAST | {
        "duration_us": 1_500_900, "outcome": "BLOCKED", "tenant_id": "acme", "severity": 3,
        "team_id": "search",
        "inference_operation": "chat", "inference_provider": "openai", "inference_request_model": "gpt-4o",
        "inference_response_model": "gpt-4o-2024-08-06", "input_tokens": 20, "output_tokens": 5,
        "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "agent_id": "agent-1",
        "cost_effective": Decimal("0.000123000000"), "actor_id": "user-1", "actor_type": "USER",
        "src_ip": "192.0.2.0", "http_status": 403,
    }  # fmt: skip
    event = accepted(ocsf_of(record))

    assert (event["class_uid"], event["activity_id"], event["type_uid"]) == (6003, 99, 600_399)
    assert event["time"] == 1_772_366_400_123
    assert event["metadata"]["original_time"] == "2026-03-01T12:00:00.123456Z"
    assert (event["duration"], event["unmapped"]["duration_us"]) == (1_500, 1_500_900)
    assert (event["status_id"], event["status"], event["unmapped"]["outcome"]) == (2, "Failure", "BLOCKED")
    assert (event["severity_id"], event["severity"]) == (3, "Medium")
    assert event["ai_model"] == {"ai_provider": "openai", "name": "gpt-4o", "version": "gpt-4o-2024-08-06"}
    assert event["message_context"]["total_tokens"] == 25
    assert event["api"] == {"operation": "chat", "service": {"name": "openai"}}
    assert event["trace"]["span"]["end_time"] - event["trace"]["span"]["start_time"] == 1_500
    assert event["metadata"]["tags"] == [{"name": "team_id", "value": "search"}]
    assert event["actor"]["user"] == {"type": "USER", "type_id": 1, "uid": "user-1"}
    assert event["src_endpoint"] == {"ip": "192.0.2.0", "svc_name": "urn:test"}
    assert event["unmapped"]["cost_effective"] == "0.000123000000"
    assert event["http_response"] == {"code": 403}


@pytest.mark.parametrize(
    ("event_type", "columns", "class_uid", "activity"),
    [
        ("ai.auth", {"access_activity": "logon"}, 3002, 1),
        ("ai.auth", {"access_activity": "user.logout"}, 3002, 2),
        ("ai.key.lifecycle", {"access_activity": "rotate"}, 3004, 3),
        ("ai.key.lifecycle", {"access_activity": "destroy"}, 3004, 4),
        ("ai.key.lifecycle", {"access_activity": "CreateAccessKey"}, 3004, 1),
        ("ai.key.lifecycle", {"access_activity": "api_key_deactivated"}, 3004, 11),
        ("ai.access.grant", {"access_activity": "role_revoked"}, 3005, 2),
        ("ai.access.grant", {"access_activity": "grant"}, 3005, 1),
        ("ai.access.grant", {"access_activity": "looked_at"}, 3005, 99),
        ("ai.config.change", {"change_after_hash": "aa"}, 3004, 1),
        ("ai.config.change", {"change_before_hash": "aa", "change_after_hash": "bb"}, 3004, 3),
        ("ai.config.change", {"change_before_hash": "aa"}, 3004, 4),
        ("ai.memory", {"inference_operation": "delete_memory"}, 6005, 7),
        ("ai.memory", {}, 6005, 4),
        ("ai.finding", {"finding_status": "NEW"}, 2004, 1),
        ("ai.finding", {"finding_status": "RESOLVED"}, 2004, 3),
        ("ai.incident", {"finding_status": "IN_PROGRESS"}, 2005, 2),
        ("ai.budget", {"budget_threshold_pct": 80}, 0, 99),
        ("ai.budget", {"budget_threshold_pct": 100}, 2004, 1),
        ("ai.discovery", {"discovery_asset_id": "mcp://x"}, 5023, 1),
        ("com.example.other", {}, 0, 99),
    ],
)
def test_a_type_becomes_its_class_and_what_happened_its_activity(
    event_type: str, columns: dict[str, Any], class_uid: int, activity: int
) -> None:
    event = accepted(ocsf_of(LEAST | {"event_type": event_type, **columns}))

    assert (event["class_uid"], event["activity_id"]) == (class_uid, activity)
    assert event["type_uid"] == class_uid * 100 + activity


def test_the_manifest_names_the_version_that_events_are_written_in() -> None:
    assert FORMS["ocsf"].schema["version"] == ocsf_of(LEAST)["metadata"]["version"]


def test_the_page_of_the_mapping_is_what_the_code_does() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run python -m auditstream.exports.ocsf.page > docs/reference/ocsf-mapping.md"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event["metadata"].pop("product"),
        lambda event: event.pop("api"),
        lambda event: event.update(severity_id=7),
        lambda event: event.update(who="me"),
        lambda event: event["actor"].clear(),
        lambda event: event.update(time="noon"),
    ],
    ids=[
        "no product",
        "no api",
        "no such severity",
        "no such attribute",
        "an empty actor",
        "a time in words",
    ],
)
def test_the_validators_refuse_what_is_wrong(spoil: Callable[[dict[str, Any]], object]) -> None:
    event = ocsf_of(LEAST)
    spoil(event)

    assert faults_by_json_schema(event) != []
    assert faults_by_model(event) != []
