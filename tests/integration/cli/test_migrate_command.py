"""`auditstream migrate` against the embedded ClickHouse, which has no roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.cli import migrate
from auditstream.embedded.clickhouse_process import RunningClickHouse
from sinks.migration_files import packaged
from tests.support.clickhouse_fronts import TOKENS
from tests.support.command_line import Run, command_line, rows_of


@pytest.fixture
def run(clickhouse: RunningClickHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("AUDITSTREAM_TEST_SHARED_DATA", raising=False)
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__HOST", clickhouse.host)
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__PORT", str(clickhouse.port))
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__PASSWORD", TOKENS["default"])
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__DATABASE", "made")
    monkeypatch.setenv("AUDITSTREAM_DATA_DIR", str(tmp_path))
    return command_line(monkeypatch, migrate)


def test_the_database_is_made_the_tables_come_once_and_then_the_roles(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = [each.version for each in packaged()]

    assert run("migrate", "apply") == 0
    assert [row["version"] for row in rows_of(capsys.readouterr().out)] == versions
    assert run("migrate", "apply") == 0
    assert rows_of(capsys.readouterr().out) == []
    assert run("migrate", "status") == 0
    assert all(row["applied_at"] for row in rows_of(capsys.readouterr().out))

    assert run("migrate", "apply", "--grants", "--tenant", "acme") == 78
    assert "the embedded engine has no roles" in capsys.readouterr().err


def test_a_tenants_role_without_the_others_is_a_usage_error(run: Run) -> None:
    assert run("migrate", "apply", "--tenant", "acme") == 2
