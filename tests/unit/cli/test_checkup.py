"""What doctor makes of what it sees."""

from __future__ import annotations

import pytest

from auditstream.cli.checkup import Finding, failure_code, lease_findings, skew_finding, window_finding
from auditstream.core.settings import ClickHouseSettings, Settings

FED = ("events", "segment_ranges", "usage_1m", "usage_1h", "outcomes_1m", "latency_1m")


@pytest.mark.parametrize(
    ("timeout_s", "state"), [(10, "ok"), (10.5, "warning"), (18.5, "warning"), (19, "failed"), (20, "failed")]
)
def test_an_insert_fits_into_half_a_lease_and_never_outlasts_a_whole_one(
    timeout_s: float, state: str
) -> None:
    settings = Settings(clickhouse=ClickHouseSettings(timeout_s=timeout_s))  # type: ignore[call-arg]

    assert [finding.state for finding in lease_findings(settings)] == [state]


@pytest.mark.parametrize(("window", "state"), [(80, "ok"), (79, "failed")])
def test_a_table_remembers_twenty_inserts_a_partition(window: int, state: str) -> None:
    windows = dict.fromkeys(FED, 100) | {"usage_1h": window, "tenants": 0}

    assert window_finding(windows, 4).state == state


def test_without_tables_there_is_something_to_do() -> None:
    finding = window_finding({}, 4)

    assert (finding.state, finding.exit_code) == ("failed", 78)
    assert "migrate apply" in finding.advice


@pytest.mark.parametrize(
    ("skew_s", "uncertainty_s", "state"),
    [
        (0.5, 0.1, "ok"),
        (-0.95, 0.1, "warning"),
        (1.2, 0.1, "failed"),
        (-1.2, 0.1, "failed"),
        (5, 4.5, "warning"),
    ],
)
def test_clocks_may_differ_as_much_as_the_workers_assume(
    skew_s: float, uncertainty_s: float, state: str
) -> None:
    assert skew_finding(skew_s, uncertainty_s, 1.0).state == state


def test_a_service_that_is_away_decides_the_exit_code() -> None:
    fine = Finding("a", "ok", "")
    away = Finding("b", "failed", "", exit_code=6)
    wrong = Finding("c", "failed", "", exit_code=78)

    assert failure_code([fine]) == 0
    assert failure_code([fine, Finding("d", "warning", "", exit_code=0)]) == 0
    assert failure_code([wrong, fine]) == 78
    assert failure_code([wrong, away]) == 6
