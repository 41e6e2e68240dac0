"""One store for all tests of the API: rows of three tenants, which nobody changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.query.reader import Reader
from sinks.finding_rows import add_findings
from tests.support.api_house import ApiHouse, findings_of_three_tenants, rows_of_three_tenants
from tests.support.stores import ClickHouseStore, OpenClient, reading


@pytest.fixture(scope="module")
def three_tenants(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[Reader]:
    migrated.empty()
    migrated.insert(rows_of_three_tenants())
    add_findings(migrated.client, findings_of_three_tenants())
    with reading(engine, migrated) as opened:
        yield opened


@pytest.fixture
def house(three_tenants: Reader, tmp_path: Path) -> Iterator[ApiHouse]:
    opened = ApiHouse(three_tenants, tmp_path / "exports")
    yield opened
    assert opened.exports is not None
    opened.exports.stop()


@pytest.fixture(scope="module")
def lasting_house(three_tenants: Reader) -> ApiHouse:
    """The same for tests that draw many requests, none of which changes anything; it writes no exports."""
    return ApiHouse(three_tenants)
