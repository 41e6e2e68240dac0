"""The real LiteLLM against a provider on a socket, with our callback."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from auditstream_sdk import audit_context
from tests.support import fake_anthropic_answers as anthropic
from tests.support.audit_memory import AsyncAuditMemory, AuditMemory
from tests.support.fake_openai_answers import MODEL, REFUSED, chat, chat_stream, embedding, response
from tests.support.fake_providers import SECRET, FakeProvider
from tests.support.late_modules import LateModule
from tests.support.processes import wait_until
from tests.support.published import checked

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # at import it would fetch its prices otherwise
litellm: Any = LateModule("litellm")
integration: Any = LateModule("auditstream_sdk.integrations.litellm")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:pydantic"),
]

MESSAGES = [{"role": "user", "content": SECRET}]
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call(provider: FakeProvider) -> Call:
    """Arguments of a call of the fake provider."""

    def arguments(**more: Any) -> dict[str, Any]:
        base = {
            "model": "openai/gpt-4o",
            "api_base": f"{provider.url}/v1",
            "api_key": "sk-1",
            "max_retries": 0,
        }
        return base | more

    return arguments


@pytest.fixture(autouse=True)
def callback(audit: AuditMemory) -> Iterator[None]:
    litellm.suppress_debug_info = True
    litellm.callbacks = [integration.LiteLLMAudit(audit, content_key=b"k" * 32)]
    yield
    litellm.callbacks = []
    for registered in (
        litellm.success_callback,
        litellm.failure_callback,
        litellm._async_success_callback,
        litellm._async_failure_callback,
        litellm.input_callback,
    ):
        registered.clear()
    for kept in list(litellm.in_memory_llm_clients_cache.cache_dict.values()):
        close = getattr(kept, "close", None)
        if close is not None and not inspect.iscoroutinefunction(close):
            close()
    litellm.in_memory_llm_clients_cache.flush_cache()


def events_of(audit: AuditMemory, count: int = 1) -> list[dict[str, Any]]:
    """Wait for LiteLLM's own threads to call back."""
    wait_until(lambda: len(audit.memory.taken) >= count, within_s=10, what="the callback")
    assert len(audit.events) == count
    return [checked(event) for event in audit.events]


def test_a_completion_is_one_event_in_the_context_of_its_caller(
    provider: FakeProvider, audit: AuditMemory, call: Call
) -> None:
    provider.answer(chat())

    with audit_context(project_id="search"):
        litellm.completion(
            messages=MESSAGES,
            temperature=0.5,
            metadata={"audit": {"conversation_id": "c-1", "no_such_field": 1}},
            **call(),
        )

    (event,) = events_of(audit)
    assert event["usage"] == {
        "input_tokens": 1200,
        "cache_read_tokens": 1024,
        "output_tokens": 340,
        "reasoning_tokens": 128,
        "source": "PROVIDER",
    }
    assert (event["project_id"], event["conversation_id"]) == ("search", "c-1")
    assert event["inference"]["response_id"] == "chatcmpl-1"
    assert event["inference"]["response_model"] == MODEL
    assert (event["inference"]["provider"], event["inference"]["request_model"]) == ("openai", "gpt-4o")
    assert (event["inference"]["temperature"], event["inference"]["server_host"]) == (0.5, "127.0.0.1")
    assert event["content_bytes"] == len(SECRET)
    assert len(event["content_hmac"]) == 64
    assert event["duration_us"] > 0


def test_a_stream_with_usage_is_the_providers_and_without_it_litellms_estimate(
    provider: FakeProvider, audit: AuditMemory, call: Call
) -> None:
    provider.answer(chat_stream(), chat_stream(usage=False))

    list(litellm.completion(messages=MESSAGES, stream=True, stream_options={"include_usage": True}, **call()))
    (counted,) = events_of(audit)
    list(litellm.completion(messages=MESSAGES, stream=True, **call()))
    _, estimated = events_of(audit, 2)

    assert (counted["usage"]["input_tokens"], counted["usage"]["source"]) == (77, "PROVIDER")
    assert counted["inference"]["stream"] is True
    assert counted["inference"]["ttft_us"] <= counted["duration_us"]
    assert estimated["usage"]["source"] == "ESTIMATED"


def test_anthropics_counts_and_ids_are_anthropics_own(
    provider: FakeProvider, audit: AuditMemory, call: Call
) -> None:
    provider.answer(anthropic.message())

    litellm.completion(messages=MESSAGES, **call(model="anthropic/claude-sonnet-5", api_base=provider.url))

    (event,) = events_of(audit)
    assert event["inference"]["provider"] == "anthropic"
    assert event["inference"]["response_id"] == "msg_1"
    assert (event["usage"]["input_tokens"], event["usage"]["cache_read_tokens"]) == (1312, 1000)
    assert event["usage"]["cache_write_tokens"] == 300
    assert event["attributes"]["usage.overlap"].startswith("anthropic.messages: cache_read_tokens beside")


def test_a_failure_and_an_embedding_are_events(
    provider: FakeProvider, audit: AuditMemory, call: Call
) -> None:
    provider.answer(REFUSED, embedding())

    with pytest.raises(litellm.RateLimitError):
        litellm.completion(messages=MESSAGES, num_retries=0, **call())
    events_of(audit)
    litellm.embedding(input=[SECRET], **call(model="openai/text-embedding-3-small"))
    refused, embedded = events_of(audit, 2)

    assert (refused["outcome"], refused["http_status"]) == ("FAILURE", 429)
    assert refused["error_type"] == "litellm.exceptions.RateLimitError"
    assert embedded["event_type"] == "ai.embedding"
    assert (
        embedded["usage"] == {"input_tokens": 9, "output_tokens": 0, "source": "PROVIDER"} | embedded["usage"]
    )


async def test_awaited_calls_are_one_event_each(
    provider: FakeProvider, audit: AuditMemory, call: Call
) -> None:
    provider.answer(chat(), chat_stream(), response(), REFUSED)

    async def recorded(count: int) -> None:
        while len(audit.memory.taken) < count:  # LiteLLM calls back from a task of its own
            await asyncio.sleep(0.01)

    await litellm.acompletion(messages=MESSAGES, **call())
    await recorded(1)
    options = {"include_usage": True}
    async for _ in await litellm.acompletion(
        messages=MESSAGES, stream=True, stream_options=options, **call()
    ):
        pass
    await recorded(2)
    await litellm.aresponses(input=SECRET, **call(model="openai/gpt-5"))
    await recorded(3)
    with pytest.raises(litellm.RateLimitError):
        await litellm.acompletion(messages=MESSAGES, **call())
    await recorded(4)

    await litellm.close_litellm_async_clients()
    for kept in list(litellm.in_memory_llm_clients_cache.cache_dict.values()):
        if inspect.iscoroutinefunction(getattr(kept, "close", None)):
            await kept.close()

    whole, streamed, responded, failed = events_of(audit, 4)
    assert whole["usage"]["input_tokens"] == 1200
    assert streamed["usage"]["input_tokens"] == 77
    assert (responded["usage"]["input_tokens"], responded["usage"]["reasoning_tokens"]) == (410, 64)
    assert failed["http_status"] == 429


def test_a_recorder_that_has_to_be_awaited_is_refused(async_audit: AsyncAuditMemory) -> None:
    with pytest.raises(TypeError, match=r"^audit: LiteLLM also calls back where nobody awaits"):
        integration.LiteLLMAudit(async_audit)  # type: ignore[arg-type]
