from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditstream.core.errors import RequestError
from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.pricing.request import PriceRequest, load_object, parse

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GOOD: dict[str, Any] = {"provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 5}}
ANSWER = {"model": "gpt-4o-2024-08-06", "usage": {"prompt_tokens": 5, "completion_tokens": 2}}


def asked(document: dict[str, Any]) -> PriceRequest:
    return parse(document, bundled_catalogue(), now=NOW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"provider": None}, "provider"),
        ({"provider": " "}, "provider"),
        ({"provider": 7}, "provider"),
        ({"model": None}, "model"),
        ({"modle": "x"}, "modle"),
        ({"usage": None}, "usage"),
        ({"usage": [1]}, "usage"),
        ({"usage": {"input_tokns": 5}}, "usage.input_tokns"),
        ({"usage": {"prompt_tokens": 5}}, "usage.prompt_tokens"),
        ({"usage": {"requests": 5}}, "usage.requests"),
        ({"usage": {"input_tokens": -1}}, "usage.input_tokens"),
        ({"usage": {"input_tokens": 1.5}}, "usage.input_tokens"),
        ({"usage": {"input_tokens": "5"}}, "usage.input_tokens"),
        ({"usage": {"input_tokens": True}}, "usage.input_tokens"),
        ({"usage": {"input_tokens": 10**16}}, "usage.input_tokens"),
        ({"usage": {"by_modality": 5}}, "usage.by_modality"),
        ({"usage": {"by_modality": {"audio.inputs": 5}}}, "usage.by_modality.audio.inputs"),
        ({"usage": {"reasoning_tokens": 1, "output_reasoning_tokens": 1}}, "usage.output_reasoning_tokens"),
        ({"tier": "bach"}, "tier"),
        ({"tier": ""}, "tier"),
        ({"at": "yesterday"}, "at"),
        ({"at": "1999-12-31T23:59:59Z"}, "at"),
        ({"at": 5}, "at"),
        ({"flavor": "chta"}, "flavor"),
        ({"response": ANSWER}, "usage"),
        ({"response": [], "usage": ...}, "response"),
        ({"response": {"model": "gpt-4o"}, "usage": ...}, "response"),
        ({"response": ANSWER, "usage": ..., "flavor": "chta"}, "flavor"),
        ({"response": ANSWER, "usage": ..., "provider": "nobody"}, "provider"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    document = {name: value for name, value in (GOOD | changes).items() if value is not ...}

    with pytest.raises(RequestError) as caught:
        asked(document)

    assert caught.value.context["field"] == field
    assert caught.value.message.startswith(f"{field}: ")
    assert caught.value.exit_code == 2


def test_a_near_miss_is_answered_with_the_key_that_was_meant() -> None:
    with pytest.raises(RequestError, match="did you mean cache_read_tokens"):
        asked(GOOD | {"usage": {"cache_reads_tokens": 1}})


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2025-05-01", datetime(2025, 5, 1, tzinfo=UTC)),
        ("2025-05-01T12:00:00Z", datetime(2025, 5, 1, 12, tzinfo=UTC)),
        ("2025-05-01T12:00:00+02:00", datetime(2025, 5, 1, 10, tzinfo=UTC)),
        (None, NOW),
    ],
)
def test_a_time_is_utc_unless_it_says_otherwise(text: str | None, at: datetime) -> None:
    assert asked(GOOD | {"at": text}).at == at


def test_all_spellings_of_a_count_go_to_the_same_place() -> None:
    counts = {
        "input_tokens": 9,
        "output_reasoning_tokens": 2,
        "web_searches": 1,
        "by_modality": {"audio.input": 3},
    }

    usage = asked(GOOD | {"usage": counts | {"output_tokens": None}}).usage

    assert usage == {
        "input_tokens": 9, "reasoning_tokens": 2, "by_modality": {"web_searches": 1, "input_audio_tokens": 3},
    }  # fmt: skip


def test_a_response_names_the_served_model_and_tier() -> None:
    request = asked({"provider": "openai", "model": "gpt-4o", "response": ANSWER | {"service_tier": "flex"}})

    assert (request.served, request.model, request.tier) == ("gpt-4o-2024-08-06", "gpt-4o", "flex")
    assert asked({"provider": "openai", "response": ANSWER, "tier": "batch"}).tier == "batch"


def test_a_tier_that_only_a_response_names_is_not_an_error() -> None:
    assert asked({"provider": "openai", "response": ANSWER | {"service_tier": "scale"}}).tier == "scale"


def test_a_tier_beside_the_usage_of_an_answer_is_read() -> None:
    body = {
        "model": "claude-sonnet-4-5",
        "usage": {"input_tokens": 3, "output_tokens": 1, "service_tier": "batch"},
    }

    assert asked({"provider": "anthropic", "response": body}).tier == "batch"


@pytest.mark.parametrize("text", ["", "[1]", "7", '{"a": 1, "a": 2}', '{"a": NaN}', '{"a": ', "[" * 100_000])
def test_text_that_is_not_one_plain_object_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"^line: is not"):
        load_object(text, "line")


def test_the_kind_of_response_may_stand_beside_counts_and_changes_nothing() -> None:
    plain = {"provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 5}}

    assert asked(plain | {"api_flavor": "chat"}) == asked(plain)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"api_flavor": "chatt"}, "flavor", "chat"),
        ({"api_flavor": "chat", "flavor": "responses"}, "api_flavor", "responses"),
        ({"region": "mistral/ue"}, "region", "mistral/eu"),
        ({"regoin": "eu"}, "regoin", "region"),
        ({"tier": "bach"}, "tier", "batch"),
        ({"usage": {"inptu_tokens": 1}}, "usage.inptu_tokens", "input_tokens"),
        (
            {"usage": {"by_modality": {"audoi.input": 1}}},
            "usage.by_modality.audoi.input",
            "audio.input",
        ),
    ],
)
def test_a_misspelt_key_is_named_with_what_is_known(changes: dict[str, Any], field: str, words: str) -> None:
    plain = {"provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 5}}

    with pytest.raises(RequestError) as error:
        asked(plain | changes)

    assert error.value.context["field"] == field
    assert words in error.value.message


def test_a_tenant_that_nobody_knows_is_misspelt() -> None:
    document = {"provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 5}, "tenant": "acmee"}

    with pytest.raises(RequestError, match="did you mean acme"):
        parse(document, bundled_catalogue(), now=NOW, tenants=frozenset({"acme"}))
    assert parse(document, bundled_catalogue(), now=NOW).tenant == "acmee"
