"""Problem details of HTTP: one shape for every refusal, whichever door it comes from.

Source: RFC 9457. `code` and `field` are extensions: callers branch on the code, and read what to mend.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"

_TYPE = "urn:auditstream:problem:"


def problem(status: int, code: str, detail: str, *, field: str = "", **more: Any) -> dict[str, Any]:
    """Return a problem as JSON data.

    Args:
        status: HTTP status.
        code: Stable word.
        detail: What is wrong, for a person.
        field: Path of the field, header or parameter at fault; empty where there is none.
        more: Further members; empty ones are left out.
    """
    return {
        "type": _TYPE + code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "field": field or None,
        **{name: value for name, value in more.items() if value},
    }


def retry_after(seconds: float) -> str:
    """Return the value of `Retry-After`: whole seconds, at least one (RFC 9110, section 10.2.3)."""
    return str(max(1, math.ceil(seconds)))
