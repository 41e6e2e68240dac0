"""How each provider's API reports usage, as data: where a count stands, and which total it belongs to.

A count is either inside its total (OpenAI: cached tokens are some of the prompt tokens) or beside it
(Anthropic: input tokens are those that no cache had); a count beside its total is added to it. Sources: the
providers' API references, and the extractors of `genai-prices`, with which the tests compare every row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Count:
    """One number of a usage block.

    Attributes:
        paths: Where it stands: spellings of one thing, of which the first that is not zero counts.
        into: Field of `usage`, or key of `usage.by_modality`.
        beside: Total that it is not part of and is therefore added to.
    """

    paths: tuple[str, ...]
    into: str
    beside: str | None = None


@dataclass(frozen=True, slots=True)
class Modalities:
    """A list of counts by modality, as Google's APIs give it: `[{"modality": "AUDIO", "tokenCount": 7}]`.

    Attributes:
        paths: Where the list stands, in several spellings.
        keys: Keys of `usage.by_modality` that each count is added to, `{}` being the modality.
    """

    paths: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API's form of a response.

    Attributes:
        name: As it is recorded in `usage.overlap`.
        roots: Where the usage block stands, in several places.
        counts: Its numbers.
        modalities: Its lists by modality.
        model, response_id, tier, fingerprint: Where these stand in the response.
        finish: Where the reasons stand: a path, or a list's path, `[]`, and the path in an item.
        total: Where the provider's own sum stands, inside the usage block.
        skipped: Numbers of the block that are not read, and why.
    """

    name: str
    roots: tuple[str, ...]
    counts: tuple[Count, ...]
    modalities: tuple[Modalities, ...] = ()
    model: tuple[str, ...] = ("model",)
    response_id: tuple[str, ...] = ("id",)
    tier: tuple[str, ...] = ("service_tier",)
    fingerprint: tuple[str, ...] = ()
    finish: tuple[str, ...] = ()
    total: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


def snake(path: str) -> str:
    """Return a path in snake_case, as the objects of Google's package have it."""
    return re.sub("(?<=[a-z0-9])[A-Z]", lambda letter: f"_{letter[0].lower()}", path)


def _google(*paths: str) -> tuple[str, ...]:
    """Return paths in both spellings: as the JSON of the API has them, and as the package has them."""
    return tuple(spelling for path in paths for spelling in dict.fromkeys((path, snake(path))))


_PREDICTION = "part of completion_tokens and charged as such"

CHAT = Dialect(
    name="openai.chat",
    roots=("usage", "x_groq.usage", "result.usage"),
    counts=(
        Count(("prompt_tokens",), "input_tokens"),
        Count(
            (
                "prompt_tokens_details.cached_tokens",
                "cached_tokens",  # Moonshot, Anthropic's compatible endpoint
                "num_cached_tokens",  # Mistral
                "prompt_cache_hit_tokens",  # DeepSeek
                "cache_read_input_tokens",  # Databricks, LiteLLM
                "cached_prompt_text_tokens",  # xAI's older form
            ),
            "cache_read_tokens",
        ),
        Count(
            ("prompt_tokens_details.cache_write_tokens", "cache_creation_input_tokens"), "cache_write_tokens"
        ),
        Count(("completion_tokens",), "output_tokens"),
        Count(("completion_tokens_details.reasoning_tokens", "reasoning_tokens"), "reasoning_tokens"),
        Count(("prompt_tokens_details.text_tokens",), "text.input"),
        Count(("prompt_tokens_details.audio_tokens",), "audio.input"),
        Count(("prompt_tokens_details.image_tokens",), "image.input"),
        Count(("prompt_tokens_details.video_tokens",), "video.input"),
        Count(("completion_tokens_details.text_tokens",), "text.output"),
        Count(("completion_tokens_details.audio_tokens",), "audio.output"),
        Count(("completion_tokens_details.image_tokens",), "image.output"),
        Count(("citation_tokens",), "output_citation_tokens", beside="output_tokens"),  # Perplexity
        Count(("num_search_queries",), "web_searches"),  # Perplexity
    ),
    model=("model", "result.model"),
    fingerprint=("system_fingerprint",),
    finish=("choices[].finish_reason",),
    total=("total_tokens",),
    skipped=(
        ("completion_tokens_details.accepted_prediction_tokens", _PREDICTION),
        ("completion_tokens_details.rejected_prediction_tokens", _PREDICTION),
        ("prompt_cache_miss_tokens", "prompt_tokens less prompt_cache_hit_tokens"),
        ("cost", "money is the record's to reckon, from its own price book"),
        ("queue_time", "a time; the event has its own duration"),
    ),
)
"""Chat completions, completions and embeddings of OpenAI, and of the many that speak its form."""

RESPONSES = Dialect(
    name="openai.responses",
    roots=("usage", "response.usage"),
    counts=(
        Count(("input_tokens",), "input_tokens"),
        Count(
            (
                "input_tokens_details.cached_tokens",
                "input_token_details.cached_tokens",  # realtime
                "input_tokens_details.cache_read_input_tokens",  # Perplexity
            ),
            "cache_read_tokens",
        ),
        Count(("input_tokens_details.cache_write_tokens",), "cache_write_tokens"),
        Count(("output_tokens",), "output_tokens"),
        Count(
            ("output_tokens_details.reasoning_tokens", "output_token_details.reasoning_tokens"),
            "reasoning_tokens",
        ),
        Count(("input_tokens_details.text_tokens", "input_token_details.text_tokens"), "text.input"),
        Count(("input_tokens_details.audio_tokens", "input_token_details.audio_tokens"), "audio.input"),
        Count(("input_tokens_details.image_tokens", "input_token_details.image_tokens"), "image.input"),
        Count(("output_tokens_details.text_tokens", "output_token_details.text_tokens"), "text.output"),
        Count(("output_tokens_details.audio_tokens", "output_token_details.audio_tokens"), "audio.output"),
        Count(("output_tokens_details.image_tokens", "output_token_details.image_tokens"), "image.output"),
        Count(("input_token_details.cached_tokens_details.text_tokens",), "text.cache_read"),
        Count(("input_token_details.cached_tokens_details.audio_tokens",), "audio.cache_read"),
        Count(("input_token_details.cached_tokens_details.image_tokens",), "image.cache_read"),
        Count(("tool_calls_details.search_web.invocation",), "web_searches"),  # Perplexity
        Count(("seconds",), "audio_seconds"),  # transcriptions charged by duration
    ),
    model=("model", "response.model"),
    response_id=("id", "response.id"),
    tier=("service_tier", "response.service_tier"),
    finish=("incomplete_details.reason", "status", "response.status"),
    total=("total_tokens",),
)
"""OpenAI's responses, images, transcriptions and realtime answers."""

ANTHROPIC = Dialect(
    name="anthropic.messages",
    roots=("usage",),
    counts=(
        Count(("input_tokens",), "input_tokens"),
        Count(("cache_read_input_tokens",), "cache_read_tokens", beside="input_tokens"),
        Count(("cache_creation_input_tokens",), "cache_write_tokens", beside="input_tokens"),
        Count(("output_tokens",), "output_tokens"),
        Count(("output_tokens_details.thinking_tokens",), "reasoning_tokens"),
        Count(("cache_creation.ephemeral_5m_input_tokens",), "cache_write_5m_tokens"),
        Count(("cache_creation.ephemeral_1h_input_tokens",), "cache_write_1h_tokens"),
        Count(("server_tool_use.web_search_requests",), "web_searches"),
    ),
    tier=("usage.service_tier", "service_tier"),
    finish=("stop_reason",),
    skipped=(
        ("server_tool_use.web_fetch_requests", "not charged"),
        (
            "iterations",
            "its `message` items are in the totals; `compaction` items are added, others are noted",
        ),
    ),
)
"""Anthropic's messages: at Anthropic, and as InvokeModel of Bedrock and Vertex AI give them."""

GEMINI = Dialect(
    name="gemini.generate_content",
    roots=_google("usageMetadata"),
    counts=(
        Count(_google("promptTokenCount"), "input_tokens"),
        Count(_google("toolUsePromptTokenCount"), "input_tool_tokens", beside="input_tokens"),
        Count(_google("cachedContentTokenCount"), "cache_read_tokens"),
        Count(_google("candidatesTokenCount", "responseTokenCount"), "output_tokens"),
        Count(_google("thoughtsTokenCount"), "reasoning_tokens", beside="output_tokens"),
    ),
    modalities=(
        Modalities(_google("promptTokensDetails", "promptTokenDetails"), ("{}.input",)),
        Modalities(_google("cacheTokensDetails"), ("{}.cache_read",)),
        Modalities(_google("candidatesTokensDetails", "responseTokensDetails"), ("{}.output",)),
        Modalities(_google("toolUsePromptTokensDetails"), ("{}.input", "input_{}_tool_tokens")),
    ),
    model=_google("modelVersion", "model"),
    response_id=_google("responseId"),
    tier=_google("usageMetadata.serviceTier", "usageMetadata.trafficType"),
    finish=_google("candidates[].finishReason"),
    total=_google("totalTokenCount"),
)
"""Google's generateContent, embedContent and live answers, as JSON and as its package's objects."""

CONVERSE = Dialect(
    name="bedrock.converse",
    roots=("usage",),
    counts=(
        Count(("inputTokens",), "input_tokens"),
        Count(
            ("cacheReadInputTokens", "cacheReadInputTokenCount"), "cache_read_tokens", beside="input_tokens"
        ),
        Count(
            ("cacheWriteInputTokens", "cacheWriteInputTokenCount"),
            "cache_write_tokens",
            beside="input_tokens",
        ),
        Count(("outputTokens",), "output_tokens"),
    ),
    model=("trace.promptRouter.invokedModelId",),
    response_id=("ResponseMetadata.RequestId",),
    tier=("serviceTier.type",),
    finish=("stopReason",),
    total=("totalTokens",),
)
"""Bedrock's Converse."""

INVOKE = Dialect(
    name="bedrock.invoke",
    roots=("ResponseMetadata.HTTPHeaders",),
    counts=(
        Count(("x-amzn-bedrock-input-token-count",), "input_tokens"),
        Count(("x-amzn-bedrock-cache-read-input-token-count",), "cache_read_tokens", beside="input_tokens"),
        Count(("x-amzn-bedrock-cache-write-input-token-count",), "cache_write_tokens", beside="input_tokens"),
        Count(("x-amzn-bedrock-output-token-count",), "output_tokens"),
    ),
    model=(),
    response_id=("ResponseMetadata.RequestId",),
    tier=("ResponseMetadata.HTTPHeaders.x-amzn-bedrock-service-tier",),
)
"""Headers of Bedrock's InvokeModel: the body of boto3's answer is a stream that is not ours to read."""

COHERE = Dialect(
    name="cohere.chat",
    roots=("usage", "meta"),
    counts=(
        Count(("billed_units.input_tokens",), "input_tokens"),
        Count(("billed_units.output_tokens",), "output_tokens"),
    ),
    finish=("finish_reason",),
    skipped=(
        ("tokens", "tokens used; those billed win, and leave out what Cohere puts around the prompt"),
        ("cached_tokens", "of the tokens used, of which those billed are fewer"),
    ),
)
"""Cohere's chat and embed, by the units that it bills."""

LANGCHAIN = Dialect(
    name="langchain.usage_metadata",
    roots=("usage_metadata",),
    counts=(
        Count(("input_tokens",), "input_tokens"),
        Count(("input_token_details.cache_read",), "cache_read_tokens"),
        Count(("input_token_details.cache_creation",), "cache_write_tokens"),
        Count(("output_tokens",), "output_tokens"),
        Count(("output_token_details.reasoning",), "reasoning_tokens"),
        Count(("input_token_details.audio",), "audio.input"),
        Count(("output_token_details.audio",), "audio.output"),
    ),
    model=("response_metadata.model_name", "response_metadata.model"),
    response_id=("response_metadata.id", "id"),
    tier=("response_metadata.service_tier",),
    fingerprint=("response_metadata.system_fingerprint",),
    finish=("response_metadata.finish_reason", "response_metadata.stop_reason"),
    total=("total_tokens",),
)
"""A message of LangChain, which has made one form of all providers' already."""

DIALECTS = (CHAT, RESPONSES, ANTHROPIC, GEMINI, CONVERSE, INVOKE, COHERE, LANGCHAIN)

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


class Reasoning(Enum):
    """Where a provider that speaks OpenAI's form has its reasoning tokens."""

    INSIDE = "inside completion_tokens"
    BESIDE = "`reasoning_tokens` beside completion_tokens"
    BY_TOTAL = "beside completion_tokens, unless total_tokens says inside"


REASONING_OF = {"x-ai": Reasoning.BY_TOTAL, "x_ai": Reasoning.BY_TOTAL, "perplexity": Reasoning.BESIDE}
"""Providers that differ from OpenAI. xAI's total includes the reasoning beside it; Perplexity's does not."""

MODALITY_OF = {"TEXT": "text", "AUDIO": "audio", "IMAGE": "image", "DOCUMENT": "image", "VIDEO": "video"}
"""Google's words; pages of a document are charged as images."""
