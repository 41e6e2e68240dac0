"""Bytes and numbers as the C2SP formats write them, with exactly one text for each value."""

from __future__ import annotations

import base64
import binascii
import re

from auditstream.ledger.merkle import MAX_SIZE

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")  # 2^63 - 1 has 19 digits


def to_base64(data: bytes) -> str:
    """Return standard base64 (RFC 4648, section 4) with padding."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Return the bytes that `to_base64` writes as this text.

    Raises:
        ValueError: Any other text: url-safe letters, padding left out, white space, stray last bits.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not standard base64: {text[:80]!r}") from error
    if to_base64(data) != text:
        raise ValueError(f"not the one base64 text of its bytes: {text[:80]!r}")
    return data


def from_decimal(text: str) -> int:
    """Return a number from 0 to 2^63 - 1.

    Raises:
        ValueError: Anything but ASCII digits without a leading zero, or a larger number.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"not a decimal number below 2^63 without leading zeros: {text[:80]!r}")
    number = int(text)
    if number > MAX_SIZE:
        raise ValueError(f"larger than 2^63 - 1: {text}")
    return number
