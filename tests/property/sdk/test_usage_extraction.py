"""The SDK's extraction against the catalogue's, on generated bodies; and on anything at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import Provider
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream_sdk.usage import StreamFacts, read_response
from schemas import contract
from schemas.intake import datum_of
from tests.support.examples import examples
from tests.support.recorded_usage import catalogue_counts

counts = st.integers(0, 10**6)


@st.composite
def split(draw: st.DrawFn, parts: int) -> tuple[int, ...]:
    """A total and parts that together are not more."""
    shares = [draw(counts) for _ in range(parts)]
    return sum(shares) + draw(counts), *shares


@st.composite
def chat(draw: st.DrawFn) -> dict[str, Any]:
    read, written, (output, reasoning, audio) = draw(counts), draw(counts), draw(split(2))
    prompt = read + written + draw(counts)
    details = {
        "cached_tokens": read,
        "cache_write_tokens": written,
        "audio_tokens": draw(st.integers(0, prompt)),
    }
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": audio},
    }
    return {"model": "gpt-4o", "usage": usage}


@st.composite
def reasoning_beside(draw: st.DrawFn) -> dict[str, Any]:
    prompt, cached = draw(split(1))
    output, reasoning = draw(counts), draw(counts)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output + reasoning,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    return {"model": "grok-4", "usage": usage}


@st.composite
def sonar(draw: st.DrawFn) -> dict[str, Any]:
    prompt, output = draw(counts), draw(counts)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "reasoning_tokens": draw(counts),
        "citation_tokens": draw(counts),
        "num_search_queries": draw(counts),
    }
    return {"model": "sonar-deep-research", "usage": usage}


@st.composite
def responses(draw: st.DrawFn) -> dict[str, Any]:
    (given_tokens, read, written), (output, reasoning) = draw(split(2)), draw(split(1))
    usage = {
        "input_tokens": given_tokens,
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": given_tokens + output,
    }
    return {"model": "gpt-5", "object": "response", "usage": usage}


@st.composite
def realtime(draw: st.DrawFn) -> dict[str, Any]:
    (whole, text, audio, image), (output, said, spoken) = draw(split(3)), draw(split(2))
    cached = [draw(st.integers(0, part)) for part in (text, audio, image)]
    names = ("text_tokens", "audio_tokens", "image_tokens")
    details = {
        **dict(zip(names, (text, audio, image), strict=True)),
        "cached_tokens": sum(cached),
        "cached_tokens_details": dict(zip(names, cached, strict=True)),
    }
    usage = {
        "input_tokens": whole,
        "input_token_details": details,
        "output_tokens": output,
        "output_token_details": {"text_tokens": said, "audio_tokens": spoken},
    }
    return {"type": "response.done", "response": {"usage": usage}}


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    (written, short, long), (output, thinking) = draw(split(2)), draw(split(1))
    usage = {
        "input_tokens": draw(counts),
        "cache_read_input_tokens": draw(counts),
        "cache_creation_input_tokens": written,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "server_tool_use": {"web_search_requests": draw(counts)},
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": thinking},
    }
    return {"model": "claude-sonnet-4-5", "type": "message", "usage": usage}


@st.composite
def converse(draw: st.DrawFn) -> dict[str, Any]:
    written, short = draw(split(1))
    usage = {
        "inputTokens": draw(counts),
        "outputTokens": draw(counts),
        "cacheReadInputTokens": draw(counts),
        "cacheWriteInputTokens": written,
        "cacheDetails": [{"ttl": "5m", "inputTokens": short}, {"ttl": "1h", "inputTokens": written - short}],
    }
    return {"stopReason": "end_turn", "usage": usage}


@st.composite
def generate_content(draw: st.DrawFn) -> dict[str, Any]:
    def by_modality(*shares: int) -> list[dict[str, Any]]:
        names = ("TEXT", "AUDIO", "IMAGE", "VIDEO")
        return [{"modality": name, "tokenCount": share} for name, share in zip(names, shares, strict=False)]

    prompt, tools, answer = draw(split(4)), draw(split(1)), draw(split(2))
    cached = [draw(st.integers(0, share)) for share in prompt[1:]]
    usage = {
        "promptTokenCount": prompt[0],
        "promptTokensDetails": by_modality(*prompt[1:]),
        "cachedContentTokenCount": sum(cached),
        "cacheTokensDetails": by_modality(*cached),
        "toolUsePromptTokenCount": tools[0],
        "toolUsePromptTokensDetails": by_modality(*tools[1:]),
        "candidatesTokenCount": answer[0],
        "candidatesTokensDetails": by_modality(*answer[1:]),
        "thoughtsTokenCount": draw(counts),
    }
    return {"modelVersion": "gemini-2.5-pro", "usageMetadata": usage}


@pytest.fixture(scope="module")
def catalogue() -> dict[str, Provider]:
    """The catalogue's providers by id; loading them takes most of a second."""
    return {provider.id: provider for provider in get_snapshot().providers}


@pytest.mark.parametrize(
    ("bodies", "provider", "flavor"),
    [
        (chat, "openrouter", "chat"),
        (reasoning_beside, "x-ai", "chat"),
        (sonar, "perplexity", "default"),
        (responses, "openai", "responses"),
        (realtime, "openai", "realtime"),
        (messages, "anthropic", "default"),
        (converse, "aws", "default"),
        (generate_content, "google", "default"),
    ],
)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_generated_bodies_are_read_as_the_catalogue_reads_them(
    catalogue: dict[str, Provider],
    bodies: Callable[[], st.SearchStrategy[dict[str, Any]]],
    provider: str,
    flavor: str,
    data: st.DataObject,
) -> None:
    body = data.draw(bodies())
    _, usage = catalogue[provider].extract_usage(body, api_flavor=flavor)
    theirs = {key: count for key, count in vars(usage).items() if count}

    facts = read_response(body, provider=provider)

    assert catalogue_counts(facts.usage) == theirs
    assert facts.notes == ()


NAMES = [
    "usage",
    "prompt_tokens",
    "input_tokens",
    "output_tokens",
    "completion_tokens",
    "cache_read_input_tokens",
    "usageMetadata",
    "promptTokenCount",
    "promptTokensDetails",
    "modality",
    "tokenCount",
    "choices",
    "type",
    "response",
    "finish_reason",
    "iterations",
    "id",
    "model",
    "total_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "completion_tokens_details",
    "reasoning_tokens",
    "billed_units",
    "error",
    "candidates",
    "inputTokens",
    "cacheWriteInputTokens",
    "status",
    "stop_reason",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.integers(0, 9)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=examples(100), deadline=None)
@given(values, st.sampled_from([None, "x-ai", "perplexity", "openai"]))
def test_whatever_a_body_is_what_is_read_of_it_keeps_the_contract(body: Any, provider: str | None) -> None:
    facts = read_response(body, provider=provider)

    family = {"provider": "openai", "operation": "chat", **facts.family()}
    event = {
        "event_id": "0190163d-8694-739b-aea5-966c26f8ad91",
        "event_type": "ai.inference",
        "event_time": "2026-01-01T12:00:00Z",
        "observed_time": "2026-01-01T12:00:00Z",
        "source": "svc://test",
        "tenant_id": "acme",
        "inference": family,
        "usage": facts.usage.fields(),
        "attributes": facts.attributes(),
    }
    contract.check(datum_of(event, "audit_event"))


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(values, max_size=6), st.booleans())
def test_whatever_a_stream_yields_it_never_raises(pieces: list[Any], exhausted: bool) -> None:
    stream = StreamFacts()
    for piece in pieces:
        stream.feed(piece)

    assert stream.facts(exhausted=exhausted).complete in {True, False}
