"""The real LangChain, with the real `langchain-openai` against a provider on a socket, and our handler."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from auditstream_sdk import audit_context
from auditstream_sdk.integrations.langchain import LangChainAudit
from tests.support.audit_memory import AsyncAuditMemory, AuditMemory
from tests.support.fake_openai_answers import MODEL, REFUSED, chat, chat_stream
from tests.support.fake_providers import SECRET, FakeProvider
from tests.support.published import checked

PROMPT = ChatPromptTemplate.from_messages([("system", "be short"), ("user", "{question}")])


class Library(BaseRetriever):
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        if query == "broken":
            raise KeyError(query)
        return [Document(page_content=SECRET), Document(page_content="two")]


@tool
def refund(order: str) -> str:
    """Refund an order."""
    if order == "none":
        raise ValueError(SECRET)
    return SECRET


@pytest.fixture
def model(provider: FakeProvider) -> ChatOpenAI:
    return ChatOpenAI(
        model="gpt-4o",
        base_url=f"{provider.url}/v1",
        api_key="sk-1",
        max_retries=0,
        temperature=0.5,  # type: ignore[arg-type]
    )


@pytest.fixture
def config(audit: AuditMemory) -> RunnableConfig:
    return {"callbacks": [LangChainAudit(audit, content_key=b"k" * 32)]}


def by_type(audit: AuditMemory) -> dict[str, dict[str, Any]]:
    return {event["event_type"]: checked(event) for event in audit.events}


def test_a_chat_model_is_one_event_with_what_the_provider_counted(
    provider: FakeProvider, audit: AuditMemory, model: ChatOpenAI, config: RunnableConfig
) -> None:
    provider.answer(chat())

    with audit_context(conversation_id="c-1"):
        answered = model.invoke(SECRET, config)

    assert answered.content == SECRET
    event = checked(audit.event)
    assert event["usage"] == {
        "input_tokens": 1200,
        "cache_read_tokens": 1024,
        "output_tokens": 340,
        "reasoning_tokens": 128,
        "source": "PROVIDER",
    }
    assert event["inference"] == {
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o",
        "response_model": MODEL,
        "response_id": "chatcmpl-1",
        "finish_reasons": ["stop"],
        "service_tier": "default",
        "fingerprint": "fp_1",
        "temperature": 0.5,
        "stream": False,
    }
    assert (event["content_bytes"], event["conversation_id"]) == (len(SECRET), "c-1")
    assert len(event["content_hmac"]) == 64
    assert "parent_span_id" not in event


def test_a_streamed_model_has_its_usage_and_the_time_of_its_first_piece(
    provider: FakeProvider, audit: AuditMemory, model: ChatOpenAI, config: RunnableConfig
) -> None:
    provider.answer(chat_stream())

    pieces = list(model.stream(SECRET, config, stream_usage=True))

    assert len(pieces) >= 3
    event = checked(audit.event)
    assert (event["usage"]["input_tokens"], event["usage"]["output_tokens"]) == (77, 21)
    assert event["inference"]["stream"] is True
    assert event["inference"]["ttft_us"] <= event["duration_us"]


def test_an_agents_run_is_a_tree_of_spans(
    provider: FakeProvider, audit: AuditMemory, model: ChatOpenAI, config: RunnableConfig
) -> None:
    provider.answer(chat())

    def act(question: str, config: RunnableConfig) -> str:
        found = Library().invoke(question, config)
        refund.invoke({"order": "o-1"}, config)
        return (PROMPT | model | StrOutputParser()).invoke({"question": found[0].page_content}, config)

    assert RunnableLambda(act).with_config(run_name="support").invoke("where", config) == SECRET

    events = by_type(audit)
    root = events["ai.agent.action"]
    parts = [events[kind] for kind in ("ai.retrieval", "ai.tool_call", "ai.inference")]
    assert len(audit.events) == 4
    assert (root["agent_name"], root["agent_framework"]) == ("support", "langchain")
    assert root["agent_step"]["depth"] == 0
    assert [part["parent_span_id"] for part in parts] == [root["span_id"]] * 3
    assert {part["trace_id"] for part in parts} == {root["trace_id"]}
    assert len({event["span_id"] for event in audit.events}) == 4
    assert all(part["duration_us"] <= root["duration_us"] for part in parts)


def test_chains_inside_are_recorded_when_that_is_asked_for(audit: AuditMemory) -> None:
    inner = RunnableLambda(lambda text: text).with_config(run_name="inner")
    outer = (RunnableLambda(lambda text: text) | inner).with_config(run_name="outer")

    outer.invoke("x", {"callbacks": [LangChainAudit(audit, all_chains=True)]})

    steps = {event["agent_name"]: event for event in map(checked, audit.events)}
    assert steps.keys() == {"outer", "RunnableLambda", "inner"}
    assert steps["inner"]["parent_span_id"] == steps["outer"]["span_id"]
    assert steps["inner"]["agent_step"] == {"depth": 1, "index": 1}


def test_tools_and_retrievers_leave_sizes_counts_and_hmacs(
    audit: AuditMemory, config: RunnableConfig
) -> None:
    call = {"name": "refund", "args": {"order": "o-1"}, "id": "call_1", "type": "tool_call"}
    refund.invoke(call, config)
    Library().invoke("where is it", config)

    events = by_type(audit)
    used, asked = events["ai.tool_call"], events["ai.retrieval"]
    assert (used["tool"]["name"], used["tool"]["call_id"]) == ("refund", "call_1")
    assert used["tool"]["result_bytes"] == len(SECRET)
    assert len(used["tool"]["args_hmac"]) == 64
    assert asked["retrieval"]["hits"] == 2
    assert asked["retrieval"]["data_source_id"] == "library"
    assert asked["content_bytes"] == len("where is it")


def test_failures_are_the_callers_and_events_at_every_level(
    provider: FakeProvider, audit: AuditMemory, model: ChatOpenAI, config: RunnableConfig
) -> None:
    provider.answer(REFUSED)

    with pytest.raises(Exception, match="slow down"):
        (PROMPT | model).invoke({"question": SECRET}, config)
    with pytest.raises(ValueError, match=SECRET):
        refund.invoke({"order": "none"}, config)
    with pytest.raises(KeyError):
        Library().invoke("broken", config)

    events = by_type(audit)
    assert {kind: event["outcome"] for kind, event in events.items()} == dict.fromkeys(events, "FAILURE")
    assert events["ai.inference"]["http_status"] == 429
    assert events["ai.inference"]["error_type"].endswith("RateLimitError")
    assert events["ai.tool_call"]["error_type"] == "ValueError"
    assert events["ai.retrieval"]["error_type"] == "KeyError"
    assert events.keys() == {"ai.inference", "ai.agent.action", "ai.tool_call", "ai.retrieval"}


async def test_awaited_runs_are_recorded_the_same_way(
    provider: FakeProvider, audit: AuditMemory, model: ChatOpenAI, config: RunnableConfig
) -> None:
    provider.answer(chat(), chat_stream())

    answered = await (PROMPT | model).ainvoke({"question": SECRET}, config)
    assert isinstance(answered, AIMessage)
    async for _ in model.astream(SECRET, config, stream_usage=True):
        pass

    inferences = [event for event in map(checked, audit.events) if event["event_type"] == "ai.inference"]
    assert [event["usage"]["input_tokens"] for event in inferences] == [1200, 77]


def test_nothing_of_runs_that_ended_is_kept(
    provider: FakeProvider, audit: AuditMemory, model: ChatOpenAI
) -> None:
    handler = LangChainAudit(audit)
    provider.answer(chat(), REFUSED)

    (PROMPT | model).invoke({"question": "x"}, {"callbacks": [handler]})
    with pytest.raises(Exception, match="slow down"):
        (PROMPT | model).invoke({"question": "x"}, {"callbacks": [handler]})

    assert handler._runs == {}


def test_a_recorder_that_has_to_be_awaited_is_refused(async_audit: AsyncAuditMemory) -> None:
    with pytest.raises(TypeError, match=r"^audit: LangChain also calls back where nobody awaits"):
        LangChainAudit(async_audit)  # type: ignore[arg-type]
