"""How a command finds a running deployment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from auditstream.cli import running
from auditstream.cli.context import Context
from auditstream.core.errors import ConfigError

STORE = {
    "host": "127.0.0.1",
    "port": 5,
    "user": "default",
    "password": "s3cret",
    "database": "d",
    "path": "/x",
}
RUNTIME = {
    "pid": os.getpid(),
    "kafka": "127.0.0.1:1",
    "registry_url": "http://127.0.0.1:2",
    "clickhouse": STORE,
}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITSTREAM_")]:
        monkeypatch.delenv(name)


def write(folder: Path, **changes: object) -> Context:
    (folder / "runtime.json").write_text(json.dumps(RUNTIME | changes))
    return Context(data_dir=folder)


def test_a_running_deployment_is_used_before_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__HOST", "elsewhere")
    found = running.find(write(tmp_path, added_later=1))

    assert found.settings.kafka.brokers == "127.0.0.1:1"
    assert found.settings.registry.url == "http://127.0.0.1:2"
    assert (found.settings.clickhouse.host, found.settings.clickhouse.port) == ("127.0.0.1", 5)
    assert found.settings.clickhouse.password.get_secret_value() == "s3cret"


def test_statements_of_the_user_run_as_the_analyst(tmp_path: Path) -> None:
    analyst = {"user": "analyst", "password": "other"}
    found = running.find(write(tmp_path, clickhouse=STORE | {"analyst": analyst}))

    assert running.analyst_settings(found).user == "analyst"
    assert running.analyst_settings(found).password.get_secret_value() == "other"
    assert found.settings.clickhouse.user == "default"


def test_without_an_analyst_the_usual_account_is_used(tmp_path: Path) -> None:
    assert running.analyst_settings(running.find(write(tmp_path))).user == "default"


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 2**70])
def test_a_deployment_that_has_ended_does_not_count(tmp_path: Path, pid: int) -> None:
    found = running.find(write(tmp_path, pid=pid))

    assert found.runtime is None
    assert f"process {pid}, which has ended" in found.remark


def test_what_to_start_is_said_when_nothing_answers(tmp_path: Path) -> None:
    error = running.nothing_answers(running.find(Context(data_dir=tmp_path)))

    assert error.exit_code == 6
    assert "runtime.json does not exist" in error.message
    assert "auditstream up" in error.hint
    assert "auditstream demo" in error.hint


@pytest.mark.parametrize(
    "text", ["", "[]", '{"pid": "s3cret"}', '{"pid": 1, "clickhouse": {"password": "s3cret"}}']
)
def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path, text: str) -> None:
    (tmp_path / "runtime.json").write_text(text)

    with pytest.raises(ConfigError, match=r"runtime\.json") as caught:
        running.find(Context(data_dir=tmp_path))
    assert "s3cret" not in caught.value.message
