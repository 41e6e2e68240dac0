"""`auditstream detectors backtest` over what a tenant used, on a store of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from auditstream.cli import detectors
from auditstream.core.settings import load
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import block_of
from tests.support.command_line import command_line, rows_of
from tests.support.stores import TIMEOUT_S

DAY = datetime(2026, 11, 5, tzinfo=UTC)
MINUTES, SURGE = 200, 190


def test_a_surge_that_is_recorded_is_told_with_score_picture_and_time(
    deployed: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    run = command_line(monkeypatch, detectors)
    spend = [Decimal(9) if minute >= SURGE else Decimal("0.05") for minute in range(MINUTES)]
    block = block_of(
        rows=MINUTES,
        event_time=[DAY + timedelta(minutes=minute) for minute in range(MINUTES)],
        inference_response_model="large",
        cost_status="priced",
        cost_currency="USD",
        cost_effective=spend,
    )
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    sink.insert(block, insert_by_s=datetime.now(UTC).timestamp() + 60, timeout_s=TIMEOUT_S)
    sink.close()
    capsys.readouterr()
    picture = tmp_path / "picture.svg"
    asked = ["--tenant", "acme", "--from", "2026-11-05", "--to", "2026-11-06", "--model", "large"]

    code = run("detectors", "backtest", *asked, "--detector", "spend.surge", "--picture", picture)

    out, err = capsys.readouterr()
    rows = rows_of(out)
    assert (code, err) == (0, f"1 alerts in {MINUTES} buckets\n")
    assert [row["value"] for row in rows] == [float(each) for each in spend]
    assert [row["timestamp"] for row in rows if row["alert"]] == ["2026-11-05T03:10:00Z"]
    assert "spend.surge (spend) on model=large of acme" in picture.read_text()
    ET.fromstring(picture.read_text())
