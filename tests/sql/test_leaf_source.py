"""Leaves as the sealer reads them from the table, against the ones that were recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from auditstream.core.errors import StoreSchemaError
from auditstream.core.ports import Lost, Plan, Segment
from auditstream.ledger.leaves import LeafError, LeafRun, value_hashes
from auditstream.ledger.merkle import root_of
from auditstream.sealer.sealing import seal_once
from sinks.clients import ClientPool
from sinks.leaf_source import ClickHouseLeaves
from streams.lost_offsets import lost_batch
from tests.support.blocks import LOG, OTHER_LOG, block_of
from tests.support.logs import KEY, Place
from tests.support.recorders import recorder_of
from tests.support.stores import ClickHouseStore, OpenClient

VALUES = [b"\0\0\0\0\1 value", b"", None]


@pytest.fixture
def leaves(engine: OpenClient, store: ClickHouseStore) -> Iterator[ClickHouseLeaves]:
    clients = ClientPool(lambda: engine(str(store.client.database)))
    yield ClickHouseLeaves(clients, str(LOG))
    clients.close()


def run_of(first: int, count: int) -> LeafRun:
    """Three kinds of leaves in turn: an event, a dead letter with an empty value, a null value."""
    indexes = range(first, first + count)
    return LeafRun(
        kinds=[min(index % 3, 1) for index in indexes],
        first_index=first,
        offsets=[index * 2**30 for index in indexes],
        timestamps_ms=[1_767_355_200_000 + index for index in indexes],
        event_ids=[bytes(16) if i % 3 else hashlib.md5(b"%d" % i).digest() for i in indexes],
        value_sha256=value_hashes(VALUES[index % 3] for index in indexes),
    )


def record(store: ClickHouseStore, first: int, count: int, **columns: object) -> None:
    run = run_of(first, count)
    indexes = range(first, first + count)
    stamps = [
        datetime.fromtimestamp(1_767_355_200 + index // 1000, UTC).replace(microsecond=index % 1000 * 1000)
        for index in indexes
    ]
    fields = {
        "leaf_kind": run.kinds,
        "leaf_hash": run.hashes(),
        "event_id": run.event_ids,
        "kafka_offset": run.offsets,
        "kafka_timestamp": stamps,
        "raw": [VALUES[index % 3] or b"" for index in indexes],
        "raw_null": [VALUES[index % 3] is None for index in indexes],
    }
    store.insert(block_of(lo=first, rows=count, **fields | columns))


def test_rows_give_the_entries_and_hashes_that_were_recorded(
    leaves: ClickHouseLeaves, store: ClickHouseStore
) -> None:
    record(store, 0, 7)
    record(store, 7, 1_500, day=date(2026, 1, 3))
    store.insert(block_of(OTHER_LOG, rows=5))

    stored = leaves.read(4, 1_000)

    assert stored.run.entries() == run_of(4, 1_000).entries()
    assert stored.checked().hashes == run_of(4, 1_000).hashes()
    assert len(leaves.read(1_400, 1_000)) == 107


def test_the_row_of_lost_offsets_gives_the_hash_that_it_was_recorded_with(
    leaves: ClickHouseLeaves, store: ClickHouseStore
) -> None:
    plan = Plan(0, 6, 0, date(2026, 3, 1), lost=Lost("never_planned", 1_772_323_200_001))
    batch = lost_batch(LOG, plan)
    segment = Segment(LOG, plan, batch.offsets, batch.values, batch.timestamps_ms)
    block = recorder_of().build(segment)
    store.insert(block)

    [hash_] = leaves.read(0, 10).checked().hashes

    assert hash_ == block.frame["leaf_hash"][0]
    value, kind = store.ask("SELECT raw, leaf_kind FROM events")[0]
    assert (value, kind) == ((batch.values[0] or b"").decode(), 2)


def test_there_are_no_leaves_behind_the_last_one(leaves: ClickHouseLeaves, store: ClickHouseStore) -> None:
    assert len(leaves.read(0, 10)) == 0
    record(store, 0, 7)

    assert len(leaves.read(7, 10)) == 0


def test_leaves_are_read_up_to_a_gap_and_then_the_missing_one_is_named(
    leaves: ClickHouseLeaves, store: ClickHouseStore
) -> None:
    record(store, 0, 7)
    record(store, 9, 3)

    assert len(leaves.read(0, 100)) == 7
    with pytest.raises(LeafError, match=f"leaf 7 of {LOG} is missing: the next one recorded is 9"):
        leaves.read(7, 100)
    with pytest.raises(LeafError, match="leaf 7 of"):
        leaves.read(7, 1)


def test_a_leaf_that_is_there_twice_is_named(leaves: ClickHouseLeaves, store: ClickHouseStore) -> None:
    record(store, 0, 7)
    record(store, 3, 1, segment_id="forged")

    with pytest.raises(LeafError, match=f"leaf 3 of {LOG} is recorded twice"):
        leaves.read(0, 100)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("raw", b"other"),
        ("raw_null", True),
        ("leaf_kind", 2),
        ("event_id", bytes(15) + b"\1"),
        ("kafka_offset", 1),
        ("kafka_timestamp", datetime(2026, 1, 2, tzinfo=UTC)),
        ("leaf_hash", bytes(32)),
    ],
)
def test_a_row_with_another_value_in_a_column_does_not_give_its_hash(
    leaves: ClickHouseLeaves, store: ClickHouseStore, column: str, value: object
) -> None:
    record(store, 0, 6)
    record(store, 6, 1, **{column: [value]})

    with pytest.raises(LeafError, match="leaf 6: expected hash"):
        leaves.read(0, 100).checked()


def test_a_table_is_sealed(leaves: ClickHouseLeaves, store: ClickHouseStore, tmp_path: Path) -> None:
    place = Place(tmp_path)
    record(store, 0, 300)
    seal_once(leaves, place.store, KEY, place.memory)
    record(store, 300, 300)

    sealed = seal_once(leaves, place.store, KEY, place.memory)

    assert sealed is not None
    assert (sealed.head.size, sealed.head.root) == (600, root_of(run_of(0, 600).hashes()))


def test_a_store_without_the_tables_says_so(engine: OpenClient) -> None:
    clients = ClientPool(lambda: engine("default"))
    with pytest.raises(StoreSchemaError):
        ClickHouseLeaves(clients, str(LOG)).read(0, 1)
    clients.close()
