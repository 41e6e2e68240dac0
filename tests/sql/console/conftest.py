"""One store for all screens: rows of three tenants and some dead letters, which nobody changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from auditstream.query.reader import Reader
from tests.support.api_house import rows_of_three_tenants
from tests.support.blocks import NOON, OTHER_LOG, block_of
from tests.support.console_house import ConsoleHouse
from tests.support.stores import ClickHouseStore, OpenClient, reading

HOSTILE = b"\x1b[2J\xe2\x80\xae<script>alert(1)</script>"
"""Bytes that would clear a terminal, turn a line round and run as script, if anything let them through."""


@pytest.fixture(scope="module")
def recorded(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[Reader]:
    migrated.empty()
    migrated.insert(rows_of_three_tenants())
    migrated.insert(
        block_of(
            OTHER_LOG,
            rows=4,
            leaf_kind=1,
            event_type="",
            tenant_id="",
            source="",
            kafka_timestamp=[NOON + timedelta(seconds=each) for each in range(4)],
            event_time=[NOON + timedelta(seconds=each) for each in range(4)],
            reject_reason=["undecodable", "undecodable", "unknown_schema", "null_value"],
            reject_detail=["<script>alert(1)</script>", "credential_id", "schema 9", "value is null"],
            raw=[HOSTILE, b"\x00" * 5_000, b"third", b""],
            raw_null=[False, False, False, True],
        )
    )
    with reading(engine, migrated) as opened:
        yield opened


@pytest.fixture
def house(recorded: Reader) -> ConsoleHouse:
    return ConsoleHouse(recorded)
