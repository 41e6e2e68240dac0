"""`auditstream report access` on a store of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditstream.cli import report
from auditstream.core.settings import load
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import block_of
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S

NOON = datetime(2026, 11, 5, 12, tzinfo=UTC)
ASKED = [("ann", "search", "SUCCESS"), ("ben", "sql", "BLOCKED"), ("ann", "export", "SUCCESS")]
DAY = ("--period", "2026-11-05")


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    readers, commands, outcomes = map(list, zip(*ASKED, strict=True))
    block = block_of(
        rows=len(ASKED),
        event_type="ai.data_access",
        event_time=[NOON + timedelta(minutes=each) for each in range(len(ASKED))],
        actor_id=readers,
        outcome=outcomes,
        attributes=[{"command": each, "role": "analyst", "tenant": "*"} for each in commands],
        data_access_tables=[["events_current"], ["events", "logs"], ["events_current"]],
        data_access_rows=[None, None, 12],
        data_access_purpose=["", "", "audit"],
    )
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    sink.insert(block, insert_by_s=datetime.now(UTC).timestamp() + 60, timeout_s=TIMEOUT_S)
    sink.close()
    capsys.readouterr()
    return command_line(monkeypatch, report)


def test_who_asked_how_often_and_each_question(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "access", *DAY) == 0
    ann, ben = rows_of(capsys.readouterr().out)
    last = (NOON + timedelta(minutes=2)).isoformat()
    assert ann == {"actor_id": "ann", "questions": 2, "blocked": 0, "exported_rows": 12, "last_time": last}
    assert (ben["actor_id"], ben["questions"], ben["blocked"]) == ("ben", 1, 1)

    assert run("report", "access", *DAY, "--each", "--reader", "ann") == 0
    export, search = rows_of(capsys.readouterr().out)
    assert (export["command"], export["purpose"], export["exported_rows"]) == ("export", "audit", 12)
    assert search["command"] == "search"

    assert run("report", "access", *DAY, "--each", "--blocked") == 0
    (refused,) = rows_of(capsys.readouterr().out)
    assert (refused["actor_id"], refused["tables"]) == ("ben", "events, logs")

    assert run("report", "access", *DAY, "--limit", "1") == 0
    out, err = capsys.readouterr()
    assert [row["actor_id"] for row in rows_of(out)] == ["ann"]
    assert "the first 1" in err


def test_a_quiet_period_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "access", "--period", "2026-10") == 0

    out, err = capsys.readouterr()
    assert (out, "nobody asked so in the period" in err) == ("", True)
