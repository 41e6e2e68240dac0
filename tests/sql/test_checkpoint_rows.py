"""Published checkpoints as rows, and the logs that a sealer finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from auditstream.core.ports import PublishedCheckpoint
from auditstream.query.reader import Reader
from auditstream.query.recorded import recorded
from sinks.checkpoint_rows import ClickHouseCheckpoints
from sinks.clients import ClientPool
from sinks.recorded_logs import ClickHouseLogs
from tests.support.blocks import LOG, OTHER_LOG, block_of
from tests.support.stores import ClickHouseStore, OpenClient

AT = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
READ_BACK = AT.replace(tzinfo=None)  # the driver's datetimes are UTC and do not say so


@pytest.fixture
def clients(engine: OpenClient, store: ClickHouseStore) -> Iterator[ClientPool]:
    store.client.command("TRUNCATE TABLE checkpoints")  # which no event feeds
    pool = ClientPool(lambda: engine(str(store.client.database)))
    yield pool
    pool.close()


def checkpoint(size: int, at: datetime = AT) -> PublishedCheckpoint:
    note = f"origin\n{size}\n\n\u2014 origin AAAA\n".encode()
    return PublishedCheckpoint("origin", str(LOG), size, bytes([size]) * 32, note, at, ("w1", "w2"))


def test_a_row_holds_the_note_as_it_was_published(clients: ClientPool) -> None:
    rows = ClickHouseCheckpoints(clients)
    rows.add([checkpoint(3), checkpoint(7)])

    with clients.borrow() as client:
        found = client.query(
            "SELECT origin, log_id, tree_size, root_hash, note, signed_at, witnesses FROM checkpoints "
            "ORDER BY tree_size"
        ).result_rows
    assert [tuple(row) for row in found] == [
        (
            "origin",
            str(LOG),
            size,
            bytes([size]) * 32,
            checkpoint(size).note.decode(),
            READ_BACK,
            ["w1", "w2"],
        )
        for size in (3, 7)
    ]
    assert rows.sizes() == {str(LOG): 7}


def test_the_status_shows_the_newest_and_when_it_was_signed(clients: ClientPool) -> None:
    ClickHouseCheckpoints(clients).add([checkpoint(7, AT.replace(hour=13)), checkpoint(3), checkpoint(7)])

    (found,) = recorded(Reader(clients)).checkpoints

    assert (found["tree_size"], found["signed_at"]) == (7, READ_BACK.replace(hour=13))
    assert found["checkpoint_age_s"] > 0


def test_logs_are_found_with_their_ends(clients: ClientPool, store: ClickHouseStore) -> None:
    assert ClickHouseLogs(clients).ends() == {}
    store.sink.insert(block_of(), insert_by_s=4e9, timeout_s=20)
    store.sink.insert(block_of(log=OTHER_LOG), insert_by_s=4e9, timeout_s=20)

    assert ClickHouseLogs(clients).ends() == {str(LOG): 3, str(OTHER_LOG): 3}
