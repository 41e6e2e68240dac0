"""Values of a record of JSON that another system wrote, as an event's fields take them.

Systems write the same thing in several places: of the paths that are given, the first with a value counts.
A path is names joined by dots; a number is a place in a list. What does not fit a field is left out of it and
stays in `attributes`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from auditstream.core.ids import uuid7
from auditstream.emit.reading import BadLineError

_COUNTRY = re.compile(r"[A-Z]{2}")


def value_at(record: Any, path: str) -> Any:
    """Return the value at a path, None where there is none."""
    for name in path.split("."):
        if isinstance(record, Mapping):
            record = record.get(name)
        elif isinstance(record, Sequence) and not isinstance(record, str) and name.isdigit():
            record = record[int(name)] if int(name) < len(record) else None
        else:
            return None
    return record


def text_at(record: Any, *paths: str) -> str:
    """Return the first text at one of the paths, empty where there is none."""
    return next(iter(given("", *(value_at(record, path) for path in paths)).values()), "")


def count_at(record: Any, *paths: str) -> int | None:
    """Return the first whole number that is not negative, also one that is written as a text."""
    for path in paths:
        value = value_at(record, path)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _MOST_DIGITS:
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


_MOST_DIGITS = 19
"""Digits from which on a number may not fit 64 bits."""


def given(name: str, *values: Any) -> dict[str, str]:
    """Return a field with the first of the values that is a text, or nothing."""
    return next(({name: value} for value in values if isinstance(value, str) and value), {})


def address(value: Any) -> dict[str, str]:
    """Return the field of an IP address, or nothing where the value is none: a name, or a masked one."""
    try:
        return {"src_ip": str(ipaddress.ip_address(value))} if isinstance(value, str) else {}
    except ValueError:
        return {}


def country(value: Any) -> dict[str, str]:
    """Return the field of a country that is given by its ISO 3166 code, or nothing."""
    return {"src_country": value} if isinstance(value, str) and _COUNTRY.fullmatch(value) else {}


def required_text(record: Mapping[str, Any], *paths: str) -> str:
    """Return the text at the first path with a value.

    Raises:
        BadLineError: There is none, or it is no text; names the first path.
    """
    value = next((found for path in paths if (found := value_at(record, path)) is not None), None)
    if not isinstance(value, str) or not value:
        raise BadLineError(paths[0], "is required" if value is None else "is not a text")
    return value


def required_time(record: Mapping[str, Any], *paths: str, ticks_per_s: int = 0) -> datetime:
    """Return the time at the first path with a value.

    Args:
        record: The record.
        paths: Where it may be.
        ticks_per_s: How many of its units are a second, where it is a number since 1970; 0 for a text in the
            form of ISO 8601, UTC where it has no offset.

    Raises:
        BadLineError: There is none, or it is no time; names the path.
    """
    path = next((each for each in paths if value_at(record, each) is not None), paths[0])
    try:
        if ticks_per_s:
            return _moment(value_at(record, path), ticks_per_s)
        time = datetime.fromisoformat(required_text(record, path))
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        form = "a number of a time since 1970" if ticks_per_s else "a time as in 2026-01-31T12:00:00Z"
        raise BadLineError(path, f"is not {form}") from None


def _moment(value: Any, ticks_per_s: int) -> datetime:
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return datetime.fromtimestamp(value / ticks_per_s, UTC)


def record_id(own: str, log: str, time: datetime, place: bytes) -> UUID:
    """Return the id of a record's event.

    Its own id, so that a record of two files is one event; made a UUIDv7 of the time where it is none itself.

    Args:
        own: The record's own id, empty where it has none.
        log: What tells ids of this log from those of others.
        time: Time of the record.
        place: Where the record was, for one without an id.
    """
    try:
        return UUID(own)
    except ValueError:
        seed = f"{log}\0{own}".encode() if own else place
        return uuid7(int(time.timestamp()) * 1_000, hashlib.sha256(seed).digest()[:10])
