"""Events as JSON, in the form that `schemas.intake` takes back to the same datum."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


def json_of(datum: Mapping[str, Any]) -> str:
    """Return a datum as JSON on one line: times in RFC 3339, decimals as text, bytes as base64; no nulls.

    Args:
        datum: As `schemas.intake.datum_of` gives it.
    """
    given = {name: value for name, value in datum.items() if value is not None}
    return json.dumps(given, separators=(",", ":"), default=_text)


def _text(value: object) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case UUID():
            return str(value)
        case Decimal():
            return f"{value:f}"
    raise TypeError(f"{type(value).__name__} is of no type of the contract")
