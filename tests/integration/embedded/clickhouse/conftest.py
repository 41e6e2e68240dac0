"""One embedded ClickHouse for this folder's tests; each test makes tables of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from clickhouse_connect.driver.httpclient import HttpClient

from auditstream.embedded.clickhouse_process import RunningClickHouse
from tests.support.clickhouse_fronts import Asker, connected, start

_NUMBERS = itertools.count()

MakeTable = Callable[[str], str]


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    """A running front with an owner, a writer and a reader."""
    with start(tmp_path_factory.mktemp("clickhouse")) as running:
        yield running


@pytest.fixture
def client(clickhouse: RunningClickHouse) -> Iterator[HttpClient]:
    """An unmodified clickhouse-connect client of the owner."""
    with connected(clickhouse) as made:
        yield made


@pytest.fixture
def ask(clickhouse: RunningClickHouse) -> Asker:
    """Asks over plain HTTP."""
    return Asker(clickhouse)


@pytest.fixture
def make_table(client: HttpClient) -> Iterator[MakeTable]:
    """Makes a MergeTree table that remembers the tokens of inserts; returns its name."""
    made = []

    def make(columns: str) -> str:
        name = f"t{next(_NUMBERS)}"
        client.command(
            f"CREATE TABLE {name} ({columns}) ENGINE = MergeTree ORDER BY tuple()"
            " SETTINGS non_replicated_deduplication_window = 100"
        )
        made.append(name)
        return name

    yield make
    for name in made:
        client.command(f"DROP TABLE IF EXISTS {name} SYNC")
