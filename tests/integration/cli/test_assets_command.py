"""`auditstream report discovery`, `assets register` and `assets ban` on a store of their own."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import apply, assets, report
from auditstream.core.settings import load
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import block_of
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S

NOVEMBER = datetime(2026, 11, 3, 10, 30, tzinfo=UTC)
PERIOD = ("--period", "2026-11")
AGENT = """
kind: agent
agent_id: clerk
tenant_id: acme
owner: desk
valid_from: 2026-01-01
"""


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    runs = command_line(monkeypatch, apply, assets, report)
    (tmp_path / "agent.yaml").write_text(AGENT)
    assert runs("apply", "-f", tmp_path / "agent.yaml") == 0
    block = block_of(
        rows=4,
        event_time=NOVEMBER,
        agent_id=["clerk", "clerk", "shadow", "clerk"],
        inference_request_model=["gpt-4o", "gpt-4o", "gpt-4o", ""],
        tool_mcp_server=["", "", "", "https://mcp.example"],
        tool_name=["", "", "", "search"],
        cost_status="priced",
        cost_currency=["USD", "USD", "EUR", ""],
        cost_effective=[Decimal("0.5"), Decimal("0.25"), Decimal(1), None],
    )
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    sink.insert(block, insert_by_s=datetime.now(UTC).timestamp() + 60, timeout_s=TIMEOUT_S)
    sink.close()
    return runs


def found(run: Run, capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run("report", "discovery", *PERIOD, *options) == 0
    return rows_of(capsys.readouterr().out)


def statuses(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return list(dict.fromkeys((row["status"], row["asset_type"], row["asset_id"]) for row in rows))


def test_what_was_used_is_listed_with_what_wants_looking_at_first(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = found(run, capsys)

    assert statuses(rows) == [
        ("unregistered", "agent", "shadow"),
        ("unlisted", "mcp_server", "https://mcp.example"),
        ("unlisted", "model", "gpt-4o"),
        ("unlisted", "tool", "search"),
        ("registered", "agent", "clerk"),
    ]
    [clerk] = [row for row in rows if row["asset_id"] == "clerk" and row["currency"]]
    assert (clerk["owner"], clerk["events"], Decimal(clerk["cost_effective"])) == ("desk", 2, Decimal("0.75"))
    assert clerk["first_seen"] == "2026-11-03T10:00:00+00:00"


def test_an_asset_is_registered_and_banned_by_one_command_each(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("assets", "register", "agent", "shadow", "--owner", "lab", "--tenant", "acme") == 0
    assert run("assets", "ban", "mcp_server", "https://mcp.example", "--reason", "leaks") == 0
    assert run("assets", "ban", "agent", "clerk") == 0

    rows = found(run, capsys, "--type", "agent,mcp_server")

    assert statuses(rows) == [
        ("banned", "agent", "clerk"),
        ("banned", "mcp_server", "https://mcp.example"),
        ("registered", "agent", "shadow"),
    ]
    assert rows[-1]["owner"] == "lab"
    assert statuses(found(run, capsys, "--status", "banned", "--type", "agent")) == [
        ("banned", "agent", "clerk")
    ]
    assert run("assets", "register", "agent", "clerk") == 0
    assert statuses(found(run, capsys, "--status", "banned", "--type", "agent")) == []


def test_a_document_is_written_for_apply_and_nothing_changes_until_then(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ban.json"
    ban = ("assets", "ban", "model", "gpt-4o", "--document", path)
    assert run(*ban) == 0
    assert found(run, capsys, "--status", "banned") == []
    assert json.loads(path.read_text())[0]["status"] == "banned"
    assert run(*ban) == 2
    assert "File exists" in capsys.readouterr().err

    assert run("apply", "-f", path) == 0

    assert statuses(found(run, capsys, "--status", "banned")) == [("banned", "model", "gpt-4o")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("assets", "ban", "robot", "r2"), "asset_type"),
        (("assets", "ban", "robot", "r2", "--document", "x.json"), "asset_type"),
        (("assets", "ban", "model", ""), "asset_id"),
        (("assets", "ban", "model", "m", "--tenant", "no such/id"), "tenant_id"),
        (("assets", "ban", "model", "m", "--document", "ban.yaml"), ".json"),
        (("report", "discovery", "--status", "lost"), "--status"),
        (("report", "discovery", "--type", "robot"), "--type"),
    ],
)
def test_bad_input_is_refused_with_the_field(
    monkeypatch: pytest.MonkeyPatch,
    deployed: None,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    runs = command_line(monkeypatch, apply, assets, report)
    assert runs(*arguments) == 2
    assert said in capsys.readouterr().err


def test_the_list_is_also_a_table_of_commas(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("--output", "csv", "report", "discovery", *PERIOD) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert rows[0]["status"] == "unregistered"
    assert run("--output", "table", "report", "discovery", *PERIOD) == 0
    out, err = capsys.readouterr()
    assert "shadow" in out
    assert "1 unregistered, 3 unlisted, 1 registered" in err
