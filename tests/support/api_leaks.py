"""What of other tenants an answer of the API holds: nothing but what the request said itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from httpx import Response

from tests.support.access_house import TENANTS
from tests.support.api_house import ROWS
from tests.support.blocks import LOG, event_id_at

OWN, *OTHERS = TENANTS
OWN_ROWS = ROWS // 3

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMES = re.compile("|".join(OTHERS), re.IGNORECASE)
_FOREIGN_IDS = {str(event_id_at(LOG, number)) for number in range(ROWS) if number % 3}
_FOREIGN_FINDINGS = ("2222222222", "3333333333")
_COUNTS = {"events", "recorded_events", "valid", "good"}


def leaks(answer: Response) -> list[str]:
    """Return what an answer to acme's token holds of others; what the request said itself is no leak."""
    sent = f"{answer.request.url} {dict(answer.request.headers)} {answer.request.content!r}"
    said = f"{answer.text} {dict(answer.headers)}"
    found = [f"name {name}" for name in set(_NAMES.findall(said)) if name not in sent]
    found += [f"event {each}" for each in set(_UUID.findall(said)) & _FOREIGN_IDS if each not in sent]
    found += [f"finding {each}" for each in _FOREIGN_FINDINGS if each in said and each not in sent]
    for key, value in _members(answer):
        if key == "tenant_id" and value not in {OWN, "", None}:
            found.append(f"row of {value}")
        if key in _COUNTS and isinstance(value, int) and value > OWN_ROWS:
            found.append(f"{key} {value}: more than there are of one's own")
    return found


def _members(answer: Response) -> Iterator[tuple[str, Any]]:
    kind = answer.headers.get("content-type", "")
    if "json" not in kind:
        return
    texts = answer.text.splitlines() if "ndjson" in kind else [answer.text]
    pending = [json.loads(each) for each in texts]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            yield from value.items()
            pending += value.values()
        elif isinstance(value, list):
            pending += value
