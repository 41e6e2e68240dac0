"""`auditstream report slo` and `report coverage` on a store of their own, against figures made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from auditstream.cli import apply, report, slos
from auditstream.core.ids import uuid7
from auditstream.core.settings import load
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import LOG, block_of, event_id_at
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
AT = ("--at", "2026-11-28T12:00:00Z")
FACTS = """
kind: slo
slo_id: search-answers
tenant_id: acme
scope: {feature_id: search}
indicator: availability
objective: "0.99"
reaction: block
owner: search-team
valid_from: 2026-01-01
---
kind: slo
slo_id: <quick>
tenant_id: globex
indicator: latency_ttft
objective: "0.95"
window_days: 7
valid_from: 2026-01-01
"""


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    runs = command_line(monkeypatch, apply, report, slos)
    (tmp_path / "slos.yaml").write_text(FACTS)
    assert runs("apply", "-f", str(tmp_path / "slos.yaml"), "--without-event") == 0
    return runs


def insert(lo: int, **columns: Any) -> None:
    rows = len(columns["event_time"])
    block = block_of(lo=lo, rows=rows, day=NOON.date(), segment_id=str(uuid7()), **columns)
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    sink.insert(block, insert_by_s=datetime.now(UTC).timestamp() + 60, timeout_s=TIMEOUT_S)
    sink.close()


def test_an_objective_its_ledger_and_its_page(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """900 calls, of which 3 failed four days ago and 15 of the last 300 in the last half hour: 18 of 9."""
    times = [NOON - timedelta(days=4, seconds=n) for n in range(600)]
    times += [NOON - timedelta(seconds=6 * n + 1) for n in range(300)]
    outcomes = ["FAILURE" if n < 3 or (600 <= n < 900 and n % 20 == 0) else "SUCCESS" for n in range(900)]
    insert(0, event_time=times, outcome=outcomes, feature_id="search")
    capsys.readouterr()
    assert run("report", "slo", "--tenant", "acme", *AT) == 0
    out, err = capsys.readouterr()
    (row,) = rows_of(out)
    assert (row["good"], row["valid"], row["good_pct"]) == (882, 900, "98.000")
    assert (row["budget_left_pct"], row["state"]) == ("-100.000", "BLOCK")
    # 15 of 300 are 5 %: five times what 99 % allow, in the half hour and so in every longer window to a day.
    assert [row[f"burn_{each}"] for each in ("30m", "1h", "6h", "1d", "3d")] == [5.0] * 5
    assert row["alert"] == "ticket_fast"
    assert err == ""

    assert run("report", "slo", "--slo", "search-answers", "--ledger", *AT) == 0
    days = rows_of(capsys.readouterr().out)
    assert [(each["day"], each["bad"], each["spent_pct"], each["budget_left_pct"]) for each in days] == [
        ("2026-11-28", 15, "166.667", "-100.000"),
        ("2026-11-24", 3, "33.333", "66.667"),
    ]

    assert run("report", "slo", *AT, "--output", "html") == 0
    out, err = capsys.readouterr()
    ET.fromstring(out.removeprefix("<!doctype html>").replace('<meta charset="utf-8">', ""))
    assert "-100 % of the error budget are left: the budget is gone, it burns fast enough for a ticket" in out
    assert "&lt;quick&gt;: latency_ttft, tenant=globex" in out
    assert "<quick>: nothing that counts was recorded in its period" in err

    assert run("report", "slo", "--slo", "quick") == 4
    assert "There are <quick>, search-answers." in capsys.readouterr().err


def test_coverage_by_feature_and_model_with_what_was_not_covered(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [str(event_id_at(LOG, number)) for number in range(6)]
    policy, review = "ai.policy.decision", "ai.human.review"
    types = ["ai.inference"] * 4 + [policy, review]
    insert(
        0,
        event_time=[NOON + timedelta(minutes=n) for n in range(6)],
        event_type=types,
        outcome="SUCCESS",
        tenant_id=["acme", "acme", "acme", "globex", "acme", "acme"],
        feature_id="search",
        inference_response_model=["large", "small", "small", "small", "", ""],
        policy_subject_event_id=["", "", "", "", ids[0], ""],
        policy_target=["", "", "", "", "output", ""],
        review_subject_event_id=["", "", "", "", "", ids[0]],
        review_decision=["", "", "", "", "", "APPROVE"],
    )
    capsys.readouterr()
    assert run("report", "coverage", "--period", "2026-11-28") == 0
    out, err = capsys.readouterr()
    rows = {(row["tenant_id"], row["model"]): row for row in rows_of(out)}
    assert rows["acme", "large"] == {
        "tenant_id": "acme", "feature_id": "search", "model": "large", "outputs": 1, "verified": 1,
        "verified_pct": 100.0, "by_policy": 1, "by_evaluation": 0, "by_review": 1, "unverified": [],
    }  # fmt: skip
    assert (rows["acme", "small"]["outputs"], rows["acme", "small"]["verified"]) == (2, 0)
    assert rows["acme", "small"]["unverified"] == [ids[2], ids[1]]  # the newest first
    assert rows["globex", "small"]["unverified"] == [ids[3]]
    assert "1 of 4 outputs were verified, 25.00 %" in err

    assert run("report", "coverage", "--period", "2026-11-28", "--by", "mood") == 2
    assert "--by: 'mood' is no dimension" in capsys.readouterr().err


def test_windows_are_a_document_of_sloth(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line(monkeypatch, slos)("slos", "windows", "--days", "7") == 0

    document = yaml.safe_load(capsys.readouterr().out)
    assert (document["apiVersion"], document["kind"]) == ("sloth.slok.dev/v1", "AlertWindows")
    assert document["spec"]["page"]["slow"] == {
        "errorBudgetPercent": 12.5,
        "shortWindow": "30m",
        "longWindow": "6h",
    }
