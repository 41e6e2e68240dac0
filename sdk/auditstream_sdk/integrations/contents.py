"""What is left of content: how large it is, and a keyed HMAC when there is a key.

Size and HMAC are of a request's content: its messages, prompt or input, instructions and system text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

CONTENT_FIELDS = ("messages", "input", "prompt", "system", "instructions")
"""Fields of a request that are content, in every API that is wrapped here."""

_DEPTH = 20
"""Levels that are walked: messages have five or six."""


def content_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content fields of a request."""
    return {name: request[name] for name in CONTENT_FIELDS if request.get(name) is not None}


def measured(content: Any, key: bytes | None) -> dict[str, Any]:
    """Return the event fields that content leaves: `content_bytes`, and `content_hmac` with a key.

    Args:
        content: JSON-able values or objects of a package.
        key: Key of the HMAC (SHA-256, lower-case hex, over the JSON with sorted keys and without spaces).
    """
    size = text_bytes(content)
    if key is None:
        return {"content_bytes": size}
    return {"content_bytes": size, "content_hmac": keyed(content, key)}


def keyed(content: Any, key: bytes) -> str:
    """Return the HMAC of content, as lower-case hex."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return hmac.new(key, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def text_bytes(value: Any, depth: int = 0) -> int:
    """Return the UTF-8 bytes of all texts in a value; names of fields do not count."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    return sum(text_bytes(item, depth + 1) for item in _items(value)) if depth < _DEPTH else 0


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, (list, tuple)):
        return value
    inner = getattr(value, "__dict__", None)  # an object of a package: its fields
    return inner.values() if isinstance(inner, dict) else ()


def _plain(value: Any) -> Any:
    for name in ("model_dump", "to_dict"):
        dump = getattr(value, name, None)
        if callable(dump):
            return dump()
    return str(value)
