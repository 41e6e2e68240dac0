"""Windows as Sloth publishes them: its own files of 28 and 30 days, and its example of a week."""

from __future__ import annotations

from typing import Any

import pytest

from auditstream.detection.burn import LONGEST_PERIOD, burn_rows
from auditstream.notify.alert_windows import alert_windows

# slok/sloth v0.16.0: internal/alert/windows/google-28d.yaml and google-30d.yaml, examples/windows/7d.yaml
LENGTHS = {
    ("page", "quick"): ("5m", "1h"),
    ("page", "slow"): ("30m", "6h"),
    ("ticket", "quick"): ("2h", "1d"),
    ("ticket", "slow"): ("6h", "3d"),
}
SHARES = {7: (8, 12.5, 20, 42), 28: (2, 5, 10, 10), 30: (2, 5, 10, 10)}


@pytest.mark.parametrize("days", SHARES)
def test_the_document_is_the_published_one(days: int) -> None:
    spec: dict[str, Any] = {"sloPeriod": f"{days}d"}
    for ((alert, speed), (short, long)), share in zip(LENGTHS.items(), SHARES[days], strict=True):
        window = {"errorBudgetPercent": share, "shortWindow": short, "longWindow": long}
        spec.setdefault(alert, {})[speed] = window

    assert alert_windows(days) == {
        "apiVersion": "sloth.slok.dev/v1",
        "kind": "AlertWindows",
        "spec": spec,
    }


def test_of_a_longer_period_another_tool_derives_our_factors() -> None:
    """Sloth's factor is the share times the period over the long window."""
    quick = alert_windows(90)["spec"]["page"]["quick"]

    factor = quick["errorBudgetPercent"] / 100 * 90 * 24 / 1
    assert factor == pytest.approx(burn_rows(90 * 1_440)[0].factor(90 * 1_440))
    assert factor == pytest.approx(0.02 * LONGEST_PERIOD / 60)


def test_a_period_of_less_than_a_week_has_no_windows() -> None:
    with pytest.raises(ValueError, match="6 days"):
        alert_windows(6)
