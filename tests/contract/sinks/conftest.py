"""Every implementation of the sink port, each with an empty store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engines import in_process, over_http
from tests.support.stores import ClickHouseStore, MemoryStore, Store, new_store

UPTO_ROLLUPS = 3


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStore]:
    """A store in this process."""
    with (
        in_process(tmp_path_factory.mktemp("engine")) as engine,
        new_store(engine, upto=UPTO_ROLLUPS) as store,
    ):
        yield store


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStore]:
    """A store in another process, over HTTP."""
    with over_http(tmp_path_factory.mktemp("front")) as engine, new_store(engine, upto=UPTO_ROLLUPS) as store:
        yield store


@pytest.fixture(params=["embedded", "http"])
def clickhouse(request: pytest.FixtureRequest) -> ClickHouseStore:
    """An empty ClickHouse on each path to the engine."""
    store: ClickHouseStore = request.getfixturevalue(request.param)
    store.empty()
    return store


@pytest.fixture(params=["memory", "embedded", "http"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store behind each implementation of the port."""
    if request.param == "memory":
        return MemoryStore()
    made: ClickHouseStore = request.getfixturevalue(request.param)
    made.empty()
    return made
