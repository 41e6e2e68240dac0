"""A fact as one hash, the same whether it was read from a document or from the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from auditstream.reference.fact import Fact
from auditstream.reference.kinds import kind_of


def digest(fact: Fact) -> str:
    """Return the SHA-256 of a fact, lower-case hex: of its kind, its fields and when it holds.

    Hashed is one JSON object, UTF-8, without blanks, names sorted: a decimal as text without trailing zeros,
    a time as ISO 8601 in UTC with microseconds and Z, `kind_of_fact` beside the fields.
    """
    fields = {name: _plain(value) for name, value in fact.model_dump().items()}
    whole = fields | {"kind_of_fact": kind_of(type(fact)).name}
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return _without_trailing_zeros(f"{value:f}") if value else "0"  # a zero has no sign here
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value


def _without_trailing_zeros(text: str) -> str:
    # `Decimal.normalize` would round to the digits of the context.
    return text.rstrip("0").rstrip(".") if "." in text else text
