"""Whole responses: what the forms leave open, what is odd, and objects in place of JSON."""

from types import SimpleNamespace

import pytest

from auditstream_sdk.usage import read_response


def chat(**usage):
    return {"object": "chat.completion", "id": "c1", "model": "m", "usage": usage}


def test_reasoning_is_inside_the_output_unless_the_bodys_total_says_beside():
    details = {"completion_tokens_details": {"reasoning_tokens": 30}}

    inside = read_response(chat(prompt_tokens=10, completion_tokens=50, total_tokens=60, **details))
    beside = read_response(chat(prompt_tokens=10, completion_tokens=50, total_tokens=90, **details))

    assert (inside.usage.output_tokens, inside.overlap) == (50, "openai.chat: parts are inside their totals")
    assert (beside.usage.output_tokens, beside.overlap) == (
        80,
        "openai.chat: reasoning_tokens beside output_tokens, added",
    )


def test_more_reasoning_than_output_can_only_be_beside_it():
    facts = read_response(
        chat(prompt_tokens=1, completion_tokens=5, completion_tokens_details={"reasoning_tokens": 8})
    )

    assert (facts.usage.output_tokens, facts.usage.reasoning_tokens) == (13, 8)


def test_without_a_total_xai_has_its_reasoning_beside_the_output():
    body = chat(prompt_tokens=1, completion_tokens=9, completion_tokens_details={"reasoning_tokens": 8})

    assert read_response(body, provider="x-ai").usage.output_tokens == 17
    assert read_response(body, provider="openai").usage.output_tokens == 9


def test_a_proxy_that_passes_on_counts_beside_the_input_is_recognised_by_their_size():
    facts = read_response(chat(prompt_tokens=3, completion_tokens=9, cache_read_input_tokens=500))

    assert (facts.usage.input_tokens, facts.usage.cache_read_tokens) == (503, 500)
    assert "cache_read_tokens beside input_tokens" in facts.overlap


def test_a_part_that_cannot_be_is_left_out_and_named_and_the_totals_stay():
    usage = {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 7}, "output_tokens": 2}

    facts = read_response({"object": "response", "usage": usage})

    assert facts.usage.fields() == {"input_tokens": 5, "output_tokens": 2, "source": "PROVIDER"}
    assert facts.notes == ("cache_read_tokens: 7 is more than input_tokens",)
    assert facts.attributes()["usage.notes"] == "cache_read_tokens: 7 is more than input_tokens"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("many", "is not a whole number"),
        (1.5, "is not a whole number"),
        (True, "is not a whole number"),
        (-1, "is not between 0 and 1000000000000"),
        (10**12 + 1, "is not between 0 and 1000000000000"),
    ],
)
def test_a_count_that_is_none_is_left_out_and_named(value, reason):
    facts = read_response(chat(prompt_tokens=value, completion_tokens=2))

    assert facts.usage.input_tokens is None
    assert facts.usage.output_tokens == 2
    assert f"usage.prompt_tokens: {reason}" in facts.notes


def test_what_shortening_the_conversation_took_is_added_and_an_advisers_use_is_noted():
    def iteration(kind, **more):
        return {"type": kind, "input_tokens": 1000, "output_tokens": 50, **more}

    usage = {
        "input_tokens": 20,
        "cache_read_input_tokens": 0,
        "output_tokens": 4,
        "iterations": [
            iteration("compaction", cache_read_input_tokens=300),
            iteration("message"),
            iteration("advisor_message", model="claude-opus-4-8"),
        ],
    }

    facts = read_response({"type": "message", "model": "claude-sonnet-5", "usage": usage})

    assert facts.usage.fields() == {
        "input_tokens": 1320,
        "cache_read_tokens": 300,
        "output_tokens": 54,
        "source": "PROVIDER",
    }
    assert facts.notes == (
        "usage.iterations: 1000 input and 50 output tokens of claude-opus-4-8 (advisor_message) "
        "are not in the totals",
    )


def test_zeros_of_parts_are_left_out_except_where_they_tell_parts_apart():
    details = {
        "audio_tokens": 9,
        "image_tokens": 0,
        "cached_tokens": 4,
        "cached_tokens_details": {"text_tokens": 4, "audio_tokens": 0},
    }
    usage = {"input_tokens": 20, "input_token_details": details, "output_tokens": 0}

    facts = read_response({"type": "response.done", "response": {"id": "r", "usage": usage}})

    assert dict(facts.usage.by_modality) == {"audio.input": 9, "text.cache_read": 4, "audio.cache_read": 0}
    assert facts.usage.output_tokens == 0


def test_a_transcription_is_counted_in_seconds():
    facts = read_response({"text": "…", "usage": {"type": "duration", "seconds": 31.0}})

    assert facts.usage.fields() == {"by_modality": {"audio_seconds": 31}, "source": "PROVIDER"}


def test_bedrocks_headers_count_what_its_body_is_not_read_for():
    headers = {
        "x-amzn-bedrock-input-token-count": "25",
        "x-amzn-bedrock-output-token-count": "110",
        "x-amzn-bedrock-cache-read-input-token-count": "1000",
    }

    facts = read_response(
        {"ResponseMetadata": {"RequestId": "q-1", "HTTPHeaders": headers}, "body": object()}
    )

    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (1025, 110)
    assert (facts.response_id, facts.dialect) == ("q-1", "bedrock.invoke")


def test_objects_are_read_as_json_is_and_only_where_counts_are():
    class Response(SimpleNamespace):
        @property
        def choices(self):
            return [SimpleNamespace(finish_reason="stop", index=0)]

        def model_dump(self):
            raise AssertionError("the whole response was dumped")

    usage = SimpleNamespace(
        prompt_tokens=5, completion_tokens=2, prompt_tokens_details=SimpleNamespace(cached_tokens=4)
    )

    facts = read_response(Response(id="c1", model="gpt-4o", object="chat.completion", usage=usage))

    assert (facts.usage.input_tokens, facts.usage.cache_read_tokens) == (5, 4)
    assert (facts.response_id, facts.finish_reasons) == ("c1", ("stop",))


def test_anthropics_fast_mode_is_a_tier():
    usage = {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 0, "service_tier": "standard"}

    fast = read_response({"type": "message", "usage": {**usage, "speed": "fast"}})

    assert fast.service_tier == "fast"
    assert read_response({"type": "message", "usage": usage}).service_tier == "standard"


@pytest.mark.parametrize(
    ("traffic", "tier"),
    [
        ("ON_DEMAND_FLEX", "flex"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("ON_DEMAND", "ON_DEMAND"),
        ("PROVISIONED_THROUGHPUT", "PROVISIONED_THROUGHPUT"),
    ],
)
def test_vertex_ais_kinds_of_traffic_are_tiers(traffic, tier):
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 1, "trafficType": traffic}

    assert read_response({"usageMetadata": usage}).service_tier == tier


def test_a_response_without_usage_says_so():
    facts = read_response({"object": "chat.completion", "id": "c1", "model": "m", "usage": None})

    assert facts.usage.fields() == {"source": "NONE"}
    assert (facts.response_id, facts.model, facts.attributes()) == ("c1", "m", {})


def test_an_unknown_dialect_is_refused():
    with pytest.raises(ValueError, match=r"^dialect: 'cohort' is none of openai\.chat, "):
        read_response({}, dialect="cohort")
