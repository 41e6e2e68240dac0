"""Facts from a provider's response: counts in the normal form, model, id, finish reasons, tier.

An extraction of our own, by tables: it runs inside other people's processes, and `genai-prices`, which has
one too, would bring pydantic and an HTTP client along. The tests hold it against that one, on its recorded
responses and on generated ones. It also reads objects, headers and streams, and ids, reasons and tiers.

Nothing here raises because of what a response holds: a count that is none is left out and noted. Counts that
cannot be (more cached tokens than input) are not bent into shape either; what is said below for parts that
exceed their total follows from the two conventions there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from auditstream_sdk.usage.dialects import (
    ANTHROPIC,
    BY_NAME,
    CHAT,
    COHERE,
    CONVERSE,
    GEMINI,
    INVOKE,
    LANGCHAIN,
    MODALITY_OF,
    REASONING_OF,
    RESPONSES,
    Dialect,
    Reasoning,
)
from auditstream_sdk.usage.facts import PROVIDER, TOTALS, ResponseFacts, Usage
from auditstream_sdk.usage.members import count_of, items_at, member, text_at, value_at, word


def read_response(response: Any, *, provider: str | None = None, dialect: str | None = None) -> ResponseFacts:
    """Return what a response says of itself.

    Args:
        response: The JSON object of the body, or the object that the provider's package returned.
        provider: Who answered; decides what OpenAI's form leaves open.
        dialect: Name of the API; found out from the response when not given.

    Raises:
        ValueError: There is no such dialect.
    """
    if dialect is not None and dialect not in BY_NAME:
        raise ValueError(f"dialect: {dialect!r} is none of {', '.join(BY_NAME)}")
    form = BY_NAME[dialect] if dialect is not None else dialect_of(response)
    if form is None:
        return ResponseFacts(model=text_at(response, "model"), response_id=text_at(response, "id"))
    reading = _Reading(form, provider)
    usage = reading.usage(next(_blocks(form, response), None))
    return ResponseFacts(
        dialect=form.name,
        usage=usage,
        overlap=reading.overlap if usage.source == PROVIDER else "",
        model=text_at(response, *form.model),
        response_id=text_at(response, *form.response_id),
        finish_reasons=tuple(_finish_reasons(form, response)),
        service_tier=_tier(form, response),
        fingerprint=text_at(response, *form.fingerprint),
        error=_error(response),
        notes=tuple(reading.notes),
    )


_SIGNS = (
    ("usageMetadata.promptTokenCount", GEMINI),
    ("usage_metadata.prompt_token_count", GEMINI),
    ("candidates", GEMINI),
    ("usage_metadata.input_tokens", LANGCHAIN),
    ("usageMetadata", GEMINI),
    ("usage.billed_units", COHERE),
    ("meta.billed_units", COHERE),
    ("usage.inputTokens", CONVERSE),
    ("usage.prompt_tokens", CHAT),
    ("x_groq.usage", CHAT),
    ("result.usage", CHAT),
    ("usage.cache_read_input_tokens", ANTHROPIC),
    ("usage.cache_creation_input_tokens", ANTHROPIC),
    ("stop_reason", ANTHROPIC),
    ("usage.input_tokens", RESPONSES),
    ("usage.seconds", RESPONSES),
    ("response.usage", RESPONSES),
    ("ResponseMetadata.HTTPHeaders.x-amzn-bedrock-input-token-count", INVOKE),
)
"""What a response must have to be of a dialect, in the order in which it is looked for."""

_KINDS = {
    "chat.completion": CHAT,
    "chat.completion.chunk": CHAT,
    "text_completion": CHAT,
    "list": CHAT,
    "response": RESPONSES,
    "message": ANTHROPIC,
}
"""Dialects by what a response without usage calls itself, in `object` or `type`."""


def dialect_of(response: Any) -> Dialect | None:
    """Return the form of a response by what it has; None when it is none that is known."""
    for path, form in _SIGNS:
        if value_at(response, path) is not None:
            return form
    return _KINDS.get(text_at(response, "object", "type") or "")


def _blocks(form: Dialect, response: Any) -> Iterator[Any]:
    for root in form.roots:
        block = value_at(response, root)
        if block is not None:
            yield block


@dataclass(slots=True)
class _Reading:
    """One usage block on its way to the normal form; says how it went.

    Attributes:
        form: The API's form.
        provider: Who answered.
        notes: What was left out or is odd.
        added: Counts that were added to their totals.
        overlap: The rule that was applied.
    """

    form: Dialect
    provider: str | None
    notes: list[str] = field(default_factory=list)
    added: list[tuple[str, str]] = field(default_factory=list)
    overlap: str = ""

    def usage(self, block: Any) -> Usage:
        """Return the normal form of a block."""
        if block is None:
            return Usage()
        counts: dict[str, int] = {}
        beside: list[tuple[str, str]] = []
        for count in self.form.counts:
            value = self._first(block, count.paths)
            if value is not None:
                counts[count.into] = value
                if count.beside and value:
                    beside.append((count.into, count.beside))
        if not counts:
            return Usage()
        self._by_modality(block, counts)
        reported = self._first(block, self.form.total)
        beside += self._exceptions(block, counts, reported)
        for part, whole in beside:
            counts[whole] = counts.get(whole, 0) + counts[part]
            self.added.append((part, whole))
        self._iterations(block, counts)
        self._impossible(counts)
        self._unexplained(counts, reported)
        self.overlap = self._rule()
        split = {key: value for key, value in counts.items() if key not in TOTALS and _kept(key, value)}
        return Usage(**{key: counts.get(key) for key in TOTALS}, by_modality=split, source=PROVIDER)

    def _first(self, block: Any, paths: tuple[str, ...]) -> int | None:
        """Return a count by the first of its spellings that is not zero."""
        found = None
        for path in paths:
            value = self._count(block, path)
            if value:
                return value
            found = value if found is None else found
        return found

    def _count(self, block: Any, path: str) -> int | None:
        try:
            return count_of(value_at(block, path))
        except ValueError as error:
            self.notes.append(f"usage.{path}: {error}")
            return None

    def _by_modality(self, block: Any, counts: dict[str, int]) -> None:
        for group in self.form.modalities:
            for path in group.paths:
                for item in items_at(block, path):
                    name = word(member(item, "modality")) or ""
                    value = self._first(item, ("tokenCount", "token_count"))
                    modality = MODALITY_OF.get(name)
                    if modality is None and value:
                        self.notes.append(f"usage.{path}: {name[:40]!r} is no modality that is known")
                    for key in group.keys if modality and value is not None else ():
                        named = key.format(modality)
                        counts[named] = counts.get(named, 0) + (value or 0)
        for item in items_at(block, "cacheDetails") if self.form is CONVERSE else ():
            ttl, value = text_at(item, "ttl"), self._count(item, "inputTokens")
            if ttl in {"5m", "1h"} and value is not None:
                key = f"cache_write_{ttl}_tokens"
                counts[key] = counts.get(key, 0) + value

    def _exceptions(
        self, block: Any, counts: dict[str, int], reported: int | None
    ) -> Iterator[tuple[str, str]]:
        """Yield the counts that stand beside their total though the form has them inside."""
        if self.form is not CHAT:
            return
        if self._reasoning_beside(block, counts, reported):
            yield "reasoning_tokens", "output_tokens"
        read = counts.get("cache_read_tokens", 0) + counts.get("cache_write_tokens", 0)
        if "input_tokens" in counts and read > counts["input_tokens"]:
            # No part is more than its total: this proxy passes Anthropic's counts on.
            cached = ("cache_read_tokens", "cache_write_tokens")
            yield from ((key, "input_tokens") for key in cached if counts.get(key))

    def _reasoning_beside(self, block: Any, counts: dict[str, int], reported: int | None) -> bool:
        """Return whether reasoning stands beside the output: by provider, by the total, or by its size."""
        reasoning, output = counts.get("reasoning_tokens", 0), counts.get("output_tokens")
        if not reasoning or output is None:
            return False
        where = REASONING_OF.get((self.provider or "").strip().lower(), Reasoning.INSIDE)
        sum_of_totals = counts.get("input_tokens", 0) + output
        if where is Reasoning.BESIDE:
            return member(block, "reasoning_tokens") is not None
        if reasoning > output:
            return True
        if reported is not None and reported in {sum_of_totals, sum_of_totals + reasoning}:
            return reported != sum_of_totals
        return where is not Reasoning.INSIDE

    def _iterations(self, block: Any, counts: dict[str, int]) -> None:
        """Add what Anthropic spent on shortening the conversation: its totals leave that out."""
        for item in items_at(block, "iterations") if self.form is ANTHROPIC else ():
            kind = text_at(item, "type") or ""
            if kind == "compaction":
                inner = _Reading(ANTHROPIC, self.provider)
                for name, value in inner.usage(item).fields().items():
                    if isinstance(value, int):
                        counts[name] = counts.get(name, 0) + value
                self.added.append(("compaction", "all"))
            elif kind != "message":
                model = text_at(item, "model") or "the same model"
                used = [self._count(item, name) or 0 for name in ("input_tokens", "output_tokens")]
                self.notes.append(
                    f"usage.iterations: {used[0]} input and {used[1]} output tokens of {model[:80]} "
                    f"({kind[:40]}) are not in the totals"
                )

    def _impossible(self, counts: dict[str, int]) -> None:
        """Take out parts that cannot be, so that the totals still count; say which."""
        for part, whole in _PARTS:
            if part in counts and counts[part] > counts.get(whole, -1):
                given = f"is more than {whole}" if whole in counts else f"is given without {whole}"
                self.notes.append(f"{part}: {counts.pop(part)} {given}")
        both = counts.get("cache_read_tokens", 0) + counts.get("cache_write_tokens", 0)
        if both > counts.get("input_tokens", both):
            written = counts.pop("cache_write_tokens")
            self.notes.append(
                f"cache_write_tokens: {written} and cache_read_tokens are more than input_tokens"
            )

    def _unexplained(self, counts: dict[str, int], reported: int | None) -> None:
        known = counts.get("input_tokens", 0) + counts.get("output_tokens", 0)
        if reported and reported > known:
            self.notes.append(
                f"usage.{self.form.total[0]}: {reported} is {reported - known} more than its parts"
            )

    def _rule(self) -> str:
        if not self.added:
            return f"{self.form.name}: parts are inside their totals"
        said = ", ".join(f"{part} beside {whole}" for part, whole in dict.fromkeys(self.added))
        return f"{self.form.name}: {said}, added"


_PARTS = (
    ("cache_read_tokens", "input_tokens"),
    ("cache_write_tokens", "input_tokens"),
    ("reasoning_tokens", "output_tokens"),
)


def _kept(key: str, value: int) -> bool:
    """Return whether a count is worth a place: a zero says something of cached parts only.

    Cache reads and audio overlap: that none of the audio was cached is needed to price both.
    """
    return value > 0 or key.endswith(".cache_read")


def _finish_reasons(form: Dialect, response: Any) -> Iterator[str]:
    for path in form.finish:
        holder, _, inner = path.partition("[].")
        reasons = (text_at(item, inner) for item in items_at(response, holder)) if inner else ()
        found = [each for each in reasons if each] if inner else [text_at(response, path) or ""]
        if any(found):
            yield from (each for each in found if each)
            return


def _tier(form: Dialect, response: Any) -> str | None:
    """Return the served tier, by the one word that a tier has everywhere.

    Anthropic's fast mode is a speed there; Vertex AI's tiers are kinds of traffic (`ON_DEMAND_FLEX`).
    """
    if form is ANTHROPIC and text_at(response, "usage.speed") == "fast":
        return "fast"
    tier = text_at(response, *form.tier)
    if form is GEMINI and tier is not None and tier.startswith(_TRAFFIC):
        return tier[len(_TRAFFIC) :].lower()
    return tier


_TRAFFIC = "ON_DEMAND_"


def _error(response: Any) -> str | None:
    """Return the type of an error that stands in place of an answer."""
    error = member(response, "error")
    return text_at(error, "code", "type", "status") if error is not None else None
