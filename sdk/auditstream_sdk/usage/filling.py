"""From what a response says to the fields of a recording."""

from __future__ import annotations

from typing import Any

from auditstream_sdk.usage.facts import ResponseFacts


def fill(recording: Any, facts: ResponseFacts) -> None:
    """Put facts into a recording: model, id, reasons, tier, usage, the rule of overlap, and how it ended.

    Args:
        recording: A recording of `inference` or `embedding`.
        facts: What the response says.
    """
    recording.family.update(facts.family())
    recording.usage(**facts.usage.fields())
    attributes = facts.attributes()
    if attributes:
        recording.set(attributes=attributes)
    if facts.error is not None:
        recording.fail(facts.error)
    elif not facts.complete:
        recording.set(outcome="PARTIAL")
