"""A nested record of JSON as attributes: texts by dotted path, so that nothing of it is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def attributes_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Return a record's values as texts by path: `userIdentity.type`.

    Numbers are as JSON has them, truth values `true` and `false`; lists are compact JSON. Nulls, and objects
    and lists without anything in them, are left out.
    """
    return dict(_paths(record, ""))


def _paths(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{path}.")
        elif isinstance(value, str):
            yield path, value
        elif value is not None and value != []:
            yield path, json.dumps(value, ensure_ascii=False, separators=(",", ":"))
