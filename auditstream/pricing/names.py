"""Names of models in prices and contracts: a name, or a pattern with `*` and `?`; capitals do not count."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_EXACT = 1_000_000
"""What an exact name says, against a pattern's number of letters: more than any."""


def matches_any(pattern: str, names: Iterable[str]) -> bool:
    """Return whether a pattern is for one of the names; the empty one is for all."""
    return not pattern or any(_compiled(pattern.lower()).fullmatch(name.lower()) for name in names)


def specificity(pattern: str) -> int:
    """Return how much a pattern says: an exact name more than any other, else its number of letters."""
    signs = pattern.count("*") + pattern.count("?")
    return len(pattern) - signs if signs or not pattern else _EXACT


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
