"""`auditstream trace` and `tail` on a store of their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditstream.cli import tail, trace
from auditstream.core.settings import load
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import NOON, block_of
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def record(lo: int = 0, rows: int = 3, **columns: Any) -> None:
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    insert_by_s = datetime.now(UTC).timestamp() + 60
    sink.insert(block_of(lo=lo, rows=rows, **columns), insert_by_s=insert_by_s, timeout_s=TIMEOUT_S)
    sink.close()


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """An agent that calls a model and a tool, whose call a policy blocks."""
    runs = command_line(monkeypatch, trace, tail)
    record(
        rows=4,
        event_type=["ai.agent.step", "ai.inference", "ai.tool_call", "ai.inference"],
        event_time=[NOON + timedelta(seconds=number) for number in (0, 1, 2, 9)],
        trace_id=[TRACE, TRACE, TRACE, ""],
        span_id=["a", "b", "c", ""],
        parent_span_id=["", "a", "b", ""],
        duration_us=[3_000_000, 250_000, None, None],
        agent_id=["triage", "", "", ""],
        inference_request_model=["", "gpt-4o", "", "claude"],
        tool_name=["", "", "refund\x1b[31m", ""],
        outcome=["SUCCESS", "SUCCESS", "BLOCKED", "SUCCESS"],
        input_tokens=[None, 1200, None, None],
        cost_effective=[None, Decimal("0.0042"), None, None],
        cost_currency=["", "USD", "", ""],
        cost_status=["none", "priced", "none", "unpriced"],
    )
    capsys.readouterr()
    return runs


def test_a_trace_is_a_tree_with_times_tokens_and_money(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("trace", TRACE, "--output", "table") == 0

    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells[1:] == [
        ["agent.step triage", "+0.000 s", "3.000 s", "success"],
        ["└─ inference gpt-4o", "+1.000 s", "0.250 s", "1,200", "0.004200000000 USD", "success"],
        ["└─ tool_call refund\\x1b[31m", "+2.000 s", "blocked"],
        ["3 events in 3.000 s; 1,200 tokens in, 0 out; cost 0.004200000000 USD"],
    ]


def test_a_trace_in_a_pipe_is_a_row_an_event_with_its_depth(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("trace", TRACE) == 0

    rows = rows_of(capsys.readouterr().out)
    assert [(row["depth"], row["event_type"]) for row in rows] == [
        (0, "ai.agent.step"),
        (1, "ai.inference"),
        (2, "ai.tool_call"),
    ]


def test_a_trace_of_another_tenant_is_not_found(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("trace", TRACE, "--tenant", "globex") == 4
    assert "no event has it" in capsys.readouterr().err


def test_tail_shows_the_newest_with_the_oldest_of_them_first_and_ends(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("tail", "--once", "-n", "2") == 0
    assert [row["tool_name"] or row["model"] for row in rows_of(capsys.readouterr().out)] == [
        "refund\x1b[31m",
        "claude",
    ]


def test_tail_goes_on_with_each_event_that_is_recorded_whatever_its_time(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait between looks is where the test records more, and at last presses Ctrl-C."""
    steps = iter(
        [
            lambda: record(lo=4, rows=2, agent_id=["late", "other"], event_time=NOON - timedelta(days=3)),
            lambda: None,
            lambda: record(lo=6, rows=1, agent_id="late"),
        ]
    )

    def wait(_seconds: float) -> None:
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr(time, "sleep", wait)
    assert run("tail", "agent:late", "--output", "table") == 130
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["2025-12-30T12:00:00Z", "2026-01-02T12:00:00Z"]


@pytest.mark.parametrize("wrong", [("--output", "json"), ("--lines", "-1"), ("--lines", "10001")])
def test_what_tail_cannot_do_is_refused(
    run: Run, capsys: pytest.CaptureFixture[str], wrong: tuple[str, ...]
) -> None:
    assert run("tail", *wrong) == 2
    assert wrong[0] in capsys.readouterr().err
