"""What doctor makes of what it sees."""

from __future__ import annotations

import pytest

from auditstream.cli.checkup import (
    Finding,
    backlog_finding,
    failure_code,
    lease_findings,
    skew_finding,
    window_finding,
)
from auditstream.core.settings import ClickHouseSettings, Settings
from auditstream.query.backlog import Backlog

FED = ("events", "segment_ranges", "usage_1m", "usage_1h", "outcomes_1m", "latency_1m")


@pytest.mark.parametrize(
    ("timeout_s", "state"), [(10, "ok"), (10.5, "warning"), (18.5, "warning"), (19, "failed"), (20, "failed")]
)
def test_an_insert_fits_into_half_a_lease_and_never_outlasts_a_whole_one(
    timeout_s: float, state: str
) -> None:
    settings = Settings(clickhouse=ClickHouseSettings(timeout_s=timeout_s))  # type: ignore[call-arg]

    assert [finding.state for finding in lease_findings(settings)] == [state]


@pytest.mark.parametrize(("window", "state"), [(400, "ok"), (399, "failed")])
def test_a_table_remembers_a_hundred_inserts_a_partition(window: int, state: str) -> None:
    windows = dict.fromkeys(FED, 500) | {"usage_1h": window, "tenants": 0}

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


YOUNG = Backlog("t", 0, recorded_to=5, log_start=0, retention_ms=7_200_000)
HALF_OVER = Backlog("t", 1, 6, 0, 7_200_000, is_half_over=True)
OVER = Backlog("t", 2, 7, 0, 7_200_000, is_half_over=True, is_over=True)
LOST = Backlog("t", 3, 8, 11, None)


@pytest.mark.parametrize(
    ("backlogs", "state", "told"),
    [
        ([], "ok", "nothing older"),
        ([YOUNG], "ok", "nothing older"),
        ([YOUNG, HALF_OVER], "warning", "t/1 from offset 6 (kept for 2 h)"),
        ([HALF_OVER, OVER], "failed", "at any moment: t/2 from offset 7"),
        ([OVER, LOST], "failed", "t/3 offsets 8..10"),
    ],
)
def test_what_is_not_recorded_is_younger_than_half_of_what_kafka_keeps(
    backlogs: list[Backlog], state: str, told: str
) -> None:
    finding = backlog_finding(backlogs)

    assert (finding.check, finding.state) == ("backlog", state)
    assert told in finding.detail
    assert bool(finding.advice) == (state != "ok")
    assert bool(finding.exit_code) == (state == "failed")


def test_a_service_that_is_away_decides_the_exit_code() -> None:
    fine = Finding("a", "ok", "")
    away = Finding("b", "failed", "", exit_code=6)
    wrong = Finding("c", "failed", "", exit_code=78)

    assert failure_code([fine]) == 0
    assert failure_code([fine, Finding("d", "warning", "", exit_code=0)]) == 0
    assert failure_code([wrong, fine]) == 78
    assert failure_code([wrong, away]) == 6
