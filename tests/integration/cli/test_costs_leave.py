"""`export focus` and `reconcile` against embedded services: what they write, tell and end with."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import export, migrate, reconcile
from auditstream.core.settings import load
from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.registry import RunningRegistry
from schemas.codec import decode
from schemas.packaged import SchemaName, schema_json
from sinks.clickhouse import connect
from sinks.clients import http_client
from tests.support.brokers import Broker
from tests.support.charges import adjust_charges, record_charges
from tests.support.clickhouse_fronts import TOKENS
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import ClickHouseStore

PREFIX_BYTES = 5
JANUARY = ("--period", "2026-01")


@pytest.fixture
def run(
    clickhouse: RunningClickHouse,
    broker: Broker,
    registry: RunningRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    tail = uuid.uuid4().hex[:8]
    settings = {
        "CLICKHOUSE__HOST": clickhouse.host,
        "CLICKHOUSE__PORT": str(clickhouse.port),
        "CLICKHOUSE__PASSWORD": TOKENS["default"],
        "CLICKHOUSE__DATABASE": "costs",
        "KAFKA__BROKERS": broker.bootstrap,
        "KAFKA__EVENTS_TOPIC": f"audit.events.{tail}",
        "KAFKA__FINDINGS_TOPIC": f"audit.findings.{tail}",
        "REGISTRY__URL": registry.url,
        "DATA_DIR": str(tmp_path),
        "ACTOR": "ada",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"AUDITSTREAM_{name}", value)
    return command_line(monkeypatch, migrate, export, reconcile)


@pytest.fixture
def store(run: Run, capsys: pytest.CaptureFixture[str]) -> Iterator[ClickHouseStore]:
    """A migrated database with planted costs."""
    assert run("migrate", "apply") == 0
    settings = load().clickhouse
    client, sink = http_client(settings), connect(settings)
    made = ClickHouseStore(client, sink)
    made.empty()
    for table in ("exports", "findings"):
        client.command(f"TRUNCATE TABLE {table}")
    record_charges(made)
    adjust_charges(made)
    capsys.readouterr()
    yield made
    sink.close()
    client.close()


def told(broker: Broker, topic: str, schema: SchemaName = "audit_event") -> list[dict[str, Any]]:
    count = sum(broker.end_offsets(topic).values())
    values = [message.value() or b"" for message in broker.consume(topic, count)]
    return [decode(value[PREFIX_BYTES:], schema_json(schema)) for value in values]


def bill(tmp_path: Path, **amounts: str) -> Path:
    """Write a bill of OpenAI's for 2 January, on which the record has 3.087195 USD of gpt-4o."""
    file = tmp_path / "bill.json"
    results = [
        {
            "amount": {"value": float(amount), "currency": "usd"},
            "line_item": f"{model.replace('_', '-')}, input",
        }
        for model, amount in amounts.items()
    ]
    bucket = {"start_time": 1767312000, "end_time": 1767398400, "results": results}
    file.write_text(json.dumps({"data": [bucket], "has_more": False}))
    return file


def test_an_export_is_a_file_a_manifest_two_events_and_a_row(
    run: Run, store: ClickHouseStore, broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "exports" / "january"

    assert run("export", "focus", *JANUARY, "--out", out, "--purpose", "chargeback") == 0

    said = capsys.readouterr()
    (printed,) = rows_of(said.out)
    manifest = json.loads((out / "manifest.json").read_text())
    data = (out / "focus.csv").read_bytes()
    assert sorted(path.name for path in out.iterdir()) == ["focus.csv", "manifest.json"]
    assert manifest["sha256"] == hashlib.sha256(data).hexdigest()
    assert (manifest["bytes"], manifest["rows"]) == (len(data), len(data.splitlines()) - 1)
    assert manifest["period"] == {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
    assert (manifest["focus_version"], manifest["granularity"], manifest["tenant"]) == ("1.2", "hour", None)
    assert manifest["unpriced"] == {
        "events": 1,
        "models": [{"provider": "openai", "model": "gpt-4o", "events": 1}],
    }
    assert "1 events have no price and are in no sum, most of openai/gpt-4o" in said.err
    net = dict(
        store.ask(
            "SELECT cost_currency, sum(cost_list) FROM costs_current WHERE hour < '2026-02-01' GROUP BY 1"
        )
    )
    assert {each: Decimal(sums["ListCost"]) for each, sums in manifest["totals"].items()} == {
        each: total for each, total in net.items() if each
    }
    assert printed["totals"] == manifest["totals"]
    events = told(broker, load().kafka.events_topic)  # of several partitions
    before, after = sorted(events, key=lambda event: event["data_access"]["rows"])
    assert (before["event_type"], before["attributes"]["command"]) == ("ai.data_access", "export focus")
    assert before["data_access"]["tables"] == ["events", "cost_adjustments"]
    assert before["data_access"]["purpose"] == "chargeback"
    assert after["data_access"]["rows"] == manifest["rows"]
    ((kind, rows, sha256, by),) = store.ask("SELECT kind, rows, sha256, requested_by FROM exports")
    assert (kind, rows, by) == ("focus", manifest["rows"], "ada")
    assert sha256 == hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest()


def test_the_draft_has_its_own_columns_and_parquet_is_a_choice(
    run: Run, store: ClickHouseStore, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    arguments = ("--version", "1.4", "--granularity", "day", "--format", "parquet", "--tenant", "acme")
    assert run("export", "focus", *JANUARY, "--out", tmp_path / "x", *arguments) == 0

    table = pq.read_table(tmp_path / "x" / "focus.parquet")
    assert "ServiceProviderName" in table.column_names
    assert not {"ProviderName", "PublisherName"} & set(table.column_names)
    assert set(table.column("SubAccountId").to_pylist()) == {"acme"}
    assert {each.hour for each in table.column("ChargePeriodStart").to_pylist()} == {0, 12}, (
        "12: its own period"
    )


def test_nothing_leaves_when_nobody_can_be_told(
    run: Run, store: ClickHouseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITSTREAM_KAFKA__BROKERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("AUDITSTREAM_ACCESS__WITHIN_S", "1")

    assert run("export", "focus", *JANUARY, "--out", tmp_path / "out") == 6
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--period", "2026-13"), "--period: '2026-13' is not a period"),
        (("--period", "2026-01-01T00:30:00Z/2026-01-02"), "--period is not of whole hours"),
        (("--period", "2026-01", "--version", "1.1"), "Invalid value for '--version'"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_read(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run("export", "focus", "--out", tmp_path / "out", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_is_there_stays_as_it_is(
    run: Run, store: ClickHouseStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()

    assert run("export", "focus", *JANUARY, "--out", tmp_path / "out") == 2
    assert "is there already" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bill_that_agrees_ends_with_0_and_leaves_metrics(
    run: Run, store: ClickHouseStore, broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = tmp_path / "bill.prom"
    file = bill(tmp_path, gpt_4o="3.337195")  # 0.25 more was booked later

    code = run("reconcile", "--format", "openai-costs", file, "--period", "2026-01-02",
               "--metrics-file", metrics)  # fmt: skip

    said = capsys.readouterr()
    (row,) = rows_of(said.out)
    assert (code, row["model"], row["residual"], row["above"]) == (0, "gpt-4o", "0.000000000000", False)
    assert "0 of 1 comparisons are above the threshold" in said.err
    assert 'auditstream_bill_billed{currency="USD",provider="openai"} 3.337195' in metrics.read_text()
    assert "gateway" not in metrics.read_text()
    (event,) = told(broker, load().kafka.events_topic)
    assert (event["attributes"]["command"], event["data_access"]["tables"]) == (
        "reconcile",
        ["costs_current"],
    )
    assert store.ask("SELECT * FROM findings") == []


def test_a_bill_that_differs_ends_with_7_and_a_finding(
    run: Run, store: ClickHouseStore, broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = bill(tmp_path, gpt_4o="4.337195", gpt_5="0.5")

    code = run("reconcile", "--format", "openai-costs", file, "--period", "2026-01-01/2026-01-04")

    said = capsys.readouterr()
    assert code == 7
    assert [(row["model"], row["above"], row["note"]) for row in rows_of(said.out)] == [
        ("gpt-4o", True, "1 events without a price"),
        ("gpt-5", True, "only on the bill"),
    ]
    assert "openai: 2 days of the period are not on the bill" in said.err
    (finding,) = told(broker, load().kafka.findings_topic, "finding")
    assert finding["rule_id"] == "bill-residual"
    assert finding["contributors"] == {"gpt-4o": 1.0, "gpt-5": 0.5}
    assert finding["window_start"].date() == date(2026, 1, 2)
    assert store.ask("SELECT rule_id, currency FROM findings") == [("bill-residual", "USD")]


def test_a_threshold_lets_small_residuals_pass(run: Run, store: ClickHouseStore, tmp_path: Path) -> None:
    file = bill(tmp_path, gpt_4o="3.4")
    command = ("reconcile", "--format", "openai-costs", file, "--period", "2026-01-02")

    assert run(*command) == 7
    assert run(*command, "--threshold", "5%") == 0
    assert run(*command, "--least", "1") == 0
    assert run(*command, "--threshold", "much") == 2
