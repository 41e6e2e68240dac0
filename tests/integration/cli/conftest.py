"""The services that commands talk to, embedded: one store for all, a broker and a registry a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.mock_kafka import start_mock_kafka
from auditstream.embedded.registry import RunningRegistry, start_registry
from tests.support.brokers import Broker
from tests.support.clickhouse_fronts import TOKENS, start
from tests.support.databases import migrated_database


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with start_mock_kafka() as running:
        yield Broker("embedded", running.bootstrap)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with start_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    with start(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """The test's name, as a topic."""
    return "".join(each if each.isalnum() else "_" for each in request.node.name)


@pytest.fixture
def deployed(
    broker: Broker,
    registry: RunningRegistry,
    clickhouse: RunningClickHouse,
    topic: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Lets commands find a topic and a migrated database of the test's own."""
    monkeypatch.delenv("AUDITSTREAM_TEST_SHARED_DATA", raising=False)
    with migrated_database(clickhouse) as database:
        for name, value in {
            "KAFKA__BROKERS": broker.bootstrap,
            "KAFKA__EVENTS_TOPIC": topic,
            "REGISTRY__URL": registry.url,
            "REGISTRY__TIMEOUT_S": "5",
            "CLICKHOUSE__HOST": clickhouse.host,
            "CLICKHOUSE__PORT": str(clickhouse.port),
            "CLICKHOUSE__PASSWORD": TOKENS["default"],
            "CLICKHOUSE__DATABASE": database.database,
            "DATA_DIR": str(tmp_path),
        }.items():
            monkeypatch.setenv(f"AUDITSTREAM_{name}", value)
        yield
