"""How many examples a property is tried with: a part in everybody's run, all where they are asked for.

Which ones those are changes with the seed of each run, so that runs add up. `TEST_EXAMPLES=all` asks for all.
"""

from __future__ import annotations

import os

_ALL = os.environ.get("TEST_EXAMPLES") == "all"
# What code forgets, few examples show; what it gets wrong in a corner, runs of hours do.
_SHARE = 0.4
_FEWEST = 20


def examples(number: int) -> int:
    """Return how many of a number of examples to try: all, or 0.4 of them and at least 20."""
    return number if _ALL else min(number, max(_FEWEST, round(number * _SHARE)))
