"""The real `anthropic` package against a provider on a socket: what is recorded, and what its caller sees."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from auditstream_sdk.integrations.anthropic import instrument_anthropic, uninstrument_anthropic
from tests.support.audit_memory import AsyncAuditMemory, AuditMemory
from tests.support.fake_anthropic_answers import MODEL, OVERLOADED, message, message_events, message_stream
from tests.support.fake_providers import SECRET, Answer, FakeProvider
from tests.support.late_modules import LateModule
from tests.support.published import checked

anthropic: Any = LateModule("anthropic")

MESSAGES: Any = [{"role": "user", "content": SECRET}]
USAGE = {
    "input_tokens": 1312,
    "cache_read_tokens": 1000,
    "cache_write_tokens": 300,
    "output_tokens": 57,
    "by_modality": {"cache_write_5m_tokens": 300},
    "source": "PROVIDER",
}
STREAM_USAGE = {**USAGE, "output_tokens": 83}
OVERLAP = (
    "anthropic.messages: cache_read_tokens beside input_tokens, cache_write_tokens beside input_tokens, added"
)


@pytest.fixture
def client(provider: FakeProvider, audit: AuditMemory) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=provider.url, api_key="sk-1") as made:
        yield instrument_anthropic(made, audit)


@pytest.fixture
async def async_client(
    provider: FakeProvider, async_audit: AsyncAuditMemory
) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=provider.url, api_key="sk-1") as made:
        yield instrument_anthropic(made, async_audit)


def create(client: Any, **more: Any) -> Any:
    return client.messages.create(model="claude-sonnet-5", max_tokens=64, messages=MESSAGES, **more)


def test_a_message_is_one_event_with_cached_tokens_added_to_its_input(
    client: anthropic.Anthropic, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(message())

    answered = create(client, system="be short", extra_body={"temperature": 0.25, "top_k": 5})

    assert isinstance(answered, anthropic.types.Message)
    event = checked(audit.event)
    assert event["usage"] == USAGE
    assert event["inference"] == {
        "operation": "chat",
        "provider": "anthropic",
        "server_host": "127.0.0.1",
        "stream": False,
        "request_model": "claude-sonnet-5",
        "response_model": MODEL,
        "response_id": "msg_1",
        "finish_reasons": ["end_turn"],
        "service_tier": "standard",
        "max_tokens": 64,
        "temperature": 0.25,
        "top_k": 5,
    }
    assert event["attributes"] == {"usage.overlap": OVERLAP}
    assert event["content_bytes"] == len(SECRET) + len("be short")


def test_streams_of_both_kinds_are_recorded_when_they_were_read(
    client: anthropic.Anthropic, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(message_stream(), message_stream())

    stream = create(client, stream=True)
    assert isinstance(stream, anthropic.Stream)
    assert [event.type for event in stream] == [event["type"] for event in message_events()]
    with client.messages.stream(model="claude-sonnet-5", max_tokens=64, messages=MESSAGES) as helper:
        assert "".join(helper.text_stream) == SECRET
        assert helper.get_final_message().usage.output_tokens == 83

    first, second = map(checked, audit.events)
    assert first["usage"] == second["usage"] == STREAM_USAGE
    assert first["inference"]["stream"] is second["inference"]["stream"] is True


def test_a_stream_that_is_closed_early_has_its_input_and_no_output(
    client: anthropic.Anthropic, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(message_stream(), message_stream())

    with create(client, stream=True) as stream:
        next(stream)
    with client.messages.stream(model="claude-sonnet-5", max_tokens=64, messages=MESSAGES) as helper:
        next(iter(helper))

    for event in map(checked, audit.events):
        assert event["outcome"] == "PARTIAL"
        assert event["usage"]["input_tokens"] == 1312
        assert "output_tokens" not in event["usage"]
    assert len(audit.events) == 2


def test_an_error_in_the_middle_of_a_stream_is_a_failure_with_the_input_that_was_counted(
    client: anthropic.Anthropic, provider: FakeProvider, audit: AuditMemory
) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": SECRET}}
    provider.answer(Answer(events=(message_events()[0], error)))

    with pytest.raises(anthropic.APIStatusError):
        list(create(client, stream=True))

    event = checked(audit.event)
    assert event["outcome"] == "FAILURE"
    assert event["error_type"].startswith("anthropic.")
    assert event["usage"]["input_tokens"] == 1312


def test_retries_are_inside_of_one_event_and_errors_are_the_callers(
    client: anthropic.Anthropic, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(OVERLOADED, message(), OVERLOADED)

    create(client)
    with pytest.raises(anthropic.APIStatusError, match=SECRET):
        create(client.with_options(max_retries=0))

    retried, failed = map(checked, audit.events)
    assert len(provider.requests) == 3
    assert retried["outcome"] == "SUCCESS"
    assert (failed["outcome"], failed["http_status"]) == ("FAILURE", 529)


def test_beta_and_raw_responses_are_recorded_and_counting_tokens_is_not(
    client: anthropic.Anthropic, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(message(), message(), Answer({"input_tokens": 7}))

    client.beta.messages.create(model="claude-sonnet-5", max_tokens=64, messages=MESSAGES)
    raw = client.messages.with_raw_response.create(model="claude-sonnet-5", max_tokens=64, messages=MESSAGES)
    assert raw.parse().id == "msg_1"
    client.messages.count_tokens(model="claude-sonnet-5", messages=MESSAGES)

    assert [checked(event)["usage"] for event in audit.events] == [USAGE, USAGE]


def test_a_client_for_bedrock_is_recorded_as_bedrocks(provider: FakeProvider, audit: AuditMemory) -> None:
    provider.answer(message())
    bedrock = anthropic.AnthropicBedrock(
        base_url=provider.url, aws_access_key="k", aws_secret_key="s", aws_region="eu-west-1"
    )
    with instrument_anthropic(bedrock, audit, provider="aws.bedrock") as client:
        create(client)

    event = checked(audit.event)
    assert event["inference"]["provider"] == "aws.bedrock"
    assert event["usage"] == USAGE
    assert provider.requests[0][0].startswith("/model/")


def test_a_client_records_no_more_when_told_and_other_clients_are_refused(
    client: anthropic.Anthropic, provider: FakeProvider, audit: AuditMemory
) -> None:
    provider.answer(message())

    uninstrument_anthropic(client)
    create(client)

    assert audit.events == []
    with pytest.raises(TypeError, match=r"^client: expected Anthropic or AsyncAnthropic, got object$"):
        instrument_anthropic(object(), audit)


async def test_what_is_awaited_is_recorded_the_same_way(
    async_client: anthropic.AsyncAnthropic, provider: FakeProvider, async_audit: AsyncAuditMemory
) -> None:
    provider.answer(message(), message_stream(), message_stream(), OVERLOADED)
    request: Any = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": MESSAGES}

    await async_client.messages.create(**request)
    async for _ in await async_client.messages.create(**request, stream=True):
        pass
    async with async_client.messages.stream(**request) as helper:
        assert (await helper.get_final_message()).usage.output_tokens == 83
    with pytest.raises(anthropic.APIStatusError):
        await async_client.with_options(max_retries=0).messages.create(**request)

    whole, streamed, helped, failed = map(checked, async_audit.events)
    assert whole["usage"] == USAGE
    assert streamed["usage"] == helped["usage"] == STREAM_USAGE
    assert failed["http_status"] == 529
