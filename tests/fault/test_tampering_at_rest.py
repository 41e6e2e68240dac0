"""Tampering with the store's files while the product is stopped, by another engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from sinks.clients import http_client
from tests.support.commands import COMMAND
from tests.support.engines import settings_of
from tests.support.evidence import sealed_deployment

pytestmark = [pytest.mark.fault, pytest.mark.timeout(240)]

# In a process of its own: a process has one engine, on one path, and this one heeds no rights.
_HARM = """
import sys
from pathlib import Path
from sinks.clients import embedded_client
with embedded_client(Path(sys.argv[1]), database=sys.argv[2]) as client:
    client.command(sys.argv[3])
"""


def verify(running: RunningClickHouse, database: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    """Run the command against a running store."""
    environment = {
        "AUDITSTREAM_CLICKHOUSE__HOST": running.host,
        "AUDITSTREAM_CLICKHOUSE__PORT": str(running.port),
        "AUDITSTREAM_CLICKHOUSE__USER": running.user,
        "AUDITSTREAM_CLICKHOUSE__PASSWORD": running.password,
        "AUDITSTREAM_CLICKHOUSE__DATABASE": database,
        "AUDITSTREAM_EVIDENCE__HOST": "audit.example",
        "AUDITSTREAM_EVIDENCE__DEPLOYMENT": "test",
        "AUDITSTREAM_ACCESS__WHEN_KAFKA_IS_AWAY": "spool",
        "AUDITSTREAM_ACCESS__WITHIN_S": "1",
        "AUDITSTREAM_KAFKA__BROKERS": "127.0.0.1:1",
    }
    return subprocess.run(
        [*COMMAND, "--data-dir", str(data_dir), "--output", "json", "verify"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def sealed_at_rest(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folder of a store that is stopped, and the database in it, after a check that held."""
    store = tmp_path / "clickhouse"
    with start_clickhouse(store) as running:

        def open_client(database: str) -> Client:
            return http_client(settings_of(running, database))

        with sealed_deployment(open_client, tmp_path / "data", keep=True) as sealed:
            database = str(sealed.store.client.database)
            done = verify(running, database, tmp_path / "data")
            assert done.returncode == 0, done.stderr
    yield store, database


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "ALTER TABLE events UPDATE raw = 'forged' WHERE leaf_index = 124 SETTINGS mutations_sync = 2",
            '"index": 124',
        ),
        pytest.param(
            "ALTER TABLE events DROP PARTITION '2026-01-01'",
            '"what": "missing_row"',
            marks=pytest.mark.long,
        ),
    ],
)
def test_files_that_another_engine_changed_while_the_product_was_stopped_are_seen(
    tmp_path: Path, statement: str, told: str
) -> None:
    with sealed_at_rest(tmp_path) as (store, database):
        command = [sys.executable, "-P", "-c", _HARM, str(store), database, statement]
        subprocess.run(command, check=True, timeout=60, capture_output=True)

        with start_clickhouse(store) as running:
            done = verify(running, database, tmp_path / "data")

    assert done.returncode == 3, done.stderr
    assert told in done.stdout
