"""A worker begins as soon as its agents listen, and ends as soon as all is stopped."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.tables import TableManager

from streams.process import PromptWorker
from streams.transport.app import BatchApp
from streams.transport.tables import NoTables
from tests.support.virtual_time import VirtualTime

TOPICS = ("events", "direct")


def begun_after_s(listens_after_s: float, *listened_to: str) -> float:
    """Return when the tables let the application subscribe, if it begins to listen at a time."""
    time, topics, begun = VirtualTime(), [SimpleNamespace(topics=["direct"])], []

    async def begin() -> None:
        begun.append(time.now)

    async def run() -> None:
        app: Any = SimpleNamespace(
            batch_topics=frozenset(TOPICS),
            topics=topics,
            consumer=SimpleNamespace(assignment=set, pause_partitions=set),
        )
        tables = NoTables(app, loop=asyncio.get_running_loop())
        tables._recovery = SimpleNamespace(start=begin)  # type: ignore[assignment]
        asyncio.get_running_loop().call_later(
            listens_after_s, topics.append, SimpleNamespace(topics=list(listened_to))
        )
        await tables.on_start()
        assert tables._tables_registered.is_set()

    start = time.now
    time.run(run())
    return begun[0] - start


def test_an_application_subscribes_once_its_agents_listen_to_every_topic() -> None:
    assert 0.2 <= begun_after_s(0.2, "events") < 0.25


def test_one_whose_agents_do_not_listen_waits_no_longer_than_fausts() -> None:
    assert 1.0 <= begun_after_s(0.2, "another") < 1.05


def test_every_application_of_batches_has_such_tables() -> None:
    app = BatchApp("app", batch_topics=TOPICS, broker="kafka://127.0.0.1:1", store="memory://")

    assert isinstance(app.tables, NoTables)
    assert vars(TableManager).keys() >= {"on_start", "_update_channels"}


def test_a_worker_ends_without_waiting_when_all_is_stopped() -> None:
    """The pause is one of mode's own, and the last thing before the loop closes."""
    assert "_sentinel_task" in vars(faust.Worker.__mro__[1])
    with pytest.raises(StopIteration):
        last = PromptWorker._sentinel_task(SimpleNamespace())  # type: ignore[arg-type]
        last.send(None)
        last.send(None)
