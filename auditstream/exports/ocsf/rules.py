"""How a column becomes an attribute of an OCSF event: the tables' rows, and the conversions they name."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from auditstream.core.clock import EPOCH, utc_text

Conversion = Callable[[Any], Any]

_MILLISECOND = timedelta(milliseconds=1)


def same(value: Any) -> Any:
    """Return the value as it is."""
    return value


@dataclass(frozen=True, slots=True)
class Rule:
    """One column and where its value goes.

    Attributes:
        column: Column of a row.
        path: Attribute, names joined by dots; `[]` after a name is the one entry of its list.
        value: Makes the attribute's value of the column's; None where it cannot, and the column is then one
            without a rule.
        exact: Whether the attribute has all that the column says; if not, the column stays in `unmapped` too.
    """

    column: str
    path: str
    value: Conversion = same
    exact: bool = True


def milliseconds(value: datetime) -> int:
    """Return a time as OCSF's `timestamp_t`: milliseconds since 1970."""
    return (value - EPOCH) // _MILLISECOND


def in_milliseconds(value: int) -> int:
    """Return microseconds as whole milliseconds."""
    return value // 1_000


def iso_text(value: datetime) -> str:
    """Return a time as text."""
    return utc_text(value)


def text(value: Any) -> str:
    """Return a number as text."""
    return str(value)


def address(value: str) -> str | None:
    """Return an IP address, None for a text that is none."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return None


def named(values: Sequence[str]) -> list[dict[str, str]]:
    """Return texts as a list of objects with a name."""
    return [{"name": each} for each in values]


def with_uid(values: Sequence[str]) -> list[dict[str, str]]:
    """Return ids as a list of objects with a uid."""
    return [{"uid": each} for each in values]


def techniques(values: Sequence[str]) -> list[dict[str, Any]]:
    """Return ids of ATLAS and OWASP as attacks."""
    return [{"technique": {"uid": each}} for each in values]


def other_class(values: Sequence[str]) -> list[dict[str, Any]]:
    """Return classes of data as data classifications; OCSF's own categories are of another list."""
    return [{"category": each, "category_id": 99} for each in values]


def hmac(value: str) -> dict[str, Any]:
    """Return a keyed hash as a fingerprint."""
    return {"algorithm": "HMAC-SHA-256", "algorithm_id": 99, "value": value}


def choice(table: Mapping[str, Any]) -> Conversion:
    """Return the conversion of a vocabulary: the value beside the word, None for a word that is not in it."""
    return table.get


def put(event: dict[str, Any], path: str, value: Any) -> bool:
    """Set an attribute unless it is set already, and return whether it was."""
    holder: Any = event
    *parents, last = path.split(".")
    for name in parents:
        holder = _inside(holder, name)
    if last in holder:
        return False
    holder[last] = value
    return True


def _inside(holder: dict[str, Any], name: str) -> dict[str, Any]:
    if name.endswith("[]"):
        inside: dict[str, Any] = holder.setdefault(name[:-2], [{}])[0]
    else:
        inside = holder.setdefault(name, {})
    return inside
