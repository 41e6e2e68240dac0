"""`runtime.json`: its shape, who may read it, and that the command line reads what the deployment writes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from auditstream.cli.running import read_runtime, with_runtime
from auditstream.core.settings import Settings
from auditstream.embedded.runtime_file import (
    FILE_NAME,
    Account,
    Runtime,
    RuntimeClickHouse,
    RuntimeEvidence,
    remove_runtime,
    write_runtime,
)

RUNTIME = Runtime(
    pid=os.getpid(),
    kafka="127.0.0.1:9092",
    registry_url="http://127.0.0.1:8081",
    clickhouse=RuntimeClickHouse(
        host="127.0.0.1",
        port=8123,
        user="default",
        password="secret",
        database="default",
        path="/data",
        analyst=Account("analyst", "other"),
    ),
    evidence=RuntimeEvidence(
        host="audit.example",
        deployment="demo",
        store="/data/evidence",
        state="/data/seal",
        key_file="/data/seal/key",
        policy_file="/data/seal/policy",
        witness_url="http://127.0.0.1:9475",
    ),
)


def test_it_has_the_names_that_are_promised(tmp_path: Path) -> None:
    write_runtime(tmp_path, RUNTIME)
    content = json.loads((tmp_path / FILE_NAME).read_text())
    assert set(content) == {
        "pid", "kafka", "registry_url", "gateway_url", "gateway_key", "api_url", "console_url", "api_token",
        "clickhouse", "evidence",
    }  # fmt: skip
    assert {"host", "port", "user", "password", "database", "path"} <= set(content["clickhouse"])


def test_only_its_owner_may_read_it_whatever_was_there_before(tmp_path: Path) -> None:
    for name in (FILE_NAME, f"{FILE_NAME}.partial"):
        (tmp_path / name).write_text("{}")
        (tmp_path / name).chmod(0o644)
    write_runtime(tmp_path, RUNTIME)
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_the_command_line_reads_it(tmp_path: Path) -> None:
    write_runtime(tmp_path, RUNTIME)
    read = read_runtime(tmp_path / FILE_NAME)
    assert read is not None
    assert (read.pid, read.kafka, read.registry_url) == (os.getpid(), RUNTIME.kafka, RUNTIME.registry_url)
    assert read.clickhouse is not None
    assert read.clickhouse.password.get_secret_value() == "secret"
    assert read.clickhouse.analyst is not None
    assert read.clickhouse.analyst.user == "analyst"
    evidence = with_runtime(Settings(), read).evidence
    assert (evidence.host, evidence.deployment, evidence.store) == ("audit.example", "demo", "/data/evidence")
    assert evidence.policy_file == Path("/data/seal/policy")


def test_it_can_be_removed_twice(tmp_path: Path) -> None:
    write_runtime(tmp_path, RUNTIME)
    remove_runtime(tmp_path)
    remove_runtime(tmp_path)
    assert not list(tmp_path.iterdir())
