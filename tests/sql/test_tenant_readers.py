"""What the reader of one tenant sees: the tenant's rows in every table and view that it may read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from clickhouse_connect.driver.exceptions import Error

from auditstream.reference.kinds import Entry
from auditstream.reference.owners import Tenant
from auditstream.reference.rates import CurrencyRate
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool
from sinks.grants import tenant_grants
from sinks.migrate import apply
from sinks.reference import ReferenceStore
from tests.support.blocks import block_of
from tests.support.roles import OWNER, OpenAs, engine_with_roles

DATABASE, READER = "audit", "audit_reader_acme"
ACCESS_DENIED = 497
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
TENANTS = ("acme", "globex")


def conditions() -> dict[str, str]:
    """Return the rows that the policies let through, by table."""
    made = re.compile(r"CREATE ROW POLICY .* ON `\w+`\.(?P<table>\w+) USING (?P<rows>.+) TO .+")
    found = [made.fullmatch(each) for each in tenant_grants(DATABASE, "acme")]
    return {match["table"]: match["rows"] for match in found if match}


@pytest.fixture(scope="module")
def open_as(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAs]:
    """What opens clients of a store with costs of two tenants."""
    statements = [each.replace("`audit_reader_acme`", READER) for each in tenant_grants(DATABASE, "acme")]
    folder = tmp_path_factory.mktemp("engine")
    with engine_with_roles(folder, DATABASE, statements, rows=conditions()) as opener:
        with opener(OWNER) as migrator:
            apply(migrator, "MergeTree")
        clients = ClientPool(lambda: opener(OWNER))
        facts = (
            *(Tenant(tenant_id=each, name=each, currency="EUR", valid_from=SINCE) for each in TENANTS),
            CurrencyRate(base="USD", quote="EUR", rate=Decimal("0.5"), valid_from=SINCE),
        )
        ReferenceStore(clients).append([Entry(each, "test") for each in facts], base=0, actor="me")
        amounts = {f"cost_{name}": Decimal(3) for name in ("list", "contracted", "effective", "billed")}
        block = block_of(rows=2, tenant_id=[*TENANTS], cost_currency="USD", cost_status="priced", **amounts)
        ClickHouseSink(clients).insert(block, insert_by_s=4e9, timeout_s=20)
        yield opener
        clients.close()


@pytest.mark.parametrize(
    "name",
    ["events", "events_current", "usage_1m", "usage_1h", "costs_current", "costs_reported"],
)
def test_a_reader_sees_its_own_tenant_alone(open_as: OpenAs, name: str) -> None:
    with open_as(READER) as client:
        rows = client.query(f"SELECT DISTINCT tenant_id FROM {name}").result_rows

    assert rows == [("acme",)]


def test_a_reader_sees_costs_in_the_currency_of_its_tenant(open_as: OpenAs) -> None:
    with open_as(READER) as client:
        rows = client.query(
            "SELECT tenant_id, cost_currency, cost_billed, reporting_currency, rate, reported_billed "
            "FROM costs_reported"
        ).result_rows

    assert rows == [("acme", "USD", Decimal(3), "EUR", Decimal("0.5"), Decimal("1.5"))]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT name FROM tenants",
        "SELECT labels FROM tenants",
        "SELECT actor FROM currency_rates",
        "SELECT actor FROM reference_revisions",
        "SELECT count() FROM contracts",
        "SELECT count() FROM prices",
    ],
)
def test_a_reader_sees_no_more_of_the_reference_data_than_its_currency(
    open_as: OpenAs, statement: str
) -> None:
    with open_as(READER) as client, pytest.raises(Error) as refused:
        client.query(statement)

    assert refused.value.code == ACCESS_DENIED
