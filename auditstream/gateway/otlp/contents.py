"""Content of a call, gathered by kind as the privacy stage takes it from every door.

The stage measures it, computes its HMACs, seals it where the tenant chose so, and takes it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from auditstream.gateway.otlp.entries import Role
from auditstream.gateway.otlp.values import text_of
from auditstream.identity.attribute_names import Content
from auditstream.identity.contents import joined, kind_in

KINDS: dict[Role, Content] = {
    Role.INPUT: "content.input",
    Role.OUTPUT: "content.output",
    Role.SYSTEM: "content.system",
    Role.TOOLS: "content.tools",
    Role.ARGUMENTS: "content.arguments",
    Role.RESULT: "content.result",
}
"""Attribute in which the stage looks for content of a role."""


@dataclass(slots=True)
class Contents:
    """The pieces of content of one event.

    Attributes:
        pieces: Their texts by role, and by the name of the attribute that held them.
    """

    pieces: dict[Role, dict[str, str]] = field(default_factory=dict)

    def add(self, role: Role, name: str, value: Any) -> None:
        """Add a piece; of two under one name, as span and resource may have them, both stay."""
        pieces = self.pieces.setdefault(role, {})
        text, free, number = text_of(value), name, 1
        while pieces.get(free, text) != text:
            number += 1
            free = f"{name}#{number}"
        pieces[free] = text

    def attributes(self, event_type: str) -> dict[str, str]:
        """Return the content as attributes, one a kind.

        Args:
            event_type: Type of the event: a tool's input and output are arguments and result.
        """
        found: dict[Content, dict[str, str]] = {}
        for role, pieces in self.pieces.items():
            for name, text in pieces.items():
                found.setdefault(kind_in(event_type, name, KINDS[role]), {})[name] = text
        return {kind: joined(parts) for kind, parts in found.items()}
