"""Tiles as the store derives them, against hashlib over the same leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest

from auditstream.core.errors import StoreTimeoutError
from auditstream.ledger.leaves import LeafRun, value_hashes
from auditstream.query.leaf_tiles import LogTiles, Span, StoredDays, StoredLeaves, tile_digests
from auditstream.query.reader import Reader, Table
from auditstream.query.segment_rows import segment_rows
from auditstream.query.value_rows import places_of, values_of
from sinks.clients import ClientPool
from tests.support.blocks import LOG, NOON, OTHER_LOG, block_of
from tests.support.stores import ClickHouseStore, OpenClient

COUNT = 1500
STAMP_MS = int(NOON.timestamp() * 1000)


def value_of(index: int) -> bytes | None:
    return None if index % 5 == 4 else b"value %d" % index


RUN = LeafRun(
    kinds=[index % 2 for index in range(COUNT)],
    first_index=0,
    offsets=[index * 2**30 for index in range(COUNT)],
    timestamps_ms=[STAMP_MS] * COUNT,
    event_ids=[hashlib.md5(b"%d" % index).digest() for index in range(COUNT)],
    value_sha256=value_hashes(map(value_of, range(COUNT))),
)


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    clients = ClientPool(lambda: engine(str(store.client.database)))
    yield Reader(clients)
    clients.close()


@pytest.fixture
def recorded(store: ClickHouseStore) -> ClickHouseStore:
    fields = {
        "leaf_kind": RUN.kinds,
        "leaf_hash": RUN.hashes(),
        "event_id": RUN.event_ids,
        "kafka_offset": RUN.offsets,
        "raw": [value_of(index) or b"" for index in range(COUNT)],
        "raw_null": [value_of(index) is None for index in range(COUNT)],
    }
    store.insert(block_of(rows=COUNT, **fields))
    store.insert(block_of(OTHER_LOG, rows=5))
    return store


def test_every_digest_of_a_tile_is_that_of_its_leaves(reader: Reader, recorded: ClickHouseStore) -> None:
    hashes = RUN.hashes()
    assert any(each.endswith(b"\0") for each in hashes), "zeros at the end must not get lost"

    found = tile_digests(reader, [LogTiles(str(LOG), COUNT, 0, 8)], StoredDays(reader))[0]

    assert sorted(found) == [0, 1, 2, 3, 4, 5]
    for tile, digest in found.items():
        span = slice(256 * tile, min(256 * tile + 256, COUNT))
        assert digest.leaves == len(hashes[span])
        assert digest.as_recorded
        assert digest.digest == hashlib.sha256(b"".join(hashes[span])).digest()


def test_leaves_behind_the_checkpoint_are_not_read(reader: Reader, recorded: ClickHouseStore) -> None:
    digests = tile_digests(reader, [LogTiles(str(LOG), 260, 0, 2)], StoredDays(reader))[0]
    rows = StoredLeaves(reader, str(LOG), 260).leaves(256, 256)

    assert [digest.leaves for digest in digests.values()] == [256, 4]
    assert [row.index for row in rows] == [256, 257, 258, 259]


def test_tiles_of_several_logs_are_told_apart(reader: Reader, recorded: ClickHouseStore) -> None:
    asked = [
        LogTiles(str(OTHER_LOG), 5, 0, 1),
        LogTiles("nobody/0/0", 9, 0, 1),
        LogTiles(str(LOG), COUNT, 2, 1),
    ]

    found = tile_digests(reader, asked, StoredDays(reader))

    assert [[(tile, digest.leaves) for tile, digest in each.items()] for each in found] == [
        [(0, 5)],
        [],
        [(2, 256)],
    ]
    alike = [LogTiles(str(LOG), COUNT, 0, 1), LogTiles(str(OTHER_LOG), 256, 0, 1)]
    assert [
        [(tile, digest.leaves) for tile, digest in each.items()]
        for each in tile_digests(reader, alike, StoredDays(reader))
    ] == [[(0, 256)], [(0, 5)]]


class ShortOfMemory(Reader):
    """A reader of a store that has no room for more than two tiles at once."""

    refused = 0

    def table(self, sql: str, parameters: Mapping[str, Any], *, doing: str, limit_s: float = 0.0) -> Table:
        if parameters.get("to", 0) - parameters.get("from", 0) > 512:
            self.refused += 1
            raise StoreTimeoutError("(total) memory limit exceeded", clickhouse_code=241)
        return super().table(sql, parameters, doing=doing, limit_s=limit_s)


def test_what_takes_more_memory_than_the_store_gives_is_asked_for_in_parts(
    engine: OpenClient, reader: Reader, recorded: ClickHouseStore
) -> None:
    asked = [LogTiles(str(LOG), COUNT, 0, 6), LogTiles(str(OTHER_LOG), 5, 0, 1)]
    clients = ClientPool(lambda: engine(str(recorded.client.database)))
    narrow = ShortOfMemory(clients)

    found = tile_digests(narrow, asked[:1], StoredDays(narrow))
    of_both = tile_digests(narrow, asked, StoredDays(narrow))
    clients.close()

    assert narrow.refused
    assert found == tile_digests(reader, asked[:1], StoredDays(reader))
    assert of_both == tile_digests(reader, asked, StoredDays(reader))


def test_a_store_that_cannot_give_one_tile_is_told_of(reader: Reader, recorded: ClickHouseStore) -> None:
    def refuse(*_: object, **__: object) -> Table:
        raise StoreTimeoutError("memory limit exceeded", clickhouse_code=241)

    days = StoredDays(reader)
    days.of([Span(str(LOG), 0, COUNT)])
    reader.table = refuse  # type: ignore[method-assign]

    with pytest.raises(StoreTimeoutError, match="memory limit"):
        tile_digests(reader, [LogTiles(str(LOG), COUNT, 0, 6)], days)


def test_rows_give_their_entries_and_what_was_recorded(reader: Reader, recorded: ClickHouseStore) -> None:
    rows = StoredLeaves(reader, str(LOG), COUNT).leaves(300, 3)

    assert [row.entry for row in rows] == RUN.entries()[300:303]
    assert [row.recorded_hash for row in rows] == RUN.hashes()[300:303]


def test_segments_are_told_of_the_logs_that_were_asked_for_and_of_others(
    reader: Reader, recorded: ClickHouseStore
) -> None:
    found = segment_rows(reader, {str(LOG): 100, "nobody/x/0": 9}, others=True)

    assert list(found) == [str(LOG), "nobody/x/0", str(OTHER_LOG)]
    assert found["nobody/x/0"] == []
    (segment,), (other,) = found[str(LOG)], found[str(OTHER_LOG)]
    assert (segment.below, segment.rows, segment.elsewhere) == (100, COUNT, 0)
    assert (segment.segment_id, segment.first_index, segment.last_index) == (
        f"{LOG}/0-{COUNT - 1}",
        0,
        COUNT - 1,
    )
    assert segment.days == (NOON.date(),)
    assert (other.below, other.rows) == (0, 5)
    assert list(segment_rows(reader, {str(LOG): 100})) == [str(LOG)]


def test_rows_of_another_topic_than_their_log_names_are_counted(
    reader: Reader, store: ClickHouseStore
) -> None:
    store.insert(block_of(rows=3, kafka_partition=[0, 7, 0]))
    store.insert(block_of(OTHER_LOG, rows=2))

    found = segment_rows(reader, {str(LOG): 3, str(OTHER_LOG): 2})

    assert [segment.elsewhere for (segment,) in found.values()] == [1, 0]


def test_days_that_are_known_already_are_not_asked_for(reader: Reader, recorded: ClickHouseStore) -> None:
    days = StoredDays(reader)
    first, second = date(2026, 1, 1), date(2026, 1, 2)

    days.remember(str(LOG), [(first, 0, 9), (second, 10, 19), (first, 30, 39)])

    assert days.of([Span(str(LOG), 0, 10)]) == [first]
    assert days.of([Span(str(LOG), 9, 11), Span(str(OTHER_LOG), 0, 5)]) == sorted(
        {first, second, NOON.date()}
    )
    assert days.of([Span(str(LOG), 40, 50)]) == []


def test_a_value_is_found_by_its_hash_and_read_back(reader: Reader, recorded: ClickHouseStore) -> None:
    assert places_of(reader, hashlib.sha256(b"value 77").digest()) == [(str(LOG), 77)]
    assert places_of(reader, bytes(32)) == []
    assert list(values_of(reader, str(LOG), 3, 2)) == [(3, b"value 3"), (4, None)]
