"""Where a value is recorded: told of the very value of a tenant's event, and read without the others."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date
from hashlib import sha256

import pytest
from clickhouse_connect.driver.exceptions import Error

from auditstream.core.ports import Placed
from auditstream.query.reader import Reader
from auditstream.query.receipts import RecordedValue, recorded_value
from tests.support.blocks import LOG, OTHER_LOG, block_of, event_id_at
from tests.support.stores import ClickHouseStore, OpenClient, reading

VALUES = [b"one", b"two", b"three"]


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    with reading(engine, store) as opened:
        yield opened


def hash_of(value: bytes) -> str:
    return sha256(value).hexdigest()


def test_a_value_is_found_as_its_leaf(reader: Reader, store: ClickHouseStore) -> None:
    store.insert(block_of(OTHER_LOG, 5, raw=VALUES))

    found = recorded_value(reader, hash_of(b"two"), event_id_at(OTHER_LOG, 6), "acme")

    assert found == RecordedValue(str(OTHER_LOG), 6, Placed(OTHER_LOG.topic, OTHER_LOG.partition, 6))


def test_another_value_another_event_or_another_tenant_is_not_it(
    reader: Reader, store: ClickHouseStore
) -> None:
    store.insert(block_of(raw=VALUES))
    event = event_id_at(LOG, 1)

    assert recorded_value(reader, hash_of(b"two"), event, "acme") is not None
    assert recorded_value(reader, hash_of(b"one"), event, "acme") is None
    assert recorded_value(reader, hash_of(b"two"), event_id_at(LOG, 0), "acme") is None
    assert recorded_value(reader, hash_of(b"two"), event, "globex") is None


def test_of_a_value_that_was_sent_twice_the_first_leaf_is_told(
    reader: Reader, store: ClickHouseStore
) -> None:
    again = event_id_at(LOG, 0).bytes
    store.insert(block_of(raw=b"one", event_id=[again] * 3, duplicate_of=[None, 0, 0]))

    found = recorded_value(reader, hash_of(b"one"), event_id_at(LOG, 0), "acme")

    assert found is not None
    assert found.leaf_index == 0


def test_what_is_no_event_is_no_receipt(reader: Reader, store: ClickHouseStore) -> None:
    store.insert(block_of(raw=VALUES, leaf_kind=[1, 2, 0], raw_null=[False, False, True]))

    found = [
        recorded_value(reader, hash_of(value), event_id_at(LOG, n), "acme") for n, value in enumerate(VALUES)
    ]

    assert found == [None, None, None]


def test_an_id_without_a_time_is_looked_for_on_every_day(reader: Reader, store: ClickHouseStore) -> None:
    event = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    store.insert(block_of(rows=1, raw=b"one", event_id=[event.bytes], day=date(2020, 1, 1)))

    assert recorded_value(reader, hash_of(b"one"), event, "acme") is not None


def test_days_before_an_event_can_have_been_recorded_are_not_read(
    reader: Reader, store: ClickHouseStore
) -> None:
    store.insert(block_of(rows=1, raw=b"one", day=date(2020, 1, 1)))

    assert recorded_value(reader, hash_of(b"one"), event_id_at(LOG, 0), "acme") is None


def test_values_of_other_events_are_not_hashed(reader: Reader, store: ClickHouseStore) -> None:
    rows = 40_000
    store.insert(block_of(rows=rows, raw=[b"%d" % number + bytes(2_000) for number in range(rows)]))
    value = b"%d" % 20_000 + bytes(2_000)
    limit = f"SETTINGS max_bytes_to_read = {rows * 500}"
    by_hash = (
        f"SELECT log_id FROM receipts WHERE tenant_id = 'acme' AND value_sha256 = unhex('{hash_of(value)}')"
    )
    by_event = f"{by_hash} AND event_id = '{event_id_at(LOG, 20_000)}'"

    assert len(store.client.query(f"{by_event} {limit}").result_rows) == 1
    with pytest.raises(Error, match="TOO_MANY_BYTES"):
        store.client.query(f"{by_hash} {limit}")
