"""How much is tried: a part in everybody's run, all of it at length.

Which ones those are changes with the seed of each run, so that runs add up. `TEST_EXAMPLES=all` asks for all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest

_ALL = os.environ.get("TEST_EXAMPLES") == "all"
# What code forgets, few examples show; what it gets wrong in a corner, runs of hours do.
_SHARE = 0.4
_FEWEST = 20


def examples(number: int) -> int:
    """Return how many of a number of examples to try: all, or 0.4 of them and at least 20."""
    return number if _ALL else min(number, max(_FEWEST, round(number * _SHARE)))


def at_length(cases: Iterable[Any]) -> list[Any]:
    """Return cases of a parametrized test that are tried in the long run alone, as others show the same.

    A tuple is a case of several arguments.
    """
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long)
        for case in cases
    ]
