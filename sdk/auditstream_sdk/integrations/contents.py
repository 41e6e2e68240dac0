"""What is left of content: how large it is, and a keyed HMAC when there is a key.

Size and HMAC are of a request's content: its messages, prompt or input, instructions and system text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

CONTENT_FIELDS = ("messages", "input", "prompt", "system", "instructions")
"""Fields of a request that are content, in every API that is wrapped here."""

_NO_CONTENT = frozenset({"role", "type"})
"""Names of texts that are no content, but say what is."""

_DEPTH = 20
"""Levels that are walked: messages have five or six."""


def content_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content fields of a request."""
    return {name: request[name] for name in CONTENT_FIELDS if request.get(name) is not None}


def measured(content: Any, key: bytes | None) -> dict[str, Any]:
    """Return the event fields that content leaves: `content_bytes`, and `content_hmac` with a key.

    Args:
        content: JSON-able values or objects of a package.
        key: The tenant's HMAC key, or one of your own.
    """
    size = text_bytes(content)
    if key is None:
        return {"content_bytes": size}
    text = _canonical(content)
    framed = struct.pack(">I", len(_PIECE)) + _PIECE + struct.pack(">Q", len(text)) + text
    return {"content_bytes": size, "content_hmac": _digest("content", framed, key)}


def keyed(purpose: str, value: Any, key: bytes) -> str:
    """Return the HMAC of a value for a purpose (`arguments`, `tools`, `system`), as lower-case hex.

    HMAC-SHA256 over `auditstream/PURPOSE/v1`, a line end and the JSON with sorted keys and without spaces; a
    text is taken as it is. It is the gateway's own form, so equal bytes under one key are equal anywhere.
    """
    return _digest(purpose, _canonical(value), key)


def hashes(*, tools: Any, system: Any, key: bytes | None) -> dict[str, str]:
    """Return the fields of `inference` by which changes of tool definitions and system text are seen.

    Args:
        tools: The definitions; None when there are none.
        system: The system text or instructions, likewise.
        key: As for `measured`; without one there are no fields.
    """
    if key is None:
        return {}
    parts = (("tools", "tool_defs_hash", tools), ("system", "system_hash", system))
    return {field: keyed(purpose, value, key) for purpose, field, value in parts if value}


_PIECE = b"content.input"


def _canonical(value: Any) -> bytes:
    text = value if isinstance(value, str) else _JSON.encode(value)
    return text.encode(errors="surrogatepass")


def _digest(purpose: str, value: bytes, key: bytes) -> str:
    return hmac.new(key, f"auditstream/{purpose}/v1\n".encode() + value, hashlib.sha256).hexdigest()


def text_bytes(value: Any, depth: int = 0) -> int:
    """Return the UTF-8 bytes of all texts in a value; names of fields do not count."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    return sum(text_bytes(item, depth + 1) for item in _items(value)) if depth < _DEPTH else 0


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return (item for name, item in value.items() if name not in _NO_CONTENT)
    if isinstance(value, (list, tuple)):
        return value
    inner = getattr(value, "__dict__", None)  # an object of a package: its fields
    return (inner,) if isinstance(inner, dict) else ()


def _plain(value: Any) -> Any:
    for name in ("model_dump", "to_dict"):
        dump = getattr(value, name, None)
        if callable(dump):
            return dump()
    return str(value)


_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
