"""Content of a call, measured and dropped: its size, and keyed HMACs where a key is at hand.

The HMAC of a call's content is over its pieces in the order in which they came, each as its role, a zero
byte, its length in 8 bytes and the piece itself, so that no two contents have the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from auditstream.gateway.otlp.entries import Role
from auditstream.gateway.otlp.kinds import TOOL_CALL
from auditstream.gateway.otlp.values import bytes_of

Hmac = Callable[[bytes], str]
"""Returns the keyed HMAC of some bytes as lower-case hex; the key is the tenant's."""

_ASKED = frozenset({Role.INPUT, Role.SYSTEM, Role.TOOLS, Role.ARGUMENTS})
_CALL_ROLES = {Role.INPUT: Role.ARGUMENTS, Role.OUTPUT: Role.RESULT}
"""What a tool's span calls its input and output."""


@dataclass(slots=True)
class Contents:
    """The pieces of content of one event.

    Attributes:
        pieces: Role and bytes of each, in order.
    """

    pieces: list[tuple[Role, bytes]] = field(default_factory=list)

    def add(self, role: Role, value: Any) -> None:
        """Add a piece."""
        self.pieces.append((role, bytes_of(value)))

    def fields(self, event_type: str, hmac: Hmac | None) -> dict[str, Any]:
        """Return the fields that tell of the content: paths to values; empty when there is none.

        Args:
            event_type: Type of the event: a tool's input and output are arguments and result.
            hmac: Keyed HMAC; without it there are sizes only.
        """
        if not self.pieces:
            return {}
        if event_type == TOOL_CALL:
            self.pieces = [(_CALL_ROLES.get(role, role), piece) for role, piece in self.pieces]
        found: dict[str, Any] = {"content_bytes": sum(len(piece) for _, piece in self.pieces)}
        if event_type == TOOL_CALL and (result := self._of(Role.RESULT)):
            found["tool.result_bytes"] = len(b"".join(result))
        if hmac is None:
            return found
        found["content_hmac"] = hmac(_framed(self.pieces))
        if event_type == TOOL_CALL:
            self._add_hmac(found, "tool.args_hmac", Role.ARGUMENTS, hmac)
        else:
            self._add_hmac(found, "inference.tool_defs_hash", Role.TOOLS, hmac)
            self._add_hmac(found, "inference.system_hash", Role.SYSTEM, hmac)
        return found

    def passed_on(self) -> dict[str, str]:
        """Return the content itself as attributes, for a stage that seals it and takes it out again."""
        asked = [piece for role, piece in self.pieces if role in _ASKED]
        answered = [piece for role, piece in self.pieces if role not in _ASKED]
        named = {"content.input": asked, "content.output": answered}
        return {name: b"\n".join(pieces).decode(errors="replace") for name, pieces in named.items() if pieces}

    def _of(self, role: Role) -> list[bytes]:
        return [piece for own, piece in self.pieces if own is role]

    def _add_hmac(self, found: dict[str, Any], path: str, role: Role, hmac: Hmac) -> None:
        pieces = self._of(role)
        if pieces:
            found[path] = hmac(_framed([(role, piece) for piece in pieces]))


def _framed(pieces: list[tuple[Role, bytes]]) -> bytes:
    return b"".join(
        role.value.encode() + b"\0" + len(piece).to_bytes(8, "big") + piece for role, piece in pieces
    )
