"""`auditstream doctor rebuild` against the embedded ClickHouse."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from auditstream.cli import doctor, migrate
from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse
from sinks.clickhouse import connect
from sinks.clients import http_client
from tests.support.blocks import LOG, block_of
from tests.support.clickhouse_fronts import TOKENS
from tests.support.command_line import Run, command_line, rows_of


@pytest.fixture
def settings(clickhouse: RunningClickHouse) -> ClickHouseSettings:
    return ClickHouseSettings(host=clickhouse.host, port=clickhouse.port, password=TOKENS["default"])  # type: ignore[arg-type]


@pytest.fixture
def run(settings: ClickHouseSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__HOST", settings.host)
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__PORT", str(settings.port))
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__PASSWORD", settings.password.get_secret_value())
    monkeypatch.setenv("AUDITSTREAM_DATA_DIR", str(tmp_path))
    return command_line(monkeypatch, doctor, migrate)


def test_what_a_rollup_lacks_is_added_and_said(
    run: Run, settings: ClickHouseSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("migrate", "apply") == 0
    with closing(connect(settings)) as sink, closing(http_client(settings)) as client:
        sink.insert(block_of(lo=0, rows=3), insert_by_s=time.time() + 60, timeout_s=30)
        client.command("TRUNCATE TABLE usage_1h")
        capsys.readouterr()

        assert run("doctor", "rebuild", "--segment", f"{LOG}/0-2") == 0

        said = capsys.readouterr()
        assert rows_of(said.out) == [{"table": "usage_1h", "segment": f"{LOG}/0-2"}]
        assert "added to 1 tables" in said.err
        assert client.query("SELECT sum(events) FROM usage_1h").result_rows == [(3,)]

        assert run("doctor", "rebuild", "--segment", f"{LOG}/0-2") == 0
        said = capsys.readouterr()
        assert rows_of(said.out) == []
        assert "nothing is missing" in said.err


def test_a_segment_that_is_not_there_is_told_by_name(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("migrate", "apply") == 0
    assert run("doctor", "rebuild", "--segment", f"{LOG}/7-9") == 4
    assert f"{LOG}/7-9" in capsys.readouterr().err
