"""What a request asks of a model, as fields of `inference`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def stated(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that were given as text or as a number; a package's own "not given" is neither."""
    return {name: value for name, value in asked.items() if isinstance(value, (str, int, float))}
