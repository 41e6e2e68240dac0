"""The services that commands talk to, embedded, one of each a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.mock_kafka import start_mock_kafka
from auditstream.embedded.registry import RunningRegistry, start_registry
from tests.support.brokers import Broker
from tests.support.clickhouse_fronts import start


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with start_mock_kafka() as running:
        yield Broker("embedded", running.bootstrap)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with start_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    with start(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running
