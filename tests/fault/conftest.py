"""A deployment that can be broken: a real Kafka, a real store behind a proxy, workers as processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from tests.conftest import MakeGroup, MakeTopic
from tests.support.brokers import Broker
from tests.support.databases import migrated_database
from tests.support.deployment import Deployment
from tests.support.faulty_store import FaultyStore
from tests.support.fork_server import ForkServer
from tests.support.processes import Children


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    """One store for all fault runs; each run has a database of its own."""
    with start_clickhouse(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture
def children(tmp_path: Path, fork_server: ForkServer) -> Iterator[Children]:
    """The processes of this test."""
    with Children(tmp_path, fork_server) as started:
        yield started


@pytest.fixture
def deployment(
    kafka: Broker,
    clickhouse: RunningClickHouse,
    topic: MakeTopic,
    group: MakeGroup,
    children: Children,
    tmp_path: Path,
) -> Iterator[Deployment]:
    """Topics, a migrated database, and a proxy in front of the store; no worker yet."""
    with (
        migrated_database(clickhouse) as database,
        FaultyStore((clickhouse.host, clickhouse.port)) as proxy,
        closing(
            Deployment(
                kafka=kafka,
                database=database,
                proxy=proxy,
                children=children,
                folder=tmp_path,
                topic=topic(partitions=4),
                # Larger than the events' topic: a dead letter is its event and the reason.
                dead_letter_topic=topic(partitions=1, **{"max.message.bytes": str(2 * 1024 * 1024)}),
                group=group(),
            )
        ) as made,
    ):
        yield made
