"""What money a finding must be about for somebody to be called, and how grave a sum is for a tenant.

The gate decides on calling, never on recording and never on what a detector learns; so does AWS Cost Anomaly
Detection, whose alerts look at the total impact of an anomaly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from auditstream.detection.severities import Severity

LEAST = Decimal(20)
"""Least excess that is worth a call, in the key's currency: $20, which costs less than who looks into it.

Measured on ServeGen's clients: gates of $1, $5, $20 and $100 leave a plain detector .385, .279, .170 and .065
false alarms a key and day.
"""

SHARE = Decimal("0.2")
"""Least excess as a share of the tenant's median daily spend: days differ by as much without any cause."""

GRAVE_DAYS = 3
"""Daily budgets in 24 hours from which on an excess is critical."""

_DAY = 24 * 60
_LEAST_MINUTES = 60  # five minutes at $5 are not $1,440 a day: a short episode is taken to last an hour


@dataclass(frozen=True, slots=True)
class Stakes:
    """What money means to a tenant, in one currency.

    Attributes:
        median_daily_spend: Median of what its days cost; None when that is not known.
        daily_budget: What it may spend a day; None without a budget: a median day stands for it then.
        gate: Least excess that is worth a call to it, its own setting; None for `LEAST` and `SHARE`.
    """

    median_daily_spend: Decimal | None = None
    daily_budget: Decimal | None = None
    gate: Decimal | None = None

    @property
    def least_excess(self) -> Decimal:
        """Excess from which on somebody is called."""
        if self.gate is not None:
            return self.gate
        return max(LEAST, SHARE * (self.median_daily_spend or Decimal(0)))


UNKNOWN_STAKES = Stakes()
"""Of a tenant that nothing is known of."""


def money_severity(excess: Decimal, minutes: int, stakes: Stakes) -> Severity:
    """Return how grave an excess is: informational below the gate, else by what it comes to in a day.

    Args:
        excess: Money above what was expected since the episode began.
        minutes: How long that took.
        stakes: What money means to the tenant.
    """
    if excess <= 0 or excess < stakes.least_excess:
        return Severity.INFORMATIONAL
    day = stakes.daily_budget or stakes.median_daily_spend
    projected = excess * _DAY / max(minutes, _LEAST_MINUTES)
    if not day or projected < day:
        return Severity.MEDIUM
    return Severity.CRITICAL if projected >= GRAVE_DAYS * day else Severity.HIGH
