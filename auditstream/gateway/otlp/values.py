"""Attribute values of OTLP as Python values and as text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

_DEEPEST = 16
"""Levels of nesting that a value may have; deeper ones are cut: an attribute is no document."""


def python_value(value: Any, depth: int = 0) -> Any:
    """Return an AnyValue as str, bool, int, float, bytes, list, dict or None."""
    kind = value.WhichOneof("value")
    if kind is None or depth > _DEEPEST:
        return None
    if kind == "array_value":
        return [python_value(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {item.key: python_value(item.value, depth + 1) for item in value.kvlist_value.values}
    return getattr(value, kind)


def attributes_of(pairs: Iterable[Any]) -> dict[str, Any]:
    """Return KeyValue pairs by name; the last of a name counts, empty names and values do not."""
    found = {}
    for pair in pairs:
        value = python_value(pair.value)
        if pair.key and value is not None:
            found[pair.key] = value
    return found


def text_of(value: Any) -> str:
    """Return a value as text: strings as they are, lists and objects as compact JSON, bytes as base64."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=text_of)
    return str(value)
