"""The real `openai` package against a provider on a socket: what is recorded, and what its caller sees."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import BaseModel

from auditstream_sdk import AuditClient, NotAcknowledgedError
from auditstream_sdk.integrations.faults import FAULTS
from auditstream_sdk.integrations.openai import instrument_openai, uninstrument_openai
from tests.support.audit_memory import AsyncAuditMemory, AuditMemory
from tests.support.fake_openai_answers import (
    MODEL,
    REFUSED,
    chat,
    chat_chunks,
    chat_stream,
    embedding,
    response,
    response_stream,
)
from tests.support.fake_providers import SECRET, Answer, FakeProvider
from tests.support.published import checked

MESSAGES = [{"role": "system", "content": "be short"}, {"role": "user", "content": SECRET}]
CHAT_USAGE = {
    "input_tokens": 1200,
    "cache_read_tokens": 1024,
    "output_tokens": 340,
    "reasoning_tokens": 128,
    "source": "PROVIDER",
}
STREAM_USAGE = {"input_tokens": 77, "output_tokens": 21, "source": "PROVIDER"}


@pytest.fixture
def client(provider: FakeProvider, audit: AuditMemory) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-1", max_retries=2) as made:
        yield instrument_openai(made, audit)


@pytest.fixture
async def async_client(
    provider: FakeProvider, async_audit: AsyncAuditMemory
) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="sk-1", max_retries=2) as made:
        yield instrument_openai(made, async_audit)


def create(client: openai.OpenAI, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **more)  # type: ignore[call-overload]


def test_a_chat_is_one_event_with_what_the_provider_counted(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat())

    answered = create(client, temperature=0.5, max_completion_tokens=100, seed=7, reasoning_effort="low")

    assert isinstance(answered, ChatCompletion)
    assert answered.choices[0].message.content == SECRET
    event = checked(audit.event)
    assert event["event_type"] == "ai.inference"
    assert event["outcome"] == "SUCCESS"
    assert event["duration_us"] > 0
    assert event["content_bytes"] == len(SECRET) + len("be short")
    assert event["usage"] == CHAT_USAGE
    assert event["inference"] == {
        "operation": "chat",
        "provider": "openai",
        "server_host": "127.0.0.1",
        "stream": False,
        "request_model": "gpt-4o",
        "response_model": MODEL,
        "response_id": "chatcmpl-1",
        "finish_reasons": ["stop"],
        "service_tier": "default",
        "fingerprint": "fp_1",
        "max_tokens": 100,
        "temperature": 0.5,
        "seed": 7,
        "reasoning_level": "low",
    }
    assert event["attributes"] == {
        "openai.api.type": "chat_completions",
        "usage.overlap": "openai.chat: parts are inside their totals",
    }


def test_a_stream_is_recorded_when_it_was_read(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat_stream())

    stream = create(client, stream=True, stream_options={"include_usage": True})
    assert isinstance(stream, openai.Stream)
    assert audit.events == []
    chunks = list(stream)

    assert [chunk.model_dump(mode="json", exclude_unset=True) for chunk in chunks] == list(chat_chunks())
    event = checked(audit.event)
    assert event["usage"] == STREAM_USAGE
    assert event["inference"]["stream"] is True
    assert event["inference"]["finish_reasons"] == ["stop"]
    assert 0 <= event["inference"]["ttft_us"] <= event["duration_us"]


def test_a_stream_without_usage_has_none(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat_stream(usage=False))

    with create(client, stream=True) as stream:
        assert len(list(stream)) == 3

    event = checked(audit.event)
    assert (event["usage"], event["outcome"]) == ({"source": "NONE"}, "SUCCESS")


def test_a_stream_that_its_caller_closes_early_is_partial(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat_stream())

    with create(client, stream=True) as stream:
        next(stream)

    event = checked(audit.event)
    assert (event["outcome"], event["usage"]) == ("PARTIAL", {"source": "NONE"})
    assert event["inference"]["response_id"] == "chatcmpl-2"


def test_a_stream_that_its_caller_drops_is_partial(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat_stream())

    stream = create(client, stream=True)
    next(stream)
    stream.response.close()
    del stream
    gc.collect()

    assert checked(audit.event)["outcome"] == "PARTIAL"


def test_a_stream_that_the_line_cuts_is_a_failure_with_what_is_known(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(Answer(events=chat_chunks()[:2], is_cut=True))

    with pytest.raises(openai.APIConnectionError):
        list(create(client, stream=True))

    event = checked(audit.event)
    assert (event["outcome"], event["error_type"]) == ("FAILURE", "openai.APIConnectionError")
    assert event["inference"]["response_model"] == MODEL


def test_the_helper_that_streams_is_recorded_once(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat_stream())

    with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES) as stream:  # type: ignore[arg-type]
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()

    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.usage is not None
    assert final.usage.total_tokens == 98
    assert checked(audit.event)["usage"] == STREAM_USAGE


def test_a_parsed_answer_is_recorded_and_still_parsed(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    class City(BaseModel):
        name: str

    provider.answer(chat('{"name": "Paris"}'))

    answered = client.chat.completions.parse(model="gpt-4o", messages=MESSAGES, response_format=City)  # type: ignore[arg-type]

    assert answered.choices[0].message.parsed == City(name="Paris")
    assert checked(audit.event)["usage"] == CHAT_USAGE


def test_a_raw_response_is_recorded_and_stays_raw(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat(), chat_stream())

    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)  # type: ignore[arg-type]
    assert raw.headers["content-type"] == "application/json"
    assert raw.parse().id == "chatcmpl-1"
    assert checked(audit.event)["usage"] == CHAT_USAGE

    streamed = client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES, stream=True
    )  # type: ignore[arg-type]
    assert len(list(streamed.parse())) == 4
    assert checked(audit.events[1])["usage"] == STREAM_USAGE
    assert len(audit.events) == 2


def test_a_streaming_response_is_recorded_when_it_is_read(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat(), chat())
    streaming = client.chat.completions.with_streaming_response

    with streaming.create(model="gpt-4o", messages=MESSAGES) as held:  # type: ignore[arg-type]
        assert held.parse().id == "chatcmpl-1"
    with streaming.create(model="gpt-4o", messages=MESSAGES) as held:  # type: ignore[arg-type]
        assert SECRET in "".join(held.iter_text())

    parsed, unread = map(checked, audit.events)
    assert parsed["usage"] == CHAT_USAGE
    assert (unread["usage"]["source"], unread["outcome"]) == ("NONE", "PARTIAL")


def test_a_response_is_recorded_with_the_tier_it_was_served_at(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(response())

    answered = client.responses.create(
        model="gpt-5",
        input=SECRET,
        instructions="be short",
        conversation="conv_1",
        reasoning={"effort": "high"},
    )

    assert isinstance(answered, Response)
    event = checked(audit.event)
    assert (event["inference"]["service_tier"], event["inference"]["reasoning_level"]) == ("flex", "high")
    assert event["conversation_id"] == "conv_1"
    assert event["content_bytes"] == len(SECRET) + len("be short")
    assert event["attributes"]["openai.api.type"] == "responses"
    assert event["usage"]["reasoning_tokens"] == 64


def test_a_streamed_response_is_recorded_by_its_last_event(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(response_stream(), response_stream())

    assert len(list(client.responses.create(model="gpt-5", input=SECRET, stream=True))) == 3
    with client.responses.stream(model="gpt-5", input=SECRET) as stream:
        stream.until_done()

    for event in map(checked, audit.events):
        assert event["usage"]["input_tokens"] == 410
        assert event["inference"]["response_id"] == "resp_1"
    assert len(audit.events) == 2


def test_embeddings_are_events_of_their_own_kind(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(embedding())

    answered = client.embeddings.create(model="text-embedding-3-small", input=[SECRET, "two"])

    assert len(answered.data) == 1
    event = checked(audit.event)
    assert (event["event_type"], event["inference"]["operation"]) == ("ai.embedding", "embeddings")
    assert event["usage"] == {"input_tokens": 9, "source": "PROVIDER"}


def test_retries_are_inside_of_one_event(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(REFUSED, REFUSED, chat())

    create(client)

    assert len(provider.requests) == 3
    assert checked(audit.event)["outcome"] == "SUCCESS"


def test_an_error_is_the_callers_and_the_event_says_which(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(REFUSED)

    with pytest.raises(openai.RateLimitError, match=SECRET):
        create(client.with_options(max_retries=0))

    event = checked(audit.event)
    assert (event["outcome"], event["error_type"]) == ("FAILURE", "openai.RateLimitError")
    assert (event["http_status"], "usage" in event) == (429, False)


def test_content_leaves_an_hmac_when_there_is_a_key(provider: FakeProvider, audit: AuditMemory) -> None:
    provider.answer(chat(), chat(), chat())
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-1") as client:
        instrument_openai(client, audit, content_key=b"k" * 32)
        create(client)
        create(client)
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "other"}])

    first, again, other = (checked(event)["content_hmac"] for event in audit.events)
    assert first == again != other
    assert len(first) == 64


def test_a_client_is_told_apart_by_its_address_or_by_what_is_said(audit: AuditMemory) -> None:
    def provider_of(client: openai.OpenAI, **said: str) -> str:
        with instrument_openai(client, audit, **said), pytest.raises(openai.APIConnectionError):  # type: ignore[arg-type]
            create(client)
        return str(audit.events[-1]["inference"]["provider"])

    nowhere = "http://127.0.0.1:9"
    azure = openai.AzureOpenAI(base_url=nowhere, api_key="k", api_version="2025-01-01", max_retries=0)

    assert provider_of(azure) == "azure.ai.openai"
    assert provider_of(openai.OpenAI(base_url=nowhere, api_key="k", max_retries=0)) == "openai"
    assert provider_of(openai.OpenAI(base_url=nowhere, api_key="k", max_retries=0), provider="groq") == "groq"


def test_a_client_that_is_used_already_records_from_then_on_and_no_more_when_told(
    provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat(), chat(), chat())
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-1") as client:
        create(client)
        instrument_openai(instrument_openai(client, audit), audit)
        create(client)
        uninstrument_openai(client)
        create(client)

    assert len(audit.events) == 1


def test_other_clients_and_a_recorder_that_has_to_be_awaited_are_refused(
    audit: AuditMemory, async_audit: AsyncAuditMemory
) -> None:
    with pytest.raises(TypeError, match=r"^client: expected OpenAI or AsyncOpenAI, got object$"):
        instrument_openai(object(), audit)  # type: ignore[arg-type]
    with openai.OpenAI(api_key="k") as client, pytest.raises(TypeError, match=r"^audit: an AsyncAuditClient"):
        instrument_openai(client, async_audit)  # type: ignore[arg-type]


def test_what_goes_wrong_while_recording_is_not_the_callers(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory, caplog: pytest.LogCaptureFixture
) -> None:
    provider.answer(chat(), chat_stream())
    before, FAULTS.count = FAULTS.count, 0
    audit.memory.breaks = OSError(SECRET)
    try:
        assert create(client).id == "chatcmpl-1"
        assert len(list(create(client, stream=True))) == 4
        assert FAULTS.count == 2
    finally:
        FAULTS.count = before
    (record,) = (each for each in caplog.records if each.name == "auditstream_sdk.integrations")
    assert "OSError" in record.getMessage()
    assert SECRET not in caplog.text


def test_a_strict_recorder_does_stop_a_call_that_is_not_acknowledged(
    client: openai.OpenAI, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat())
    audit.memory.breaks = NotAcknowledgedError("no acknowledgement within 5 s")

    with pytest.raises(NotAcknowledgedError):
        create(client)


def test_a_client_that_is_not_configured_costs_nothing_and_records_nothing(provider: FakeProvider) -> None:
    provider.answer(chat(), chat_stream())
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="sk-1") as client:
        instrument_openai(client, AuditClient())

        assert create(client).id == "chatcmpl-1"
        assert type(create(client, stream=True)._iterator).__name__ == "generator"


async def test_an_awaited_chat_is_one_event(
    async_client: openai.AsyncOpenAI, provider: FakeProvider, async_audit: AsyncAuditMemory
) -> None:
    provider.answer(REFUSED, chat())

    answered = await async_client.chat.completions.create(model="gpt-4o", messages=MESSAGES)  # type: ignore[arg-type]

    assert isinstance(answered, ChatCompletion)
    assert checked(async_audit.event)["usage"] == CHAT_USAGE


async def test_an_awaited_stream_is_recorded_when_it_was_read_or_closed(
    async_client: openai.AsyncOpenAI, provider: FakeProvider, async_audit: AsyncAuditMemory
) -> None:
    provider.answer(chat_stream(), chat_stream(), chat_stream())
    completions = async_client.chat.completions

    stream: Any = await completions.create(model="gpt-4o", messages=MESSAGES, stream=True)  # type: ignore[arg-type]
    assert isinstance(stream, openai.AsyncStream)
    assert len([chunk async for chunk in stream]) == 4
    async with await completions.create(model="gpt-4o", messages=MESSAGES, stream=True) as early:  # type: ignore[arg-type]
        await anext(early)
    async with completions.stream(model="gpt-4o", messages=MESSAGES) as helper:  # type: ignore[arg-type]
        await helper.until_done()

    read, closed, helped = map(checked, async_audit.events)
    assert read["usage"] == helped["usage"] == STREAM_USAGE
    assert (closed["outcome"], closed["usage"]["source"]) == ("PARTIAL", "NONE")


async def test_an_awaited_stream_that_is_dropped_is_partial(
    async_client: openai.AsyncOpenAI, provider: FakeProvider, async_audit: AsyncAuditMemory
) -> None:
    provider.answer(chat_stream())

    stream: Any = await async_client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)  # type: ignore[arg-type]
    await anext(stream)
    await stream.response.aclose()
    del stream
    gc.collect()

    assert checked(async_audit.event)["outcome"] == "PARTIAL"


async def test_a_cancelled_call_is_partial(
    async_client: openai.AsyncOpenAI, provider: FakeProvider, async_audit: AsyncAuditMemory
) -> None:
    arrived = asyncio.Event()

    async def slow(*_: Any, **__: Any) -> None:
        arrived.set()
        await asyncio.Event().wait()

    async_client._client.send = slow  # type: ignore[method-assign, assignment]
    call = asyncio.create_task(async_client.embeddings.create(model="m", input="x"))
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert checked(async_audit.event)["outcome"] == "PARTIAL"


async def test_an_awaited_error_and_raw_and_streaming_responses_are_recorded(
    async_client: openai.AsyncOpenAI, provider: FakeProvider, async_audit: AsyncAuditMemory
) -> None:
    provider.answer(REFUSED, chat(), chat())
    completions = async_client.chat.completions

    with pytest.raises(openai.RateLimitError):
        await async_client.with_options(max_retries=0).embeddings.create(model="m", input="x")
    raw = await completions.with_raw_response.create(model="gpt-4o", messages=MESSAGES)  # type: ignore[arg-type]
    assert raw.parse().id == "chatcmpl-1"
    async with completions.with_streaming_response.create(model="gpt-4o", messages=MESSAGES) as held:  # type: ignore[arg-type]
        assert (await held.parse()).id == "chatcmpl-1"

    refused, first, second = map(checked, async_audit.events)
    assert refused["http_status"] == 429
    assert first["usage"] == second["usage"] == CHAT_USAGE


async def test_a_client_that_awaits_records_with_either_kind_of_recorder(
    provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(chat(), chat_stream())
    async with openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="sk-1") as client:
        instrument_openai(client, audit)
        await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)  # type: ignore[arg-type]
        async for _ in await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True):  # type: ignore[arg-type]
            pass

    assert [checked(event)["usage"] for event in audit.events] == [CHAT_USAGE, STREAM_USAGE]
