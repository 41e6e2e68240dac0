"""Pauses after failures: they double up to a bound, and a random part of each is waited (full jitter)."""

from __future__ import annotations

import random
from time import monotonic


class Pacing:
    """When the next attempt may be.

    Args:
        first_s: Longest first pause.
        most_s: Longest pause.
    """

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._failures = 0
        self._not_before = 0.0

    @property
    def wait_s(self) -> float:
        """Seconds until the next attempt, 0 when it may be now."""
        return max(0.0, self._not_before - monotonic())

    def failed(self, at_least_s: float | None = None) -> None:
        """Pause after a failure.

        Args:
            at_least_s: What the other side asked for.
        """
        bound = min(self._most_s, self._first_s * 2 ** min(self._failures, 30))
        self._failures += 1
        pause = random.uniform(bound / 4, bound)  # noqa: S311  spreads clients, keeps no secret
        self._not_before = monotonic() + max(pause, at_least_s or 0.0)

    def held(self, pause_s: float) -> None:
        """Pause for what only people repair."""
        self._not_before = monotonic() + pause_s * random.uniform(0.8, 1.2)  # noqa: S311

    def succeeded(self) -> None:
        """Start anew."""
        self._failures = 0
        self._not_before = 0.0

    def hurry(self) -> None:
        """Allow one attempt now: somebody waits."""
        self._not_before = 0.0
