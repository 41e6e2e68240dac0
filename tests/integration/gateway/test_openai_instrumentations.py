"""The real OpenTelemetry SDK, the real instrumentations of the real `openai` package, a local provider."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.keys import Keys
from auditstream.identity.master_key import MasterKey
from auditstream.identity.policy import Policy
from auditstream.identity.protection import Protection
from schemas import contract
from schemas.intake import datum_of
from tests.support.fake_openai import (
    CHAT_USAGE,
    EMBEDDING_USAGE,
    RESPONSES_USAGE,
    SECRET,
    SERVED_MODEL,
    STREAM_USAGE,
    TOOL_USAGE,
    fake_openai,
)
from tests.support.otlp_receiver import Received, otlp_receiver

_ROOT = Path(__file__).parents[3]
_LATEST = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
}
_INSTRUMENTATIONS = [
    pytest.param(("openai-v2", {}), id="OpenTelemetry up to 1.36"),
    pytest.param(("openai-v2", _LATEST), id="OpenTelemetry, latest"),
    pytest.param(("openllmetry", {}), id="OpenLLMetry"),
    pytest.param(("openinference", {}), id="OpenInference"),
]


class Run:
    """What an instrumented application exported in one run.

    Attributes:
        instrumentation: Name of the instrumentation.
        received: What came.
        events: Its events, by the provider's response id; those without one by their operation.
    """

    def __init__(self, instrumentation: str, received: Received) -> None:
        self.instrumentation = instrumentation
        self.received = received
        self.events: dict[str, dict[str, Any]] = {}
        for event in received.events:
            call = event["inference"]
            failed = event["outcome"] == "FAILURE"
            self.events["limited" if failed else call.get("response_id", call["operation"])] = event


@pytest.fixture(scope="module", params=_INSTRUMENTATIONS)
def run(request: pytest.FixtureRequest) -> Run:
    """Run the application under each instrumentation, in a process of its own as patches stay."""
    instrumentation, settings = request.param
    scenarios = ["chat", "stream", "tools", "embeddings", "limited"]
    if instrumentation != "openai-v2":  # it does not instrument the responses interface
        scenarios.append("responses")
    with fake_openai() as provider_url, otlp_receiver() as received:
        addresses = {"OPENAI_BASE_URL": provider_url, "OTEL_EXPORTER_OTLP_ENDPOINT": received.url}
        subprocess.run(
            [sys.executable, "-m", "tests.support.instrumented_app", instrumentation, *scenarios],
            cwd=_ROOT,
            env=os.environ | addresses | settings,
            check=True,
            timeout=100,
        )
    return Run(instrumentation, received)


def _counted(event: dict[str, Any]) -> tuple[int, int]:
    return event["usage"]["input_tokens"], event["usage"]["output_tokens"]


def test_every_call_is_one_event_that_keeps_the_contract(run: Run) -> None:
    expected = {"chatcmpl-chat", "chatcmpl-stream", "chatcmpl-tools", "embeddings", "limited"}
    assert run.events.keys() - {"resp_1"} == expected
    assert len(run.received.drafts) == len(run.events)
    for event in run.events.values():
        contract.check(datum_of(event, "audit_event"))
        assert event["source"] == "checkout"
        assert event["duration_us"] > 0
        assert len(event["parent_span_id"]) == 16
    assert len({event["trace_id"] for event in run.events.values()}) == len(run.events)


@pytest.mark.parametrize(
    ("response_id", "usage"),
    [("chatcmpl-chat", CHAT_USAGE), ("chatcmpl-stream", STREAM_USAGE), ("chatcmpl-tools", TOOL_USAGE)],
)
def test_a_chat_has_its_models_and_exact_tokens(run: Run, response_id: str, usage: dict[str, Any]) -> None:
    event = run.events[response_id]
    call = event["inference"]
    assert (event["event_type"], event["outcome"]) == ("ai.inference", "SUCCESS")
    assert (call["provider"], call["operation"]) == ("openai", "chat")
    assert (call["request_model"], call["response_model"]) == ("gpt-4o", SERVED_MODEL)
    assert _counted(event) == (usage["prompt_tokens"], usage["completion_tokens"])


def test_a_chat_has_what_was_asked_for_and_what_was_served(run: Run) -> None:
    call = run.events["chatcmpl-chat"]["inference"]
    assert (call["temperature"], call["max_tokens"]) == (0.2, 500)
    assert (call["service_tier"], call["fingerprint"]) == ("default", "fp_44709d6fcb")
    assert call["finish_reasons"] == ["stop"]


def test_parts_of_the_counts_are_exact_where_they_are_reported(run: Run) -> None:
    if run.instrumentation == "openai-v2":  # reports totals only
        assert run.events["chatcmpl-chat"]["usage"].keys() == {"input_tokens", "output_tokens", "source"}
        return
    chat, answered = run.events["chatcmpl-chat"]["usage"], run.events["resp_1"]["usage"]
    assert (chat["cache_read_tokens"], chat["reasoning_tokens"]) == (1024, 128)
    assert (answered["cache_read_tokens"], answered["reasoning_tokens"]) == (256, 64)
    expected = RESPONSES_USAGE["input_tokens"], RESPONSES_USAGE["output_tokens"]
    assert _counted(run.events["resp_1"]) == expected


def test_an_embedding_is_an_event_of_its_own_type(run: Run) -> None:
    event = run.events["embeddings"]
    assert event["event_type"] == "ai.embedding"
    assert event["inference"]["response_model"] == "text-embedding-3-small"
    assert event["usage"]["input_tokens"] == EMBEDDING_USAGE["prompt_tokens"]


def test_a_refused_call_is_a_failed_one_with_its_status(run: Run) -> None:
    event = run.events["limited"]
    assert (event["event_type"], event["outcome"], event["http_status"]) == ("ai.inference", "FAILURE", 429)
    assert event["error_type"].endswith("RateLimitError")
    assert event["inference"]["request_model"] == "limited"
    assert "usage" not in event


def test_a_stream_has_its_first_token_s_time_where_it_is_marked(run: Run) -> None:
    event = run.events["chatcmpl-stream"]
    if run.instrumentation == "openai-v2":  # marks it in a metric only
        return
    assert event["inference"]["stream"] is True
    assert 0 < event["inference"]["ttft_us"] <= event["duration_us"]


def test_content_is_sent_by_some_and_leaves_every_event_in_the_privacy_stage(
    run: Run, tmp_path: Path
) -> None:
    master = MasterKey(bytes(32))
    with closing(KeyringFile(tmp_path / "keyring.sqlite", master)) as ring:
        protection = Protection(Keys(master, ring), lambda _: Policy())
        events = [datum_of({**event, "tenant_id": "acme"}, "audit_event") for event in run.received.events]
        recorded = [protection.protect(event) for event in events]

    assert SECRET.encode() in b"".join(run.received.bodies)
    assert SECRET not in str(recorded)
