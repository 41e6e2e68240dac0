"""An application that calls OpenAI under a real instrumentation, and exports with the real OTLP exporter.

A process of its own, as instrumentations patch the `openai` package for good:
`python -m tests.support.instrumented_app INSTRUMENTATION[+INSTRUMENTATION] SCENARIO…`, with the provider's
address in `OPENAI_BASE_URL` and the receiver's in `OTEL_EXPORTER_OTLP_ENDPOINT`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.support.fake_openai import SECRET

_MESSAGES: list[Any] = [{"role": "user", "content": f"What is the capital of France? {SECRET}"}]
_TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
]


def _chat(client: openai.OpenAI) -> None:
    client.chat.completions.create(
        model="gpt-4o", messages=_MESSAGES, temperature=0.2, max_tokens=500, seed=7
    )


def _stream(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(
        model="gpt-4o", messages=_MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    for _ in chunks:
        pass


def _tools(client: openai.OpenAI) -> None:
    client.chat.completions.create(model="gpt-4o", messages=_MESSAGES, tools=_TOOLS)


def _embeddings(client: openai.OpenAI) -> None:
    client.embeddings.create(model="text-embedding-3-small", input=SECRET)


def _responses(client: openai.OpenAI) -> None:
    client.responses.create(model="gpt-4o", input=SECRET)


def _limited(client: openai.OpenAI) -> None:
    with contextlib.suppress(openai.RateLimitError):
        client.chat.completions.create(model="limited", messages=_MESSAGES)


_SCENARIOS: Mapping[str, Callable[[openai.OpenAI], None]] = {
    "chat": _chat,
    "stream": _stream,
    "tools": _tools,
    "embeddings": _embeddings,
    "responses": _responses,
    "limited": _limited,
}


def _instrumentor(name: str) -> Any:
    if name == "openai-v2":
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
    elif name == "openllmetry":
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor
    else:
        from openinference.instrumentation.openai import OpenAIInstrumentor
    return OpenAIInstrumentor()


def main(instrumentation: str, *scenarios: str) -> None:
    service = os.environ.get("OTEL_SERVICE_NAME", "checkout")
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    instrumentors = [_instrumentor(name) for name in instrumentation.split("+")]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    try:
        client = openai.OpenAI(api_key="sk-none", max_retries=0)
        tracer = trace.get_tracer("checkout")
        for scenario in scenarios:
            with tracer.start_as_current_span("request"):
                _SCENARIOS[scenario](client)
    finally:
        for instrumentor in reversed(instrumentors):
            instrumentor.uninstrument()
        provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
