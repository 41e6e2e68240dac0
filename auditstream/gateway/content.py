"""Content out of events: what people and models said is not recorded, only how much of it there was.

The stage of the gateway between the contract and Kafka. This one knows no keys: it drops content and keeps
its size.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

_CONTENT = re.compile(
    r"content\.(input|output)|(input|output)\.value|traceloop\.entity\.(input|output)"
    r"|gen_ai\.(input\.messages|output\.messages|system_instructions|prompt|completion|tool\.call\.arguments"
    r"|tool\.call\.result|tool\.definitions)(\..*)?"
    r"|gen_ai\.(prompt|completion)\.\d+\..*|llm\.(input_messages|output_messages|prompts|completions)(\..*)?"
)
"""Names of attributes that hold content: OpenTelemetry's, OpenInference's, OpenLLMetry's, and our own."""


class Protection(Protocol):
    """What an event goes through before it is recorded."""

    def protect(self, datum: dict[str, Any]) -> dict[str, Any]:
        """Return the event as it may be recorded.

        Raises:
            RejectError: It may not; names the field.
            RetryableError: A key is needed that cannot be had now.
        """
        ...


class ContentDropped:
    """Drops attributes that hold content and adds their size to `content_bytes`."""

    def protect(self, datum: dict[str, Any]) -> dict[str, Any]:
        """Return the event without content."""
        attributes = datum.get("attributes")
        if not attributes:
            return datum
        found = [name for name in attributes if _CONTENT.fullmatch(name)]
        if not found:
            return datum
        size = sum(len(attributes[name].encode()) for name in found)
        kept = {name: value for name, value in attributes.items() if name not in found}
        return {**datum, "attributes": kept, "content_bytes": datum.get("content_bytes") or size}
