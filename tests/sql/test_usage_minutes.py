"""Minutes of usage from the rollup, against sums made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auditstream.core.errors import NotFoundError
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from auditstream.query.usage_minutes import tenant_currency, usage_minutes
from sinks.clients import ClientPool
from tests.support.blocks import block_of
from tests.support.stores import ClickHouseStore, OpenClient

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
FIRST = int(NOON.timestamp()) // 60
EVER = Period()


@pytest.fixture
def reader(store: ClickHouseStore, engine: OpenClient) -> Reader:
    at = [NOON, NOON + timedelta(seconds=59), NOON + timedelta(minutes=2), NOON + timedelta(minutes=9)]
    store.insert(
        block_of(
            rows=4,
            event_time=at,
            event_type=["ai.inference", "ai.inference", "ai.cost.operational", "ai.tool_call"],
            inference_response_model=["small", "large", "large", "large"],
            project_id=["search", "search", "", ""],
            outcome=["SUCCESS", "FAILURE", "SUCCESS", "SUCCESS"],
            input_tokens=[10, 20, 30, 40],
            output_tokens=[1, 2, 3, 4],
            cache_read_tokens=[5, 0, 0, 0],
            cost_status=["priced", "priced", "priced", "unpriced"],
            cost_currency=["USD", "USD", "EUR", ""],
            cost_effective=[Decimal("0.5"), Decimal("0.125"), Decimal(7), None],
        )
    )
    bill = {"event_type": "ai.cost.operational", "cost_currency": "USD", "cost_effective": Decimal(30)}
    store.insert(block_of(lo=6, rows=1, event_time=NOON + timedelta(minutes=9), **bill))
    store.insert(block_of(lo=4, rows=2, tenant_id="globex", event_time=NOON))
    bill_first = {
        "event_time": [NOON, NOON + timedelta(minutes=1)],
        "event_type": ["ai.cost.operational", "ai.inference"],
        "cost_currency": ["EUR", "USD"],
        "cost_effective": [Decimal(30), Decimal("0.5")],
    }
    store.insert(block_of(lo=7, rows=2, tenant_id="initech", **bill_first))
    return Reader(ClientPool(lambda: engine(str(store.client.database))))


def test_a_minute_has_the_sums_of_the_tenant_and_of_the_scope(reader: Reader) -> None:
    found = usage_minutes(reader, "acme", EVER, "USD", ("model", "large"))

    assert found.minutes.tolist() == [FIRST, FIRST + 2, FIRST + 9]
    assert {name: column.tolist() for name, column in found.tenant.items()} == {
        "events": [2, 1, 2],
        "calls": [2, 0, 0],
        "failures": [1, 0, 0],
        "unpriced": [0, 0, 1],
        "input_tokens": [30, 30, 40],
        "output_tokens": [3, 3, 4],
        "cache_read_tokens": [5, 0, 0],
        "spend": [0.625, 0, 30],  # euros are not the tenant's money
        "usage_spend": [0.625, 0, 0],  # and a bill is no spend of its minute
    }
    assert found.own is not None
    assert found.own["events"].tolist() == [1, 1, 1]
    assert found.own["spend"].tolist() == [0.125, 0, 0]


def test_a_project_is_a_scope_and_a_period_has_the_minutes_that_begin_in_it(reader: Reader) -> None:
    period = Period(NOON - timedelta(minutes=1), NOON + timedelta(minutes=2))

    found = usage_minutes(reader, "acme", period, "USD", ("project", "search"))

    assert found.minutes.tolist() == [FIRST]
    assert found.own is not None
    assert found.own["input_tokens"].tolist() == [30]


def test_a_tenants_currency_is_the_first_that_it_paid_use_in_or_else_a_bill(reader: Reader) -> None:
    assert tenant_currency(reader, "acme", EVER) == "USD"
    assert tenant_currency(reader, "acme", Period(NOON + timedelta(minutes=1))) == "EUR"
    assert tenant_currency(reader, "initech", EVER) == "USD"
    assert tenant_currency(reader, "globex", EVER) == ""


def test_a_tenant_without_usage_is_refused(reader: Reader) -> None:
    with pytest.raises(NotFoundError, match="'nobody' used nothing"):
        usage_minutes(reader, "nobody", EVER, "USD")
