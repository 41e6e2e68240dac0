"""How fast a budget burns at a moment, be it of failures or of money."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, TypeVar

from auditstream.detection.burn import BurnRow, Burns

Amount = TypeVar("Amount", bound=Any)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burning:
    """The burn of one budget.

    Attributes:
        at: The moment, at a full minute: what happened before it counts.
        rates: Burn rate by minutes of the window.
        burns: What the rows of the burn table say, for this one budget.
    """

    at: datetime
    rates: Mapping[int, float]
    burns: Burns

    @property
    def firing(self) -> BurnRow | None:
        """The most severe row of the burn table that fires, of equal ones the fastest."""
        fired = [row for row, fires in zip(self.burns.rows, self.burns.fires[:, 0], strict=True) if fires]
        return max(fired, key=lambda row: (row.severity, -row.long), default=None)

    @property
    def level(self) -> float:
        """How near the burn table is to firing: from 1 on it does."""
        return float(self.burns.levels[:, 0].max(initial=0.0))


def in_windows(
    minutes: Mapping[int, Amount], lengths: Sequence[int], now: int, nothing: Amount
) -> dict[int, Amount]:
    """Return the sums of windows that end with a minute, by their lengths.

    Args:
        minutes: What each minute brought, by its number since 1970.
        lengths: Minutes of the windows, ascending.
        now: The minute that they end with; it is in none.
        nothing: The sum of no minutes.
    """
    between = [nothing] * len(lengths)
    for minute, amount in minutes.items():
        place = bisect_left(lengths, now - minute)  # the shortest window that has it
        if minute < now and place < len(lengths):
            between[place] += amount
    return dict(zip(lengths, accumulate(between), strict=True))
