"""Content of an event by kind: one content has one form, and so one HMAC, whatever door it came by."""

from __future__ import annotations

import json
from collections.abc import Mapping

from auditstream.identity.attribute_names import OWN, Content, meaning_of

_TOOL_CALL = "ai.tool_call"
_OF_A_TOOL: dict[Content, Content] = {
    "content.input": "content.arguments",
    "content.output": "content.result",
}


def content_of(name: str, event_type: str) -> Content | None:
    """Return the kind of content that an attribute of an event holds, None for no content."""
    meaning = meaning_of(name)
    if meaning is None or meaning in {"person", "address"}:
        return None
    return kind_in(event_type, name, meaning)  # type: ignore[arg-type]  # the other two were looked at


def kind_in(event_type: str, name: str, kind: Content) -> Content:
    """Return the kind of content in an event: a tool call's input is its arguments, its output the result.

    Args:
        event_type: Type of the event.
        name: Attribute that holds it; one of the names of the kinds themselves is taken at its word.
        kind: Kind that the name stands for elsewhere.
    """
    return kind if event_type != _TOOL_CALL or name in OWN else _OF_A_TOOL.get(kind, kind)


def joined(parts: Mapping[str, str]) -> str:
    """Return several pieces of one kind as one text: a JSON object by name, sorted; a single one as it is."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    return json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
