"""Streams: what their pieces say, piece by piece, to the end and broken off."""

from types import SimpleNamespace

import pytest

from auditstream_sdk.usage import StreamFacts

CHAT_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 9,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 4},
}


def chat_chunk(*, content=None, finish=None, usage=None, choices=True):
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}] if choices else [],
    }
    return chunk if usage is None else {**chunk, "usage": usage}


def read(pieces, *, exhausted=True, provider=None):
    stream = StreamFacts(provider=provider)
    for piece in pieces:
        stream.feed(piece)
    return stream.facts(exhausted=exhausted)


def test_a_chat_that_was_asked_for_usage_ends_with_it():
    facts = read(
        [
            chat_chunk(content="Good "),
            chat_chunk(content="day"),
            chat_chunk(finish="stop"),
            chat_chunk(choices=False, usage=CHAT_USAGE),
        ]
    )

    assert facts.usage.fields() == {
        "input_tokens": 20,
        "cache_read_tokens": 16,
        "output_tokens": 9,
        "reasoning_tokens": 4,
        "source": "PROVIDER",
    }
    assert facts.family() == {
        "response_model": "gpt-4o-2024-08-06",
        "response_id": "chatcmpl-1",
        "finish_reasons": ["stop"],
        "service_tier": "default",
        "fingerprint": "fp_1",
    }
    assert facts.complete


def test_a_chat_that_was_not_asked_for_usage_has_none_and_none_is_guessed():
    facts = read([chat_chunk(content="Hello"), chat_chunk(finish="stop")])

    assert facts.usage.fields() == {"source": "NONE"}
    assert (facts.finish_reasons, facts.complete, facts.overlap) == (("stop",), True, "")


def test_usage_that_grows_from_piece_to_piece_is_the_last_one_not_the_sum():
    usages = [{"prompt_tokens": 5, "completion_tokens": count} for count in (1, 2, 3)]

    facts = read([chat_chunk(content="x", usage=usage) for usage in usages])

    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (5, 3)


def test_a_chat_of_several_choices_has_a_reason_for_each():
    chunks = [
        {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]

    assert read(chunks).finish_reasons == ("stop", "length")


def test_usage_in_groqs_own_place_is_found():
    chunk = {"choices": [], "x_groq": {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}}

    assert read([chunk]).usage.output_tokens == 2


@pytest.mark.parametrize("ending", ["completed", "incomplete"])
def test_a_response_has_its_usage_in_its_last_event(ending):
    usage = {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 10},
        "output_tokens": 8,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 38,
    }
    done = {"id": "resp_1", "model": "gpt-5", "status": ending, "usage": usage}
    if ending == "incomplete":
        done["incomplete_details"] = {"reason": "max_output_tokens"}

    facts = read(
        [
            {
                "type": "response.created",
                "response": {"id": "resp_1", "status": "in_progress", "usage": None},
            },
            {"type": "response.output_text.delta", "delta": "Hello"},
            {"type": f"response.{ending}", "response": done},
        ],
        exhausted=False,
    )

    assert (facts.usage.input_tokens, facts.usage.reasoning_tokens) == (30, 5)
    assert (facts.response_id, facts.complete) == ("resp_1", True)
    assert facts.finish_reasons == ("completed" if ending == "completed" else "max_output_tokens",)


def test_a_response_that_failed_says_why():
    failed = {"id": "resp_1", "status": "failed", "error": {"code": "server_error", "message": "secret"}}

    facts = read([{"type": "response.failed", "response": failed}])

    assert (facts.error, facts.complete) == ("server_error", False)
    assert "secret" not in str(facts)


def test_a_response_that_broke_off_is_known_by_its_id_only():
    created = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5", "usage": None}}

    facts = read([created, {"type": "response.output_text.delta", "delta": "He"}], exhausted=False)

    assert (facts.response_id, facts.model, facts.complete) == ("resp_1", "gpt-5", False)
    assert facts.usage.source == "NONE"


START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "model": "claude-sonnet-4-5",
        "usage": {"input_tokens": 12, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50,
                  "output_tokens": 1, "service_tier": "standard"},
    },
}  # fmt: skip


def test_a_message_has_input_from_its_start_and_output_from_its_last_delta():
    facts = read(
        [
            START,
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}},
            {"type": "message_stop"},
        ]
    )

    assert facts.usage.fields() == {
        "input_tokens": 162,
        "cache_read_tokens": 100,
        "cache_write_tokens": 50,
        "output_tokens": 40,
        "source": "PROVIDER",
    }
    assert facts.overlap == (
        "anthropic.messages: cache_read_tokens beside input_tokens, "
        "cache_write_tokens beside input_tokens, added"
    )
    assert (facts.finish_reasons, facts.service_tier, facts.complete) == (("end_turn",), "standard", True)


def test_counts_that_a_later_delta_corrects_replace_the_earlier_ones():
    delta = {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 15, "output_tokens": 40}}
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 44}}

    usage = read([START, delta, last]).usage

    assert (usage.input_tokens, usage.output_tokens) == (165, 44)


def test_a_message_that_broke_off_has_its_input_and_no_output():
    facts = read([START, {"type": "content_block_delta", "delta": {"text": "He"}}], exhausted=False)

    assert facts.usage.fields() == {
        "input_tokens": 162,
        "cache_read_tokens": 100,
        "cache_write_tokens": 50,
        "source": "PROVIDER",
    }
    assert not facts.complete


def test_an_error_in_the_middle_of_a_message_is_its_outcome():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    facts = read([START, error])

    assert (facts.error, facts.complete) == ("overloaded_error", False)


def gemini_chunk(count, **more):
    usage = {"promptTokenCount": 7, "candidatesTokenCount": count, "totalTokenCount": 7 + count}
    return {"responseId": "r1", "modelVersion": "gemini-2.5-flash", "usageMetadata": usage, **more}


def test_geminis_counts_are_those_of_its_last_piece():
    last = gemini_chunk(9, candidates=[{"finishReason": "STOP"}])
    last["usageMetadata"].update(thoughtsTokenCount=30, totalTokenCount=46)

    facts = read([gemini_chunk(2), gemini_chunk(5), last])

    assert facts.usage.fields() == {
        "input_tokens": 7,
        "output_tokens": 39,
        "reasoning_tokens": 30,
        "source": "PROVIDER",
    }
    assert (facts.response_id, facts.model, facts.finish_reasons) == ("r1", "gemini-2.5-flash", ("STOP",))


def test_objects_of_googles_package_are_read_as_its_json_is():
    usage = SimpleNamespace(prompt_token_count=7, candidates_token_count=2, thoughts_token_count=None)
    reason = SimpleNamespace(value="MAX_TOKENS")
    piece = SimpleNamespace(
        response_id="r1",
        model_version="gemini-2.5-flash",
        usage_metadata=usage,
        candidates=[SimpleNamespace(finish_reason=reason)],
    )

    facts = read([piece])

    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (7, 2)
    assert (facts.finish_reasons, facts.response_id) == (("MAX_TOKENS",), "r1")


def test_a_converse_stream_has_its_usage_in_its_metadata():
    facts = read(
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"text": "Hello"}}},
            {"messageStop": {"stopReason": "max_tokens"}},
            {"metadata": {"usage": {"inputTokens": 3, "cacheReadInputTokens": 90, "outputTokens": 8}}},
        ]
    )

    assert (facts.usage.input_tokens, facts.usage.output_tokens) == (93, 8)
    assert (facts.finish_reasons, facts.dialect) == (("max_tokens",), "bedrock.converse")


def test_a_stream_of_nothing_known_says_nothing():
    facts = read([None, "text", 7, {"odd": True}], exhausted=False)

    assert (facts.dialect, facts.usage.source, facts.complete) == ("", "NONE", False)
