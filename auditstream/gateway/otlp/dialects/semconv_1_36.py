"""GenAI conventions up to core 1.36: what later versions renamed or removed."""

from __future__ import annotations

from auditstream.gateway.otlp.conversions import count, provider, text, whole
from auditstream.gateway.otlp.entries import Content, Dialect, Kept, Mapped, Role

_UNTIL = "1.36"

SEMCONV_1_36 = Dialect(
    name="semconv-1.36",
    title="OpenTelemetry GenAI conventions up to 1.36",
    source="https://github.com/open-telemetry/semantic-conventions/tree/v1.36.0/model/gen-ai",
    about=(
        "What instrumentations still emit without an opt-in. Prompts and answers are events of the span"
        " (`gen_ai.content.prompt`, `gen_ai.user.message`, `gen_ai.choice`, …), measured and dropped."
    ),
    entries=(
        Mapped("gen_ai.system", ("inference.provider",), provider, until=_UNTIL),
        Mapped("gen_ai.usage.prompt_tokens", ("usage.input_tokens",), count, until="1.26"),
        Mapped("gen_ai.usage.completion_tokens", ("usage.output_tokens",), count, until="1.26"),
        Content("gen_ai.prompt", Role.INPUT, until="1.27"),
        Content("gen_ai.completion", Role.OUTPUT, until="1.27"),
        Mapped("gen_ai.openai.request.seed", ("inference.seed",), whole, until="1.29"),
        Kept("gen_ai.openai.request.response_format", until="1.29"),
        Kept("gen_ai.openai.request.service_tier", until=_UNTIL, note="the served tier is what counts"),
        Mapped("gen_ai.openai.response.service_tier", ("inference.service_tier",), text, until=_UNTIL),
        Mapped("gen_ai.openai.response.system_fingerprint", ("inference.fingerprint",), text, until=_UNTIL),
        Mapped("feature_flag.variant", ("experiment.variant",), text, until="1.31"),
        Mapped("feature_flag.provider_name", ("experiment.provider",), text, until="1.31"),
    ),
)
