"""What an attribute's value is turned into; None when it cannot be, and then the attribute is kept as it is.

Producers are loose with types (a count as a string, one finish reason as a plain string), so each conversion
takes what can be meant without guessing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from auditstream.gateway.otlp.values import text_of

Convert = Callable[[Any], Any]

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_PRINTED_CLASS = re.compile(r"<class '([^']+)'>")
_LONG = 1 << 63
_MICROS = 1_000_000

_PROVIDERS = {
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
}
"""Older and foreign names of providers, and what the conventions call them now."""


def text(value: Any) -> str | None:
    """Text; numbers and flags as text; nothing when empty."""
    if isinstance(value, list | dict | bytes):
        return None
    return text_of(value) or None


def texts(value: Any) -> list[str] | None:
    """A list of texts; one text is a list of one."""
    if isinstance(value, str):
        return [value] if value else None
    if not isinstance(value, list):
        return None
    return [text_of(item) for item in value if item is not None and item != ""] or None


def whole(value: Any) -> int | None:
    """An integer of 64 bits; also as text or as a double without a fraction."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _LONG:
        value = int(value)
    return value if isinstance(value, int) and -_LONG <= value < _LONG else None


def count(value: Any) -> int | None:
    """An integer that is zero or more."""
    found = whole(value)
    return found if found is not None and found >= 0 else None


def small_count(value: Any) -> int | None:
    """An integer of 32 bits that is zero or more."""
    found = count(value)
    return found if found is not None and found < 1 << 31 else None


def status(value: Any) -> int | None:
    """An HTTP status, 100 to 599."""
    found = whole(value)
    return found if found is not None and 100 <= found <= 599 else None


def number(value: Any) -> float | None:
    """A finite number; also as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def unit_share(value: Any) -> float | None:
    """A number from 0 to 1."""
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None


def flag(value: Any) -> bool | None:
    """True or false; also as text."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def seconds(value: Any) -> int | None:
    """Seconds as a double, to whole microseconds."""
    found = number(value)
    return round(found * _MICROS) if found is not None and 0 <= found < _LONG / _MICROS else None


def provider(value: Any) -> str | None:
    """A provider's name as the conventions spell it now, in lower case."""
    name = text(value)
    if name is None:
        return None
    name = name.strip().lower()
    return _PROVIDERS.get(name, name) or None


def url_host(value: Any) -> str | None:
    """Host name of a URL."""
    if not isinstance(value, str):
        return None
    try:
        return urlsplit(value).hostname
    except ValueError:
        return None


def hexadecimal(value: Any) -> str | None:
    """Hex digits, in lower case."""
    found = value.lower() if isinstance(value, str) else ""
    return found if _HEX.fullmatch(found) else None


def country(value: Any) -> str | None:
    """An ISO 3166 code of two letters."""
    found = value.upper() if isinstance(value, str) else ""
    return found if re.fullmatch("[A-Z]{2}", found) else None


def error_class(value: Any) -> str | None:
    """Text; of a Python class as it prints itself, its name."""
    found = text(value)
    if found is None:
        return None
    printed = _PRINTED_CLASS.fullmatch(found)
    return printed.group(1) if printed else found


def word(value: Any) -> str | None:
    """Text in lower case."""
    found = text(value)
    return found.lower() if found is not None else None
