"""`auditstream report cost` on a store of its own: what it prints, and that it is told of first."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import apply, report
from auditstream.core.settings import load
from auditstream.embedded.loopback_ports import free_port
from schemas.codec import decode
from schemas.packaged import schema_json
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import block_of
from tests.support.brokers import Broker
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S

PREFIX_BYTES = 5
NOVEMBER = datetime(2026, 11, 3, 10, tzinfo=UTC)


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(monkeypatch, apply, report)


@pytest.fixture
def recorded(run: Run) -> None:
    """Four calls of two tenants: one in euros, one without a price, one of nobody."""
    clients = ClientPool(lambda: http_client(load().clickhouse))
    sink = ClickHouseSink(clients)
    amounts: dict[str, Any] = {
        f"cost_{name}": [Decimal("0.0075"), Decimal("0.000900000001"), None, Decimal("0.0025")]
        for name in ("list", "contracted", "effective", "billed")
    }
    block = block_of(
        rows=4,
        event_time=NOVEMBER,
        tenant_id=["acme", "acme", "acme", "unattributed"],
        inference_response_model=["gpt-4o", "mistral", "triage-7b", "gpt-4o"],
        tool_name=["", "", "", "lookup"],
        input_tokens=[1000, 200, 50, 10],
        output_tokens=[500, 100, 20, 5],
        cost_status=["priced", "priced", "unpriced", "priced"],
        cost_currency=["USD", "EUR", "", "USD"],
        **amounts,
    )
    sink.insert(block, insert_by_s=datetime.now(UTC).timestamp() + 60, timeout_s=TIMEOUT_S)
    sink.close()


def report_of(
    run: Run, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[list[dict[str, Any]], str]:
    assert run("report", "cost", "--period", "2026-11", *options) == 0
    out, err = capsys.readouterr()
    return rows_of(out), err


@pytest.mark.usefixtures("recorded")
def test_each_currency_has_its_block_and_what_is_missing_is_said(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, err = report_of(run, capsys, "--by", "tenant,model")

    told = [
        (row["line"], row["model"], row["currency"], row["cost_effective"], row["share_pct"]) for row in rows
    ]
    assert told == [
        ("key", "mistral", "EUR", "0.000900000001", "100.00"),
        ("total", "", "EUR", "0.000900000001", "100.00"),
        ("unattributed", "", "EUR", "0", "0.00"),
        ("unpriced", "", "EUR", None, None),
        ("key", "gpt-4o", "USD", "0.007500000000", "75.00"),
        ("key", "gpt-4o", "USD", "0.002500000000", "25.00"),
        ("total", "", "USD", "0.010000000000", "100.00"),
        ("unattributed", "", "USD", "0.002500000000", "25.00"),
        ("unpriced", "", "USD", None, None),
        ("key", "triage-7b", None, None, None),
        ("total", "", None, None, None),
        ("unattributed", "", None, None, None),
        ("unpriced", "", None, None, None),
    ]
    assert (rows[-1]["events"], rows[-1]["unpriced_tokens"]) == (1, 70)
    assert "unpriced: 1 events with 70 tokens" in err
    assert "unattributed: 1 events, 0.0025 USD" in err


@pytest.mark.usefixtures("recorded")
def test_all_is_one_block_in_the_currency_asked_for(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rate = tmp_path / "rate.yaml"
    rate.write_text("kind: rate\nbase: EUR\nquote: USD\nrate: '1.25'\nvalid_from: 2026-11-01\n")
    assert run("apply", "-f", rate) == 0
    capsys.readouterr()

    rows, err = report_of(run, capsys, "--by", "tenant", "--currency", "usd")

    total = next(row for row in rows if row["line"] == "total")
    # 0.0075 + 0.0025 + 0.000900000001 * 1.25 = 0.01112500000125, of which twelve decimals
    assert total["cost_effective"] == "0.011125000001"
    assert {row["currency"] for row in rows} == {"USD"}
    assert "not converted" not in err


@pytest.mark.usefixtures("recorded")
def test_what_has_no_rate_is_listed_and_stays_apart(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows, err = report_of(run, capsys, "--by", "tenant", "--tenant", "acme")

    assert [row["currency"] for row in rows if row["line"] == "total"] == ["EUR", "USD", None]
    assert "not converted: 0.000900000001 EUR stay in EUR: no rate EUR to USD on 2026-11-03" in err


@pytest.mark.usefixtures("recorded")
def test_hours_and_events_say_the_same(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    by_hour, _ = report_of(run, capsys, "--by", "model")
    by_event, _ = report_of(run, capsys, "--by", "model", "--known-on", "2099-01-01")

    assert by_hour == by_event != []


@pytest.mark.parametrize("form", ["json", "csv", "table"])
@pytest.mark.usefixtures("recorded")
def test_every_form_has_the_total(run: Run, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "cost", "--by", "tool", "--period", "2026-11-03", "--output", form) == 0

    out = capsys.readouterr().out
    if form == "json":
        assert [row["line"] for row in json.loads(out)].count("total") == 3
    assert "lookup" in out
    assert "total" in out


def test_an_empty_period_says_so_and_prints_no_row(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows, err = report_of(run, capsys)

    assert rows == []
    assert "nothing was recorded" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "colour"], "prompt_version"),
        (["--period", "2026-13"], "2026-W45"),
        (["--currency", "dollar"], "ISO 4217"),
        (["--known-on", "soon"], "soon"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(
    run: Run, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", "cost", *options) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


@pytest.mark.usefixtures("recorded")
def test_a_report_is_told_of_before_it_is_read(
    run: Run, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report_of(run, capsys, "--by", "tool", "--tenant", "acme")

    count = sum(broker.end_offsets(topic).values())
    values = [message.value() or b"" for message in broker.consume(topic, count)]
    (event,) = [decode(value[PREFIX_BYTES:], schema_json("audit_event")) for value in values]
    assert event["event_type"] == "ai.data_access"
    assert event["attributes"]["command"] == "report cost"
    assert event["attributes"]["tenant"] == "acme"
    # What was booked by day tells which rates are needed.
    assert event["data_access"]["tables"] == ["events", "cost_adjustments", "costs_current"]

    monkeypatch.setenv("AUDITSTREAM_KAFKA__BROKERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("AUDITSTREAM_ACCESS__WITHIN_S", "1")
    assert run("report", "cost", "--period", "2026-11") == 6
    assert capsys.readouterr().out == ""
