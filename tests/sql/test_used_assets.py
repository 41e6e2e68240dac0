"""What was used, as the store tells it, and the watch that holds it against the register."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditstream.core.clock import ManualClock
from auditstream.core.metrics import Metrics
from auditstream.emit.asset_watching import AssetWatch
from auditstream.query.assets import ever_used, sample_events, tenants_since, used_assets
from auditstream.query.reader import Reader
from auditstream.reference.assets import Asset
from schemas.records.detection import Finding
from sinks.clients import ClientPool
from sinks.finding_rows import add_findings
from tests.support.blocks import block_of
from tests.support.facts import snapshot_of
from tests.support.stores import ClickHouseStore, OpenClient

NOW = datetime(2026, 1, 2, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def clients(engine: OpenClient, store: ClickHouseStore) -> Iterator[ClientPool]:
    store.client.command("TRUNCATE TABLE findings")
    pool = ClientPool(lambda: engine(str(store.client.database)))
    yield pool
    pool.close()


def insert(store: ClickHouseStore, lo: int = 0, **columns: Any) -> None:
    """Insert two calls and two tool calls, one of a server."""
    plain = {
        "event_time": [NOW - HOUR, NOW, NOW, NOW + timedelta(seconds=1)],
        "event_type": ["ai.inference", "ai.inference", "ai.tool_call", "ai.tool_call"],
        "agent_id": "clerk",
        "credential_id": ["key-1", "key-1", "", ""],
        "inference_request_model": ["gpt-4o", "gpt-4o", "", ""],
        "inference_server_host": ["api.openai.com", "api.openai.com", "", ""],
        "tool_name": ["", "", "search", "mail"],
        "tool_mcp_server": ["", "", "", "https://mcp.example"],
        "cost_currency": ["USD", "USD", "", ""],
        "cost_effective": [Decimal("0.5"), Decimal("0.25"), None, None],
    }
    store.insert(block_of(lo=lo, rows=4, **plain | columns))


def test_every_type_of_asset_is_found_with_calls_times_and_spend(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    insert(store)
    insert(store, lo=4, duplicate_of=0)
    store.insert(block_of(lo=8, rows=1, event_type="ai.data_access", credential_id="analyst", event_time=NOW))

    found = used_assets(Reader(clients), NOW - 2 * HOUR, NOW + HOUR)

    first_hour, this_hour = NOW - timedelta(minutes=90), NOW - timedelta(minutes=30)
    assert {(each.asset_type, each.asset_id, each.events, each.currency, each.cost) for each in found} == {
        ("agent", "clerk", 2, "USD", Decimal("0.75")),
        ("agent", "clerk", 2, "", Decimal(0)),
        ("model", "gpt-4o", 2, "USD", Decimal("0.75")),
        ("credential", "key-1", 2, "USD", Decimal("0.75")),
        ("host", "api.openai.com", 2, "USD", Decimal("0.75")),
        ("tool", "search", 1, "", Decimal(0)),
        ("tool", "mail", 1, "", Decimal(0)),
        ("mcp_server", "https://mcp.example", 1, "", Decimal(0)),
    }
    times = {
        each.asset_type: (each.first, each.last) for each in found if each.currency or each.asset_id == "mail"
    }
    assert times["model"] == (first_hour, this_hour)
    assert times["host"] == (NOW - HOUR, NOW)
    assert used_assets(Reader(clients), NOW - 2 * HOUR, NOW + HOUR, tenant="globex") == []
    assert used_assets(Reader(clients), NOW + HOUR, NOW + 2 * HOUR) == []


def test_what_was_ever_used_and_who_used_it_is_known_from_the_rollups(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    insert(store)

    known = {(each.asset_type, each.asset_id) for each in ever_used(Reader(clients))}

    assert known == {
        ("agent", "clerk"), ("model", "gpt-4o"), ("credential", "key-1"), ("tool", "search"),
        ("tool", "mail"),
    }  # fmt: skip
    assert tenants_since(Reader(clients)) == {"acme": (NOW - timedelta(minutes=90), 4)}


def test_events_that_name_an_asset_are_found(store: ClickHouseStore, clients: ClientPool) -> None:
    insert(store)
    reader = Reader(clients)

    for used in used_assets(reader, NOW - 2 * HOUR, NOW + HOUR):
        assert len(sample_events(reader, used)) >= 1, used


class Watched:
    """A watch over a store, and what it told: into the table, as the product does."""

    def __init__(self, clients: ClientPool, *facts: Asset) -> None:
        self.told: list[Finding] = []
        self.clock = ManualClock(NOW.timestamp())
        self._clients = clients
        snapshot = snapshot_of({1: facts})
        self.watch = AssetWatch(clients, lambda: snapshot, self._publish, Metrics(), self.clock)

    def look(self, *tenants: str) -> list[tuple[str, str]]:
        """Look for some tenants, and return rule and scope of what was told."""
        self.told.clear()
        self.watch.look(lambda tenant: tenant in (tenants or ("acme",)), is_full=True)
        return [(each.rule_id, each.scope) for each in self.told]

    def _publish(self, findings: list[Finding]) -> None:
        self.told += findings
        with self._clients.borrow() as client:
            add_findings(client, findings)


def asset(kind: str, name: str, **fields: Any) -> Asset:
    stated = {"asset_type": kind, "asset_id": name, "valid_from": NOW - timedelta(days=90)}
    return Asset.model_validate(stated | fields)


def test_what_is_not_registered_is_told_once_a_day_also_after_a_restart(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    facts = (asset("mcp_server", "https://other.example"), asset("model", "gpt-4o", status="banned"))
    insert(store)
    watched = Watched(clients, *facts)

    assert watched.look("globex") == []
    assert watched.look() == [
        ("discovery.unregistered", "mcp_server=https://mcp.example"),
        ("discovery.banned", "model=gpt-4o"),
    ]
    assert all(len(each.related_events) >= 1 for each in watched.told)
    assert watched.look() == []
    watched.watch.forget()
    assert watched.look() == []
    assert Watched(clients, *facts).look() == []

    insert(store, lo=10, event_time=NOW + timedelta(days=1))
    watched.clock.advance(24 * 3600)
    assert watched.look() == [
        ("discovery.unregistered", "mcp_server=https://mcp.example"),
        ("discovery.banned", "model=gpt-4o"),
    ]


def test_a_first_use_is_told_of_a_tenant_that_has_been_here_for_long(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    old = NOW - timedelta(days=20)
    store.insert(
        block_of(lo=0, rows=1_000, event_time=old, inference_request_model="gpt-4o", agent_id="clerk")
    )
    watched = Watched(clients)
    assert watched.look() == []

    insert(store, lo=2_000)

    assert watched.look() == [
        ("entity.first_seen", "credential=key-1"),
        ("entity.first_seen", "tool=mail"),
        ("entity.first_seen", "tool=search"),
    ]
    assert watched.look() == []
