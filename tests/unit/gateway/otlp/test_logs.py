from __future__ import annotations

from typing import Any

import pytest

from auditstream.gateway.otlp.logs import logs_to_drafts
from schemas import contract
from schemas.intake import datum_of
from tests.support.otlp_messages import SPAN_ID, START_NS, TRACE_ID, any_value, logs, record

DETAILS = "gen_ai.client.inference.operation.details"
RESULT = {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.75}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.input.messages": [{"role": "user", "parts": [{"content": "the-secret"}]}],
}
SPAN = {"trace_id": TRACE_ID, "span_id": SPAN_ID}


def _event(*records: Any) -> dict[str, Any]:
    (draft,) = logs_to_drafts(logs(*records))
    assert draft.event is not None
    event = dict(draft.event)
    contract.check(datum_of(event, "audit_event"))
    return event


def test_an_evaluation_is_an_event_below_the_span_it_judges() -> None:
    event = _event(record("gen_ai.evaluation.result", RESULT, severity_number=9, **SPAN))
    assert event["event_type"] == "ai.evaluation"
    assert event["evaluation"] == {"name": "relevance", "score": 0.75}
    assert (event["trace_id"], event["parent_span_id"]) == (TRACE_ID.hex(), SPAN_ID.hex())
    assert "span_id" not in event
    assert event["event_time"] == START_NS // 1000
    assert event["severity"] == 1


def test_a_feature_flag_is_an_experiment_s_assignment() -> None:
    flag = {
        "feature_flag.key": "new-prompt",
        "feature_flag.result.variant": "b",
        "feature_flag.provider.name": "flagd",
        "feature_flag.set.id": "main",
        "feature_flag.context.id": "u-1",
    }
    event = _event(record("feature_flag.evaluation", flag))
    assert event["event_type"] == "ai.experiment.assignment"
    assert event["experiment"] == {"key": "new-prompt", "variant": "b", "provider": "flagd", "set_id": "main"}
    assert event["actor_id"] == "u-1"


def test_the_name_of_an_event_may_be_an_attribute_and_its_fields_in_the_body() -> None:
    sent = record("", {"event.name": "gen_ai.evaluation.result"}, body=any_value(RESULT))
    assert _event(sent)["evaluation"] == {"name": "relevance", "score": 0.75}


def test_details_of_a_call_whose_span_is_exported_are_refused_as_told_by_it() -> None:
    (draft,) = logs_to_drafts(logs(record(DETAILS, CHAT, flags=0x101, **SPAN)))
    assert draft.event is None
    assert draft.refusal is not None
    assert draft.refusal.field == "event_name"


@pytest.mark.parametrize("changes", [{**SPAN, "flags": 0}, {"flags": 1}, {}])
def test_details_of_a_call_without_an_exported_span_are_the_call(changes: dict[str, Any]) -> None:
    event = _event(record(DETAILS, CHAT, **changes))
    assert event["event_type"] == "ai.inference"
    assert event["usage"]["input_tokens"] == 7
    assert "the-secret" in event["attributes"].pop("content.input")
    assert "the-secret" not in str(event)
    assert event.get("span_id") == (SPAN_ID.hex() if "span_id" in changes else None)


@pytest.mark.parametrize("name", ["", "gen_ai.user.message", "gen_ai.choice", "exception", "app.started"])
def test_other_records_are_left_out(name: str) -> None:
    assert logs_to_drafts(logs(record(name, {"content": "x"}))) == []


def test_the_same_record_has_the_same_id_and_another_another() -> None:
    first = _event(record("gen_ai.evaluation.result", RESULT, **SPAN))
    again = _event(record("gen_ai.evaluation.result", RESULT, **SPAN))
    other = _event(record("gen_ai.evaluation.result", {**RESULT, "gen_ai.response.id": "r"}, **SPAN))
    assert first["event_id"] == again["event_id"] != other["event_id"]
    assert first["event_id"].int >> 80 == START_NS // 1_000_000


def test_a_record_without_a_time_has_that_of_its_observation() -> None:
    event = _event(
        record("gen_ai.evaluation.result", RESULT, time_unix_nano=0, observed_time_unix_nano=START_NS)
    )
    assert event["event_time"] == event["observed_time"] == START_NS // 1000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_unix_nano": 0}, "time_unix_nano"),
        ({"trace_id": b"1"}, "trace_id"),
        ({"span_id": b"1"}, "span_id"),
    ],
)
def test_a_malformed_record_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    (draft,) = logs_to_drafts(logs(record("gen_ai.evaluation.result", RESULT, **changes)))
    assert draft.refusal is not None
    assert draft.refusal.field == field


@pytest.mark.parametrize(("number", "severity"), [(0, 0), (1, 1), (12, 1), (13, 3), (17, 4), (24, 6)])
def test_severities_are_those_of_ocsf(number: int, severity: int) -> None:
    assert _event(record("gen_ai.evaluation.result", RESULT, severity_number=number))["severity"] == severity
