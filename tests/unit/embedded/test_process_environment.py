"""The environment of a child process against the settings that its process then loads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from auditstream.core import settings as core_settings
from auditstream.core.settings import ClickHouseSettings, KafkaSettings, Settings, WorkerSettings
from auditstream.embedded.watched_process import environment


def test_a_child_loads_the_settings_it_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE__PORT", "1")
    monkeypatch.setenv("HOME", "/somewhere")
    settings = Settings(
        data_dir=tmp_path,
        kafka=KafkaSettings(
            brokers="127.0.0.1:1,127.0.0.1:2",
            direct_topics=("audit.direct.acme.v1", "audit.direct.globex.v1"),
            password=SecretStr("p w'd"),
        ),
        clickhouse=ClickHouseSettings(port=2, password=SecretStr("s3cret")),
        worker=WorkerSettings(lease_s=8.5),
    )

    given = environment(settings)

    assert given["HOME"] == "/somewhere"
    for name in [name for name in os.environ if name.startswith("AUDITSTREAM_")]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        if name.startswith("AUDITSTREAM_"):
            monkeypatch.setenv(name, value)
    assert core_settings.load() == settings
