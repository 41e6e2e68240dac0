"""The tables as the migrations make them, on the engine in this process."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.support.kept_engine import KeptEngine
from tests.support.stores import ClickHouseStore, OpenClient

_KEPT = pytest.StashKey[KeptEngine]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """End the kept engine before a file that is not seen to use it: a process has one engine on one path."""
    try:
        return (yield)
    finally:
        kept = item.config.stash.get(_KEPT, None)
        ends = nextitem is None or nextitem.path != item.path
        if kept is not None and ends and "kept_engine" not in getattr(nextitem, "fixturenames", ()):
            kept.end()


@pytest.fixture(scope="session")
def kept_engine(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> KeptEngine:
    """One engine for files that follow each other."""
    return pytestconfig.stash.setdefault(_KEPT, KeptEngine(tmp_path_factory.mktemp("engine")))


@pytest.fixture(scope="module")
def engine(kept_engine: KeptEngine) -> OpenClient:
    """What opens clients of the engine; close them all in the module."""
    return kept_engine.open()


@pytest.fixture(scope="module")
def migrated(kept_engine: KeptEngine) -> Iterator[ClickHouseStore]:
    """A store with every migration, as the module's earlier tests left it: for tests that only look."""
    with kept_engine.migrated() as store:
        yield store


@pytest.fixture
def store(migrated: ClickHouseStore) -> ClickHouseStore:
    """The same without rows and as migrated."""
    migrated.empty()
    return migrated
