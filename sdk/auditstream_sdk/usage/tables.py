"""Prints the reference page of usage extraction: `python -m auditstream_sdk.usage.tables`."""

from __future__ import annotations

import sys

from auditstream_sdk.usage.dialects import DIALECTS, MODALITY_OF, REASONING_OF, Dialect, snake
from auditstream_sdk.usage.facts import TOTALS

_HEAD = """\
# Usage extraction

What the SDK reads from a provider's response, and what becomes of it. This page is generated from the tables
that do it (`python -m auditstream_sdk.usage.tables`); a test compares the two.

The normal form: `input_tokens` includes what was read from and written to a cache, `output_tokens` includes
reasoning, and `by_modality` splits them further. A count that a provider reports *beside* its total is added
to it; one *inside* stays as it is. The rule that was applied is on every event, in
`attributes["usage.overlap"]`.

- A response without usage has `source` `NONE`. Nothing is estimated.
- Of several spellings of one count, the first that is not zero counts.
- A number that cannot be a count, and a part that is more than its total, are left out and named in
  `attributes["usage.notes"]`; so are tokens that the provider's own sum has beyond its parts.
- Zeros of `by_modality` are left out, except cached parts (`audio.cache_read`): that none of the audio was
  cached is needed to price both.
- Only these fields are read, from JSON objects and from the objects of the providers' packages alike. Content
  is never looked at.
"""

_STREAMS = """\
## Streams

Pieces are looked at as they pass. A stream that was read to its end is complete; one that its caller closes
or drops has the outcome `PARTIAL`, one that an error ends has `FAILURE`; either keeps what had arrived.

| Stream | Usage comes with | Known of a stream that breaks off |
|---|---|---|
| OpenAI chat | the last chunk, with `stream_options={"include_usage": true}` only | id and model; no usage |
| OpenAI responses | `response.completed`, `response.incomplete` | id and model; no usage |
| Anthropic messages | `message_start` (input), `message_delta` (output, and corrections) | input; no output |
| Gemini | every chunk, growing; the last one counts | the counts of the last chunk that came |
| Bedrock ConverseStream | `metadata` | finish reason; no usage |
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD, *map(_section, DIALECTS), _exceptions(), _STREAMS]
    return "\n".join(parts)


def _section(form: Dialect) -> str:
    rows = [
        _row(
            _paths(count.paths),
            _target(count.into),
            f"beside `{count.beside}`, added" if count.beside else "",
        )
        for count in form.counts
    ]
    rows += [
        _row(_paths(group.paths), ", ".join(_target(key.format("*")) for key in group.keys), "by modality")
        for group in form.modalities
    ]
    rows += [_row(f"`{path}`", "not read", reason) for path, reason in form.skipped]
    others = {
        "response_model": form.model,
        "response_id": form.response_id,
        "service_tier": form.tier,
        "fingerprint": form.fingerprint,
        "finish_reasons": form.finish,
    }
    found = [f"`inference.{name}` from {_paths(paths)}" for name, paths in others.items() if paths]
    roots = " or ".join(f"`{root}`" for root in _once(form.roots))
    return "\n".join(
        [
            f"## `{form.name}`",
            "",
            f"Usage stands in {roots}. Besides: {'; '.join(found)}.",
            "",
            "| Reported as | Becomes | Rule |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _exceptions() -> str:
    rows = [_row(f"`{provider}`", rule.value, "") for provider, rule in REASONING_OF.items()]
    words = ", ".join(f"`{word}` {modality}" for word, modality in MODALITY_OF.items())
    return "\n".join(
        [
            "## Where providers differ in OpenAI's form",
            "",
            "Reasoning is inside `completion_tokens` unless the body's own `total_tokens` says that it is",
            "beside, or it is more than `completion_tokens`; then it is added. These providers differ:",
            "",
            "| Provider | Reasoning is | |",
            "|---|---|---|",
            *rows,
            "",
            f"Google's modalities: {words}.",
            "",
        ]
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _paths(paths: tuple[str, ...]) -> str:
    return ", ".join(f"`{path}`" for path in _once(paths))


def _once(paths: tuple[str, ...]) -> list[str]:
    """Return paths without their second spelling, which objects of Google's package have."""
    seconds = {snake(path) for path in paths if snake(path) != path}
    return [path for path in paths if path not in seconds]


def _target(into: str) -> str:
    return f"`usage.{into}`" if into in TOTALS else f'`usage.by_modality["{into}"]`'


if __name__ == "__main__":
    sys.stdout.write(page())
