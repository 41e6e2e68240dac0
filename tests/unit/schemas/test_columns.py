"""The flat columns: names that other people's queries rely on."""

from __future__ import annotations

import re

from schemas.columns import BY_NAME, COLUMNS, FAMILIES
from schemas.packaged import schema_json

ENVELOPE_IN_EVENTS_TABLE = {"event_id", "tenant_id", "trace_id", "conversation_id", "attributes", "sealed"}
FAMILY_COLUMNS = {
    "inference_request_model": ("inference", "request_model"),
    "tool_name": ("tool", "name"),
    "policy_verdict": ("policy", "verdict"),
    "agent_step_index": ("agent_step", "index"),
    "data_access_query_hmac": ("data_access", "query_hmac"),
    "usage_by_modality": ("usage", "by_modality"),
    "usage_source": ("usage", "source"),
    "limit_limit_value": ("limit", "limit_value"),
}
TOKEN_COLUMNS = {
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
}


def test_envelope_fields_keep_their_names() -> None:
    scalars = [f["name"] for f in schema_json("audit_event")["fields"] if f["name"] not in FAMILIES]

    assert [column.name for column in COLUMNS if column.family is None] == scalars
    assert set(scalars) >= ENVELOPE_IN_EVENTS_TABLE
    assert COLUMNS[0].name == "event_id"


def test_family_fields_are_prefixed_with_their_family() -> None:
    assert {name: BY_NAME[name].path for name in FAMILY_COLUMNS} == FAMILY_COLUMNS


def test_token_counts_have_short_names() -> None:
    assert {BY_NAME[name].path for name in TOKEN_COLUMNS} == {("usage", name) for name in TOKEN_COLUMNS}


def test_costs_are_one_nested_column() -> None:
    costs = BY_NAME["costs"]

    assert costs.avro_type == "records"
    assert [member.name for member in costs.members][:4] == [
        "category",
        "resource_id",
        "period_start",
        "period_end",
    ]
    assert {m.name: m.scale for m in costs.members if m.avro_type == "decimal"} == {
        "quantity": 9,
        "list_unit_price": 18,
        "list": 12,
        "contracted": 12,
        "effective": 12,
        "billed": 12,
    }


def test_every_field_of_the_schema_is_one_column() -> None:
    fields = schema_json("audit_event")["fields"]
    families = [f["type"][1]["fields"] for f in fields if f["name"] in FAMILIES]
    others = [f for f in fields if f["name"] not in FAMILIES]

    assert len(COLUMNS) == len(others) + sum(map(len, families))
    assert len(BY_NAME) == len(COLUMNS)
    assert len(families) == 18


def test_a_column_can_be_null_when_its_field_or_its_family_is_optional() -> None:
    assert not BY_NAME["tenant_id"].nullable
    assert BY_NAME["duration_us"].nullable
    assert BY_NAME["inference_stream"].nullable
    assert not BY_NAME["actor_roles"].nullable
    assert not next(m for m in BY_NAME["costs"].members if m.name == "meter").nullable


def test_column_names_are_safe_in_every_sql_dialect() -> None:
    assert [c.name for c in COLUMNS if not re.fullmatch("[a-z][a-z0-9_]*", c.name)] == []
