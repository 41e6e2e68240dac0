from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from auditstream.gateway.otlp.gathering import Bounds
from auditstream.gateway.otlp.spans import spans_to_drafts
from auditstream.identity.attribute_names import OWN
from schemas import contract
from schemas.intake import datum_of
from tests.support.otlp_messages import (
    SPAN_ID,
    START_NS,
    TRACE_ID,
    event_of,
    inner,
    span,
    traces,
)

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
SECRET = "the-secret"
ERROR = Status(
    code=Status.STATUS_CODE_ERROR, message="Error code: 429 - {'error': {'message': 'the-secret'}}"
)


def _check(event: dict[str, Any]) -> None:
    contract.check(datum_of(event, "audit_event"))


def test_a_chat_span_is_a_model_call_with_its_place_time_and_tokens() -> None:
    event = event_of(
        {
            **CHAT,
            "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 60,
            "gen_ai.usage.text.input_tokens": 100,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.top_k": 40.0,
            "gen_ai.conversation.id": "c-1",
            "server.address": "api.openai.com",
            "gen_ai.response.time_to_first_chunk": 0.25,
        },
        parent_span_id=bytes(range(1, 9)),
    )
    _check(event)
    assert event["event_type"] == "ai.inference"
    assert event["event_time"] == START_NS // 1000
    assert event["duration_us"] == 1_000_000
    assert (event["trace_id"], event["span_id"]) == (TRACE_ID.hex(), SPAN_ID.hex())
    assert event["parent_span_id"] == "0102030405060708"
    assert event["conversation_id"] == "c-1"
    assert event["source"] == "checkout"
    assert event["outcome"] == "SUCCESS"
    assert event["inference"] == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o",
        "response_model": "gpt-4o-2024-08-06",
        "response_id": "chatcmpl-1",
        "finish_reasons": ["stop"],
        "temperature": 0.5,
        "top_k": 40,
        "server_host": "api.openai.com",
        "ttft_us": 250_000,
        "stream": True,
    }
    assert event["usage"] == {
        "input_tokens": 100,
        "cache_read_tokens": 60,
        "output_tokens": 20,
        "by_modality": {"text.input": 100},
        "source": "PROVIDER",
    }


@pytest.mark.parametrize(
    ("attributes", "event_type"),
    [
        (CHAT, "ai.inference"),
        ({"gen_ai.operation.name": "generate_content"}, "ai.inference"),
        ({"gen_ai.operation.name": "text_completion"}, "ai.inference"),
        ({"gen_ai.operation.name": "speech", "gen_ai.request.model": "tts"}, "ai.inference"),
        ({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-3"}, "ai.inference"),
        ({"gen_ai.operation.name": "embeddings"}, "ai.embedding"),
        ({"gen_ai.operation.name": "execute_tool"}, "ai.tool_call"),
        ({"mcp.method.name": "tools/call"}, "ai.tool_call"),
        ({"mcp.method.name": "resources/read"}, "ai.tool_call"),
        ({"gen_ai.operation.name": "invoke_agent"}, "ai.agent.action"),
        ({"gen_ai.operation.name": "invoke_workflow"}, "ai.agent.action"),
        ({"gen_ai.operation.name": "plan"}, "ai.agent.action"),
        ({"a2a.method.name": "SendMessage"}, "ai.agent.action"),
        ({"gen_ai.operation.name": "create_agent"}, "ai.agent.lifecycle"),
        ({"gen_ai.operation.name": "retrieval"}, "ai.retrieval"),
        ({"gen_ai.operation.name": "search_memory"}, "ai.memory"),
        ({"gen_ai.operation.name": "delete_memory_store"}, "ai.memory"),
        ({"gen_ai.operation.name": "run_guardrail"}, "ai.policy.decision"),
        ({"openinference.span.kind": "LLM"}, "ai.inference"),
        ({"openinference.span.kind": "DECISION"}, "ai.inference"),
        ({"openinference.span.kind": "EMBEDDING"}, "ai.embedding"),
        ({"openinference.span.kind": "TOOL"}, "ai.tool_call"),
        ({"openinference.span.kind": "AGENT"}, "ai.agent.action"),
        ({"openinference.span.kind": "RETRIEVER"}, "ai.retrieval"),
        ({"openinference.span.kind": "RERANKER"}, "ai.retrieval"),
        ({"openinference.span.kind": "GUARDRAIL"}, "ai.policy.decision"),
        ({"openinference.span.kind": "EVALUATOR"}, "ai.evaluation"),
        ({"llm.request.type": "completion"}, "ai.inference"),
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "search"}, "ai.tool_call"),
        ({"traceloop.span.kind": "workflow"}, "ai.agent.action"),
    ],
)
def test_a_span_becomes_the_event_of_its_kind_and_keeps_the_contract(
    attributes: dict[str, Any], event_type: str
) -> None:
    event = event_of(attributes)
    _check(event)
    assert event["event_type"] == event_type


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"http.request.method": "GET", "url.path": "/"},
        {"db.system.name": "postgresql"},
        {"gen_ai.operation.name": "fetch_response", "gen_ai.response.id": "r"},
        {"gen_ai.operation.name": "something"},
        {"openinference.span.kind": "CHAIN", "input.value": SECRET},
        {"traceloop.span.kind": "task"},
        {"mcp.method.name": "ping"},
        {"mcp.method.name": "notifications/progress"},
        {"a2a.method.name": "GetTask"},
    ],
)
def test_other_spans_are_left_out(attributes: dict[str, Any]) -> None:
    assert spans_to_drafts(traces(span(attributes))) == []


def test_drafts_have_the_index_of_their_span() -> None:
    other = span({"http.request.method": "GET"})
    drafts = spans_to_drafts(traces(other, span(CHAT), other, span(CHAT, trace_id=b"short")))
    assert [(draft.index, draft.refusal is None) for draft in drafts] == [(1, True), (3, False)]


def test_an_event_id_is_derived_from_the_ids_and_sorts_by_the_span_s_start() -> None:
    first, again = event_of(CHAT)["event_id"], event_of({**CHAT, "more": 1})["event_id"]
    other_span = event_of(CHAT, span_id=bytes(range(8)))["event_id"]
    other_trace = event_of(CHAT, trace_id=bytes(range(16)))["event_id"]
    assert first == again
    assert len({first, other_span, other_trace}) == 3
    assert isinstance(first, UUID)
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert first.int >> 80 == START_NS // 1_000_000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trace_id": b""}, "trace_id"),
        ({"trace_id": bytes(16)}, "trace_id"),
        ({"span_id": bytes(8)}, "span_id"),
        ({"span_id": b"123456789"}, "span_id"),
        ({"parent_span_id": b"1"}, "parent_span_id"),
        ({"start_time_unix_nano": 0}, "start_time_unix_nano"),
    ],
)
def test_a_malformed_span_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    (draft,) = spans_to_drafts(traces(span(CHAT, **changes)))
    assert draft.event is None
    assert draft.refusal is not None
    assert (draft.refusal.code, draft.refusal.field) == ("malformed", field)


def test_a_span_that_ends_before_it_starts_has_no_duration() -> None:
    assert "duration_us" not in event_of(CHAT, end_time_unix_nano=1)


def test_an_error_tells_its_class_and_status_and_none_of_its_words() -> None:
    exception = inner("exception", {"exception.type": "openai.RateLimitError", "exception.message": SECRET})
    event = event_of(CHAT, status=ERROR, events=[exception])
    assert (event["outcome"], event["error_type"], event["http_status"]) == (
        "FAILURE",
        "openai.RateLimitError",
        429,
    )
    assert event["event_type"] == "ai.inference"
    assert SECRET not in str(event)


def test_an_error_type_is_a_failure_even_where_the_status_is_unset() -> None:
    event = event_of({**CHAT, "error.type": "timeout", "http.response.status_code": 504})
    assert (event["outcome"], event["error_type"], event["http_status"]) == ("FAILURE", "timeout", 504)


def test_a_class_that_was_printed_is_its_name() -> None:
    assert event_of({**CHAT, "error.type": "<class 'openai.APIError'>"})["error_type"] == "openai.APIError"


@pytest.mark.parametrize("name", ["gen_ai.content.completion.chunk", "First Token Stream Event"])
def test_the_first_token_is_the_earliest_of_its_events(name: str) -> None:
    events = [inner(name, after_ns=900_000_000), inner(name, after_ns=300_000_000)]
    call = event_of(CHAT, events=events)["inference"]
    assert (call["ttft_us"], call["stream"]) == (300_000, True)


CONTENT = {
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"content": SECRET}]}]),
    "gen_ai.output.messages": [{"parts": [SECRET]}],
    "gen_ai.system_instructions": SECRET,
    "gen_ai.tool.definitions": SECRET,
    "gen_ai.prompt": SECRET,
    "gen_ai.prompt.0.content": SECRET,
    "gen_ai.completion.0.content": SECRET,
    "input.value": SECRET,
    "output.value": json.dumps({"id": "resp-1", "choices": [SECRET]}),
    "llm.input_messages.0.message.content": SECRET,
    "llm.invocation_parameters": json.dumps({"temperature": 0.1, "prompt": SECRET}),
    "traceloop.entity.input": SECRET,
    "gen_ai.headers": SECRET,
    "http.request.header.authorization": SECRET,
    "url.full": f"https://x/?key={SECRET}",
    "exception.message": SECRET,
    "user.email": SECRET,
}


def test_content_is_where_the_privacy_stage_finds_it_and_secrets_are_in_no_field() -> None:
    messages = [
        inner("gen_ai.user.message", {"content": SECRET}),
        inner("gen_ai.choice", {"message": {"content": SECRET}, "gen_ai.system": "openai"}),
        inner("gen_ai.content.prompt", {"gen_ai.prompt": SECRET}),
    ]
    event = event_of({**CHAT, **CONTENT}, events=messages)
    _check(event)
    attributes = event.pop("attributes")
    contents = {name: attributes.pop(name) for name in sorted(OWN & attributes.keys())}
    assert SECRET not in str(event)
    assert SECRET not in str(attributes)
    assert {name: text.count(SECRET) for name, text in contents.items()} == {
        "content.input": 8,
        "content.output": 4,
        "content.system": 1,
        "content.tools": 1,
    }
    assert event["inference"]["temperature"] == 0.1
    assert event["inference"]["response_id"] == "resp-1"


def test_one_piece_of_content_is_its_text_and_several_are_one_object() -> None:
    attributes = {
        **CHAT,
        "gen_ai.input.messages": ["né", {"b": 1}],
        "gen_ai.completion": "a",
        "output.value": "b",
    }
    found = event_of(attributes)["attributes"]
    assert found["content.input"] == '["né",{"b":1}]'
    assert found["content.output"] == '{"gen_ai.completion":"a","output.value":"b"}'
    assert not OWN & event_of(CHAT)["attributes"].keys()


def test_content_of_one_name_in_span_and_resource_is_twice_there() -> None:
    (draft,) = spans_to_drafts(
        traces(span({**CHAT, "metadata": "mine"}), resource={"service.name": "s", "metadata": "ours"})
    )
    assert draft.event is not None
    assert draft.event["attributes"]["content.input"] == '{"metadata":"mine","metadata#2":"ours"}'


def test_long_content_is_not_cut() -> None:
    text = "long " * 20_000
    assert event_of({**CHAT, "content.input": text})["attributes"]["content.input"] == text


def test_a_tool_s_input_and_output_are_arguments_and_result() -> None:
    attributes = {
        "openinference.span.kind": "TOOL",
        "tool.name": "search",
        "input.value": "q",
        "output.value": "abc",
    }
    event = event_of(attributes)
    _check(event)
    assert event["tool"]["name"] == "search"
    assert event["attributes"]["content.arguments"] == "q"
    assert event["attributes"]["content.result"] == "abc"


def test_an_agent_s_tokens_are_kept_and_not_counted() -> None:
    event = event_of(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "planner",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 500,
        }
    )
    _check(event)
    assert not {"usage", "inference"} & event.keys()
    assert event["attributes"]["gen_ai.usage.input_tokens"] == "500"
    assert event["attributes"]["gen_ai.request.model"] == "gpt-4o"
    assert (event["agent_name"], event["actor_type"]) == ("planner", "AGENT")


def test_mcp_calls_are_tool_calls_with_the_server() -> None:
    event = event_of(
        {
            "mcp.method.name": "tools/call",
            "gen_ai.tool.name": "search",
            "mcp.session.id": "s",
            "mcp.protocol.version": "2025-06-18",
            "server.address": "mcp.example",
            "gen_ai.tool.call.arguments": {"q": SECRET},
            "gen_ai.tool.call.result": "123456",
        },
        name="tools/call search",
    )
    _check(event)
    assert event["tool"] == {
        "name": "search",
        "mcp_method": "tools/call",
        "mcp_session": "s",
        "mcp_protocol": "2025-06-18",
        "mcp_server": "mcp.example",
    }
    assert event["attributes"]["content.arguments"] == f'{{"q":"{SECRET}"}}'
    assert event["attributes"]["content.result"] == "123456"


@pytest.mark.parametrize(
    ("attributes", "name", "family", "expected"),
    [
        ({"gen_ai.operation.name": "execute_tool"}, "execute_tool weather", "tool", {"name": "weather"}),
        ({"mcp.method.name": "tools/list"}, "x", "tool", {"name": "tools/list", "mcp_method": "tools/list"}),
        (
            {"gen_ai.operation.name": "create_agent", "gen_ai.agent.id": "a-1"},
            "create_agent x",
            "change",
            {"object_type": "agent", "object_id": "a-1"},
        ),
        (
            {"gen_ai.operation.name": "run_guardrail", "gen_ai.guardrail.component.name": "filter"},
            "run_guardrail filter",
            "policy",
            {"id": "filter", "component": "filter", "verdict": "unknown"},
        ),
        (
            {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": "d",
                "gen_ai.retrieval.documents": "[1,2]",
            },
            "retrieval",
            "retrieval",
            {"data_source_id": "d", "hits": 2},
        ),
        (
            {
                "openinference.span.kind": "RETRIEVER",
                "retrieval.documents.0.document.id": "1",
                "retrieval.documents.0.document.content": SECRET,
                "retrieval.documents.1.document.id": "2",
            },
            "retrieve",
            "retrieval",
            {"hits": 2},
        ),
        (
            {
                "gen_ai.operation.name": "search_memory",
                "gen_ai.memory.store.id": "m",
                "gen_ai.memory.record.count": 3,
            },
            "search_memory",
            "retrieval",
            {"store_id": "m", "hits": 3},
        ),
        (
            {"openinference.span.kind": "EVALUATOR", "evaluation.score": 0.5, "evaluation.label": "Good"},
            "relevance",
            "evaluation",
            {"name": "relevance", "score": 0.5, "label": "good"},
        ),
    ],
)
def test_families_are_filled_from_attributes_and_the_span_s_name(
    attributes: dict[str, Any], name: str, family: str, expected: dict[str, Any]
) -> None:
    event = event_of(attributes, name=name)
    _check(event)
    assert event[family] == expected
    kept = {name: value for name, value in event["attributes"].items() if name not in OWN}
    assert SECRET not in str(event | {"attributes": kept})


@pytest.mark.parametrize(("verdict", "outcome"), [("deny", "BLOCKED"), ("Allow", "SUCCESS")])
def test_a_verdict_that_blocks_is_blocked(verdict: str, outcome: str) -> None:
    event = event_of({"gen_ai.operation.name": "run_guardrail", "gen_ai.guardrail.verdict.type": verdict})
    assert (event["outcome"], event["policy"]["verdict"]) == (outcome, verdict.lower())


def test_an_evaluation_inside_a_span_is_an_event_of_its_own_that_names_its_subject() -> None:
    result = inner(
        "gen_ai.evaluation.result", {"gen_ai.evaluation.name": "rel", "gen_ai.evaluation.score.value": 0.9}
    )
    call, judged = (
        draft.event for draft in spans_to_drafts(traces(span(CHAT, events=[inner("other"), result])))
    )
    assert call is not None
    assert judged is not None
    _check(dict(judged))
    assert judged["evaluation"] == {"name": "rel", "score": 0.9, "subject_event_id": str(call["event_id"])}
    assert judged["event_id"] != call["event_id"]
    assert (judged["trace_id"], judged["parent_span_id"]) == (call["trace_id"], call["span_id"])


def test_a_flag_inside_a_span_of_no_interest_is_an_event() -> None:
    flag = inner("feature_flag.evaluation", {"feature_flag.key": "k", "feature_flag.result.value": True})
    (draft,) = spans_to_drafts(traces(span({"http.request.method": "GET"}, events=[flag])))
    assert draft.event is not None
    _check(dict(draft.event))
    assert draft.event["experiment"] == {"key": "k", "variant": "True"}


def test_the_resource_fills_what_the_span_leaves_open() -> None:
    resource = {
        "service.name": "shop",
        "service.instance.id": "i-1",
        "deployment.environment": "staging",
        "user.id": "of-the-resource",
        "cloud.region": "eu-1",
        "process.command_line": SECRET,
        "k8s.pod.name": "pod-1",
        "auditstream.project_id": "p",
    }
    (draft,) = spans_to_drafts(traces(span({**CHAT, "user.id": "u-1"}), resource=resource))
    event = draft.event
    assert event is not None
    assert (event["source"], event["source_instance"], event["environment"]) == ("shop", "i-1", "staging")
    assert (event["actor_id"], event["actor_type"], event["project_id"]) == ("u-1", "USER", "p")
    assert "region" not in event["inference"]
    assert event["attributes"]["k8s.pod.name"] == "pod-1"
    assert event["attributes"]["cloud.region"] == "eu-1"
    assert SECRET not in str(event)


def test_a_service_without_a_name_is_called_so() -> None:
    (draft,) = spans_to_drafts(traces(span(CHAT), resource={}))
    assert draft.event is not None
    assert draft.event["source"] == "unknown_service"


def test_the_newer_name_wins_and_the_older_is_kept_where_it_differs() -> None:
    both = {
        "gen_ai.provider.name": "anthropic",
        "gen_ai.system": "aws.bedrock",
        "gen_ai.usage.prompt_tokens": 5,
    }
    event = event_of({**both, "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 5})
    assert event["inference"]["provider"] == "anthropic"
    assert event["attributes"]["gen_ai.system"] == "aws.bedrock"
    assert "gen_ai.usage.prompt_tokens" not in event["attributes"]


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("gemini", "gcp.gemini"),
        ("az.ai.openai", "azure.ai.openai"),
        ("xai", "x_ai"),
        ("mistralai", "mistral_ai"),
        ("OpenAI", "openai"),
        ("my-own", "my-own"),
    ],
)
def test_providers_have_one_name(name: str, normal: str) -> None:
    assert (
        event_of({"gen_ai.operation.name": "chat", "gen_ai.system": name})["inference"]["provider"] == normal
    )


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("gen_ai.usage.input_tokens", "many"),
        ("gen_ai.usage.input_tokens", -1),
        ("gen_ai.usage.input_tokens", True),
        ("gen_ai.usage.input_tokens", 1.5),
        ("gen_ai.request.temperature", "warm"),
        ("gen_ai.request.temperature", float("nan")),
        ("gen_ai.request.stream", "perhaps"),
        ("gen_ai.response.id", ["a"]),
        ("gen_ai.response.time_to_first_chunk", -1.0),
        ("http.response.status_code", 9),
        ("user.hash", "not hex"),
        ("geo.country.iso_code", "Germany"),
    ],
)
def test_a_value_of_the_wrong_type_is_kept_as_it_is_and_the_event_lives(attribute: str, value: Any) -> None:
    event = event_of({**CHAT, attribute: value})
    _check(event)
    assert attribute in event["attributes"]


def test_numbers_may_come_as_text() -> None:
    event = event_of({**CHAT, "gen_ai.usage.input_tokens": "12", "gen_ai.request.stream": "True"})
    assert event["usage"]["input_tokens"] == 12
    assert event["inference"]["stream"] is True


def test_what_is_unknown_is_kept_within_bounds_and_what_was_cut_is_counted() -> None:
    many = {f"app.{number}": number for number in range(100)}
    event = event_of({**CHAT, "app.long": "x" * 5000, "app.list": [1, "a"], **many})
    kept = event["attributes"]
    assert kept["app.0"] == "0"
    assert kept["app.list"] == '[1,"a"]'
    assert kept["app.long"] == "x" * Bounds.VALUE_CHARS
    assert len([name for name in kept if not name.startswith("otel.")]) == Bounds.ATTRIBUTES
    # 104 of the span (operation, 102 of the application, its name) come to 64; the long one is cut as well
    assert kept[Bounds.CUT] == str(104 - Bounds.ATTRIBUTES + 1)


def test_links_and_the_schema_are_kept() -> None:
    linked = span(CHAT, links=[Span.Link(trace_id=TRACE_ID, span_id=SPAN_ID)])
    (draft,) = spans_to_drafts(traces(linked, schema_url="https://opentelemetry.io/schemas/1.37.0"))
    assert draft.event is not None
    assert draft.event["attributes"]["otel.schema_url"] == "https://opentelemetry.io/schemas/1.37.0"
    assert draft.event["attributes"]["otel.links"] == f'["{TRACE_ID.hex()}-{SPAN_ID.hex()}"]'


def test_openinference_names_the_asked_model_of_a_failed_call() -> None:
    attributes = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.provider": "openai"}
    failed = event_of(attributes, status=ERROR)["inference"]
    answered = event_of(attributes)["inference"]
    assert (failed.get("request_model"), failed.get("response_model")) == ("gpt-4o", None)
    assert (answered["request_model"], answered["response_model"]) == ("gpt-4o", "gpt-4o")


def test_a_claimed_tenant_is_handed_on_for_judging() -> None:
    assert event_of({**CHAT, "auditstream.tenant_id": "globex"})["tenant_id"] == "globex"
