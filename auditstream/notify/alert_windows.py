"""The windows that burn is watched by, as a document of Sloth: `sloth.slok.dev/v1`, kind AlertWindows."""

from __future__ import annotations

from typing import Any

from auditstream.detection.burn import MINUTES_A_DAY, BurnRow, burn_rows

_PERCENT_PLACES = 6  # hides what binary fractions add to a share


def alert_windows(days: int) -> dict[str, Any]:
    """Return the document for a period in days; other tools derive the same factors from it.

    Raises:
        ValueError: The period is shorter than a week: no windows are known for it.
    """
    rows = {row.name: row for row in burn_rows(days * MINUTES_A_DAY)}
    if not rows:
        raise ValueError(f"{days} days: windows are known for a week and more")

    def window(name: str) -> dict[str, Any]:
        return _window(rows[name], days * MINUTES_A_DAY)

    return {
        "apiVersion": "sloth.slok.dev/v1",
        "kind": "AlertWindows",
        "spec": {
            "sloPeriod": f"{days}d",
            "page": {"quick": window("page_fast"), "slow": window("page_slow")},
            "ticket": {"quick": window("ticket_fast"), "slow": window("ticket_slow")},
        },
    }


def _window(row: BurnRow, period: int) -> dict[str, Any]:
    percent = round(100 * row.factor(period) * row.long / period, _PERCENT_PLACES)
    return {
        "errorBudgetPercent": int(percent) if percent.is_integer() else percent,
        "shortWindow": length_text(row.short),
        "longWindow": length_text(row.long),
    }


def length_text(minutes: int) -> str:
    """Return a length as `5m`, `6h`, `3d`."""
    for size, unit in ((MINUTES_A_DAY, "d"), (60, "h")):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"
