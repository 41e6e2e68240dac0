"""The tables as the migrations make them, on the engine in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engines import in_process
from tests.support.stores import ClickHouseStore, OpenClient, new_store


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenClient]:
    """What opens clients of the engine, which ends with the module."""
    with in_process(tmp_path_factory.mktemp("engine")) as opener:
        yield opener


@pytest.fixture(scope="module")
def migrated(engine: OpenClient) -> Iterator[ClickHouseStore]:
    """A store with every migration, as the module's earlier tests left it: for tests that only look."""
    with new_store(engine) as store:
        yield store


@pytest.fixture
def store(migrated: ClickHouseStore) -> ClickHouseStore:
    """The same without rows and as migrated."""
    migrated.empty()
    return migrated
