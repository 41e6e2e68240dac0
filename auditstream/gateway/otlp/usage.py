"""Token counts in the normal form: input includes cached tokens, output includes reasoning.

The conventions say that totals include their parts, and not every instrumentation does so: some pass on what
Anthropic (cache beside input) or Gemini (thoughts beside output) report. Which it is shows in the numbers:

1. Where a total of all tokens is given, the possible reading under which the counts add up to it is right.
2. Else, where the parts are more than their whole, they stand beside it.
3. Else they are included, as the conventions say.

Parts that stand beside are added to their whole. What was done is kept in `attributes["usage.overlap"]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OVERLAP = "usage.overlap"
_PARTS = {"input_tokens": ("cache_read_tokens", "cache_write_tokens"), "output_tokens": ("reasoning_tokens",)}
_COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_NAMES = {"input_tokens": "cached tokens", "output_tokens": "reasoning tokens"}


@dataclass(frozen=True, slots=True)
class NormalForm:
    """Counts in the normal form.

    Attributes:
        usage: Fields of an event's `usage`; None when nothing is counted.
        attributes: What else there is to keep: the rule that was applied, and counts without their whole.
    """

    usage: Mapping[str, Any] | None
    attributes: Mapping[str, str] = field(default_factory=dict)


def normal_form(counts: Mapping[str, Any]) -> NormalForm:
    """Return counts in the normal form.

    Args:
        counts: Fields of an event's `usage` as reported, and `total_tokens`.
    """
    found = {name: counts[name] for name in _COUNTS if counts.get(name) is not None}
    split = {key: value for key, value in counts.get("by_modality", {}).items() if value}
    kept: dict[str, str] = {}
    for whole, parts in _PARTS.items():
        for part in parts:
            if (
                part in found and whole not in found
            ):  # a part of an unknown whole is no count that can be priced
                kept[f"usage.{part}"] = str(found.pop(part))
    beside, rule = _beside(found, counts.get("total_tokens"))
    for whole in beside:
        found[whole] += _sum(found, _PARTS[whole])
    if rule:
        kept[OVERLAP] = rule
    if not found and not split:
        return NormalForm(None, kept)
    usage: dict[str, Any] = {**found, "source": "PROVIDER"}
    if split:
        usage["by_modality"] = split
    return NormalForm(usage, kept)


def _beside(found: Mapping[str, int], total: int | None) -> tuple[tuple[str, ...], str]:
    """Return the wholes whose parts stand beside them, and the rule in words; no words without parts."""
    divided = tuple(whole for whole, parts in _PARTS.items() if whole in found and _sum(found, parts))
    if not divided:
        return (), ""
    must = tuple(whole for whole in divided if _sum(found, _PARTS[whole]) > found[whole])
    for wholes in _readings(divided):
        added = sum(_sum(found, _PARTS[whole]) for whole in wholes)
        if _sum(found, tuple(_PARTS)) + added == total and set(must) <= set(wholes):
            return wholes, _words(wholes, "the total says so")
    return must, _words(must, "they are more than it" if must else "as the conventions say")


def _readings(divided: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Return the ways to read the counts, the conventions' own first."""
    return ((), *((whole,) for whole in divided), *((divided,) if len(divided) > 1 else ()))


def _words(wholes: tuple[str, ...], reason: str) -> str:
    if not wholes:
        return f"parts included: {reason}"
    return (
        "; ".join(f"{_NAMES[whole]} beside {whole.split('_')[0]}, added" for whole in wholes) + f": {reason}"
    )


def _sum(found: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(found.get(name, 0) for name in names)
