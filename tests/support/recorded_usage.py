"""Usage as the catalogue's extractors name it, from usage as the SDK reads it: one form to compare."""

from __future__ import annotations

from auditstream_sdk.usage import Usage

_METERS = {"input": "input_{}_tokens", "output": "output_{}_tokens", "cache_read": "cache_{}_read_tokens"}


def catalogue_counts(usage: Usage) -> dict[str, int]:
    """Return the counts by the catalogue's keys; zeros are left out, as they are in its recordings."""
    found = {
        "input_tokens": usage.input_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
    }
    for key, count in usage.by_modality.items():
        modality, dot, part = key.partition(".")
        found[_METERS[part].format(modality) if dot else key] = count
    return {key: count for key, count in found.items() if count}
