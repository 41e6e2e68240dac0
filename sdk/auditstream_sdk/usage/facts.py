"""What a provider's response says of itself, in the form that an audit event keeps.

The normal form of usage: cache reads and writes are part of input, reasoning is part of output, and
`by_modality` splits the totals further (`audio.input`, `text.cache_read`, `web_searches`). A count that the
provider does not give stays None; nothing here is estimated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROVIDER = "PROVIDER"
"""`usage.source`: the provider counted."""

NONE = "NONE"
"""`usage.source`: nobody counted; the response has no usage."""

_NOTES_LENGTH = 1000
"""Characters of notes kept on an event: enough for a dozen, and a bound on what a broken body can cause."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of one model call, in the normal form where totals include their parts.

    Attributes:
        input_tokens: Tokens read, cached ones included.
        cache_read_tokens: Part of the input that was read from the cache.
        cache_write_tokens: Part of the input that was written to the cache.
        output_tokens: Tokens written, reasoning included.
        reasoning_tokens: Part of the output that was reasoning.
        by_modality: Further parts, by `modality.direction` or by the name of what is counted.
        source: `PROVIDER`, or `NONE` when the response has no usage.
    """

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    by_modality: Mapping[str, int] = field(default_factory=dict)
    source: str = NONE

    def fields(self) -> dict[str, Any]:
        """Return the fields of an event's `usage`; what is not known is left out."""
        counts = {name: getattr(self, name) for name in TOTALS}
        found: dict[str, Any] = {name: count for name, count in counts.items() if count is not None}
        if self.by_modality:
            found["by_modality"] = dict(self.by_modality)
        return {**found, "source": self.source}


TOTALS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
"""Counts that have a field of their own."""


@dataclass(frozen=True, slots=True)
class ResponseFacts:
    """What a response says of itself besides its content.

    Attributes:
        dialect: Name of the API whose form it has, as `openai.chat`; empty when none was recognised.
        usage: Its counts.
        overlap: The rule by which its counts became the normal form; empty without counts.
        model: Model that answered.
        response_id: Id that the provider gave it.
        finish_reasons: Why it ended, in the provider's words, one a choice.
        service_tier: Tier that it was served at, in the provider's word.
        fingerprint: Fingerprint of the serving system.
        complete: False when it is the part of a stream that arrived before the caller or the line broke off.
        error: Type of the error that it reports in place of an answer.
        notes: What of it was left out or is odd, each as `field: reason`.
    """

    dialect: str = ""
    usage: Usage = Usage()
    overlap: str = ""
    model: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    service_tier: str | None = None
    fingerprint: str | None = None
    complete: bool = True
    error: str | None = None
    notes: tuple[str, ...] = ()

    def family(self) -> dict[str, Any]:
        """Return the fields of an event's `inference` that are known."""
        known: dict[str, Any] = {
            "response_model": self.model,
            "response_id": self.response_id,
            "finish_reasons": list(self.finish_reasons),
            "service_tier": self.service_tier,
            "fingerprint": self.fingerprint,
        }
        return {name: value for name, value in known.items() if value}

    def attributes(self) -> dict[str, str]:
        """Return what an event keeps beside its fields: the rule of overlap, and what was odd."""
        found = {"usage.overlap": self.overlap} if self.overlap else {}
        if self.notes:
            found["usage.notes"] = "; ".join(self.notes)[:_NOTES_LENGTH]
        return found
