"""Packages without a wrapper of ours: their real objects, given to `call.response` and to `StreamFacts`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditstream_sdk.usage import StreamFacts, fill, read_response
from tests.support import fake_anthropic_answers as anthropic
from tests.support.audit_memory import AuditMemory
from tests.support.fake_providers import SECRET, Answer, FakeProvider
from tests.support.late_modules import LateModule
from tests.support.published import checked

boto3: Any = LateModule("boto3")
config: Any = LateModule("botocore.config")
genai: Any = LateModule("google.genai")

GEMINI_USAGE = {
    "promptTokenCount": 100,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}, {"modality": "AUDIO", "tokenCount": 60}],
    "cachedContentTokenCount": 20,
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
    "toolUsePromptTokenCount": 7,
    "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
    "candidatesTokenCount": 9,
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
    "thoughtsTokenCount": 30,
    "totalTokenCount": 146,
    "trafficType": "ON_DEMAND",
}
USAGE = {
    "input_tokens": 107,
    "cache_read_tokens": 20,
    "output_tokens": 39,
    "reasoning_tokens": 30,
    "by_modality": {
        "input_tool_tokens": 7,
        "text.input": 47,
        "audio.input": 60,
        "text.cache_read": 20,
        "input_text_tool_tokens": 7,
        "text.output": 9,
    },
    "source": "PROVIDER",
}


def gemini_body(**usage: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": SECRET}]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage or GEMINI_USAGE,
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r-1",
    }


@pytest.fixture
def gemini(provider: FakeProvider) -> genai.Client:
    return genai.Client(api_key="k", http_options={"base_url": provider.url})  # type: ignore[arg-type]


@pytest.fixture
def bedrock(provider: FakeProvider) -> Any:
    quick = config.Config(retries={"total_max_attempts": 1})
    return boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=provider.url,
        aws_access_key_id="k",
        aws_secret_access_key="s",
        config=quick,
    )


def test_googles_object_is_read_as_its_json_is(
    provider: FakeProvider, audit: AuditMemory, gemini: genai.Client
) -> None:
    provider.answer(Answer(gemini_body()))

    with audit.inference(provider="gcp.gemini", request_model="gemini-2.5-flash", operation="chat") as call:
        answered = gemini.models.generate_content(model="gemini-2.5-flash", contents="hello")
        call.response(answered)

    event = checked(audit.event)
    assert event["usage"] == USAGE
    assert event["inference"]["response_model"] == "gemini-2.5-flash"
    assert event["inference"]["response_id"] == "r-1"
    assert event["inference"]["finish_reasons"] == ["STOP"]
    assert event["inference"]["service_tier"] == "ON_DEMAND"
    assert event["attributes"]["usage.overlap"] == (
        "gemini.generate_content: input_tool_tokens beside input_tokens, "
        "reasoning_tokens beside output_tokens, added"
    )
    assert read_response(gemini_body()) == read_response(answered)


def test_googles_stream_is_read_by_its_last_counts(
    provider: FakeProvider, audit: AuditMemory, gemini: genai.Client
) -> None:
    first = {"promptTokenCount": 100, "candidatesTokenCount": 2, "totalTokenCount": 102}
    provider.answer(Answer(events=(gemini_body(**first), gemini_body())))

    with audit.inference(provider="gcp.gemini", request_model="gemini-2.5-flash", operation="chat") as call:
        stream = StreamFacts(provider="gcp.gemini")
        for piece in gemini.models.generate_content_stream(model="gemini-2.5-flash", contents="hello"):
            stream.feed(piece)
        fill(call, stream.facts(exhausted=True))

    event = checked(audit.event)
    assert event["usage"] == USAGE
    assert (event["inference"]["response_id"], event["inference"]["finish_reasons"]) == ("r-1", ["STOP"])


def test_converses_answer_has_cached_tokens_beside_its_input(
    provider: FakeProvider, audit: AuditMemory, bedrock: Any
) -> None:
    usage = {
        "inputTokens": 3,
        "outputTokens": 8,
        "totalTokens": 2365,
        "cacheReadInputTokens": 280,
        "cacheWriteInputTokens": 2074,
    }
    message = {"role": "assistant", "content": [{"text": SECRET}]}
    body = {
        "output": {"message": message},
        "stopReason": "end_turn",
        "usage": usage,
        "metrics": {"latencyMs": 1},
    }
    provider.answer(Answer(body, headers={"x-amzn-requestid": "q-1"}))

    with audit.inference(provider="aws.bedrock", request_model="m", operation="chat") as call:
        asked = [{"role": "user", "content": [{"text": SECRET}]}]
        call.response(bedrock.converse(modelId="m", messages=asked))

    event = checked(audit.event)
    assert event["usage"] == {
        "input_tokens": 2357,
        "cache_read_tokens": 280,
        "cache_write_tokens": 2074,
        "output_tokens": 8,
        "source": "PROVIDER",
    }
    assert event["inference"]["response_id"] == "q-1"
    assert event["inference"]["finish_reasons"] == ["end_turn"]


def test_invoke_models_answer_is_read_from_its_headers_and_its_body_is_left_to_its_caller(
    provider: FakeProvider, audit: AuditMemory, bedrock: Any
) -> None:
    headers = {
        "x-amzn-requestid": "q-2",
        "X-Amzn-Bedrock-Input-Token-Count": "12",
        "X-Amzn-Bedrock-Output-Token-Count": "57",
        "X-Amzn-Bedrock-Cache-Read-Input-Token-Count": "1000",
        "X-Amzn-Bedrock-Cache-Write-Input-Token-Count": "300",
    }
    provider.answer(Answer(anthropic.body(), headers=headers))

    with audit.inference(provider="aws.bedrock", request_model="m", operation="chat") as call:
        answered = bedrock.invoke_model(modelId="m", body=b"{}")
        call.response(answered)
    body = json.loads(answered["body"].read())

    event = checked(audit.event)
    whole = read_response(body).usage
    assert (event["usage"]["input_tokens"], event["usage"]["output_tokens"]) == (1312, 57)
    assert (whole.input_tokens, whole.output_tokens) == (1312, 57)
    assert event["inference"]["response_id"] == "q-2"
