"""Two ways to a ClickHouse engine in tests: in this process, and over HTTP in a process of its own.

A process has one engine on one path, for as long as any connection to it is open. So a fixture that opens one
lasts for a module at most, and closes every client at its end: the next module may open another path.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clickhouse_connect.driver.client import Client

from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from sinks.clients import embedded_client, http_client
from tests.support.stores import OpenClient


@contextmanager
def in_process(path: Path) -> Iterator[OpenClient]:
    """Yield what opens clients of an engine in this process."""

    def open_client(database: str) -> Client:
        return embedded_client(path, database=database)

    with open_client("default"):  # holds the engine open between tests
        yield open_client


@contextmanager
def over_http(path: Path) -> Iterator[OpenClient]:
    """Yield what opens HTTP clients of an engine in a process of its own."""
    with start_clickhouse(path) as running:
        yield lambda database: http_client(settings_of(running, database))


def settings_of(running: RunningClickHouse, database: str) -> ClickHouseSettings:
    """Return settings that reach a running ClickHouse."""
    return ClickHouseSettings(
        host=running.host,
        port=running.port,
        user=running.user,
        password=running.password,  # type: ignore[arg-type]  # pydantic wraps the text
        database=database,
    )
