"""Events as the JSON that the gateway takes: times RFC 3339, decimals as strings, bytes as base64.

Done in the background. What JSON has no form for is refused here, by field, and never guessed at.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

Event = dict[str, Any]

Protect = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Returns an event as it may leave the process; the one that it is given stays as it is."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class UnencodableError(Exception):
    """An event holds what JSON has no form for; the message names it."""


def time_text(unix_ns: int) -> str:
    """Return a time as RFC 3339 in microseconds, UTC."""
    at = _EPOCH + timedelta(microseconds=unix_ns // 1000)
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def encoded(event: Mapping[str, Any]) -> bytes:
    """Return an event as one line of JSON, without the line end.

    Raises:
        UnencodableError: A value has no form in JSON.
    """
    try:
        return _encode(event).encode()
    except UnicodeEncodeError:
        raise UnencodableError("has half of a surrogate pair, which UTF-8 cannot carry") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UnencodableError(_place(event) or str(error)) from None


def _place(event: Mapping[str, Any]) -> str:
    """Return which field cannot be encoded; its name and type, never its value."""
    for name, value in event.items():
        try:
            _encode(value)
        except (TypeError, ValueError, RecursionError) as error:  # noqa: PERF203  it did not fit as a whole
            inner = _place(value) if isinstance(value, Mapping) else ""
            return f"{name}.{inner}" if inner else f"{name}: {type(value).__name__}: {error}"
    return ""


def _form(value: Any) -> Any:
    """Return the JSON form of what the encoder does not know."""
    if isinstance(value, datetime):
        text = value.isoformat()
        return text[:-6] + "Z" if text.endswith("+00:00") else text
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"has no form in JSON: {type(value).__name__}")


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=True, separators=(",", ":"), default=_form
).encode


def attribute_text(value: Any) -> str:
    """Return a value as the text that an attribute holds."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
