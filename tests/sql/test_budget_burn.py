"""What budgets' scopes spent by minute: the same by rollup and by event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from auditstream.reference.limits import Budget
from sinks.budget_spend import BudgetSpend
from sinks.clients import ClientPool
from tests.support.blocks import block_of
from tests.support.stores import ClickHouseStore, OpenClient

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE = int(START.timestamp()) // 60


def spent(
    store: ClickHouseStore, engine: OpenClient, scope: dict[str, str]
) -> list[tuple[int, str, Decimal]]:
    budget = Budget(
        budget_id="b",
        tenant_id="acme",
        scope=scope,
        period="month",
        amount=Decimal(1),
        currency="USD",
        valid_from=START,
    )
    clients = ClientPool(lambda: engine(str(store.client.database)))
    rows = BudgetSpend(clients).spent_by_minute(budget, START, START + timedelta(minutes=3))
    clients.close()
    return sorted((minute - MINUTE, currency, amount) for minute, currency, amount in rows)


def test_minutes_are_told_by_scope_and_currency(store: ClickHouseStore, engine: OpenClient) -> None:
    rows = [
        # seconds, tenant, model, team, currency, cost
        (0, "acme", "m", "t", "USD", "1"),
        (59, "acme", "m", "t", "USD", "2"),
        (60, "acme", "m", "t", "EUR", "4"),
        (61, "acme", "m", "u", "USD", "8"),
        (62, "acme", "other", "t", "USD", "16"),
        (63, "globex", "m", "t", "USD", "32"),
        (64, "acme", "m", "t", "", None),
        (-1, "acme", "m", "t", "USD", "64"),
        (180, "acme", "m", "t", "USD", "128"),
    ]
    seconds, tenants, models, teams, currencies, costs = map(list, zip(*rows, strict=True))
    block = block_of(
        rows=len(rows),
        day=START.date(),
        event_time=[START + timedelta(seconds=int(each or 0)) for each in seconds],
        tenant_id=tenants,
        inference_response_model=models,
        team_id=teams,
        cost_currency=currencies,
        cost_effective=[None if each is None else Decimal(str(each)) for each in costs],
        cost_status=["unpriced" if each is None else "priced" for each in costs],
    )
    store.insert(block)

    by_rollup = spent(store, engine, {"model": "m"})
    assert by_rollup == [(0, "USD", Decimal(3)), (1, "EUR", Decimal(4)), (1, "USD", Decimal(8))]
    by_event = spent(store, engine, {"model": "m", "team_id": "t"})
    assert by_event == [(0, "USD", Decimal(3)), (1, "EUR", Decimal(4))]
