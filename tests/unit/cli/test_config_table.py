"""Settings with their sources, secrets masked."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from auditstream.cli.config import MASK, remarks, settings_table
from auditstream.core.settings import ClickHouseSettings, Settings, WorkerSettings


def test_every_setting_has_its_source_and_no_secret_is_shown() -> None:
    secret = ClickHouseSettings(host="db", password=SecretStr("s3cret"))  # type: ignore[call-arg]
    settings = Settings(clickhouse=secret, data_dir=Path("/data"))
    environment = {
        "AUDITSTREAM_CLICKHOUSE__HOST": "db",
        "AUDITSTREAM_CLICKHOUSE__PASSWORD_FILE": "/run/secret",
        "AUDITSTREAM_WORKER": "{}",
    }
    rows = {name: (value, source) for name, value, source in settings_table(settings, environment)}

    assert rows["AUDITSTREAM_CLICKHOUSE__HOST"] == ("db", "environment variable AUDITSTREAM_CLICKHOUSE__HOST")
    assert rows["AUDITSTREAM_CLICKHOUSE__PASSWORD"] == (MASK, "file /run/secret")
    assert rows["AUDITSTREAM_KAFKA__PASSWORD"] == ("", "default")
    assert rows["AUDITSTREAM_DATA_DIR"] == ("/data", "option --data-dir")
    assert rows["AUDITSTREAM_WORKER__LEASE_S"] == (20.0, "environment variable AUDITSTREAM_WORKER")
    assert "s3cret" not in str(rows)


def test_unwise_settings_are_remarked_on() -> None:
    worker = WorkerSettings(heartbeat_s=20, min_delay_s=9)  # type: ignore[call-arg]

    assert [remark.partition(":")[0] for remark in remarks(Settings(worker=worker))] == [
        "WORKER__HEARTBEAT_S",
        "WORKER__MIN_DELAY_S",
    ]
    assert list(remarks(Settings())) == []
