"""Rows of `cost_adjustments`, as they are booked."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from tests.support.blocks import LOG, NOON, event_id_at
from tests.support.stores import ClickHouseStore


def book(store: ClickHouseStore, leaf: int, kind: str, **columns: Any) -> None:
    """Book a row for a leaf; columns that are not given say nothing."""
    row = {
        "adjustment_id": uuid.uuid4(),
        "kind": kind,
        "log_id": str(LOG),
        "leaf_index": leaf,
        "event_id": event_id_at(LOG, leaf),
        "event_time": NOON,
        "event_type": "ai.inference",
        "cost_currency": "USD",
        "reason": "test",
        "actor": "test",
        **columns,
    }
    store.client.insert("cost_adjustments", [list(row.values())], column_names=list(row))


def adjust(store: ClickHouseStore, leaf: int, kind: str, *, tenant: str = "acme", **differences: Any) -> None:
    """Book one difference to a leaf now, as a re-rating does."""
    columns = {
        "tenant_id": tenant,
        "recorded_at": datetime.now(UTC),
        "stands": kind == "reprice" or differences.get("events", 0) > 0,
        "cost_status": "priced" if kind == "reprice" else "",
        **differences,
    }
    book(store, leaf, kind, **columns)


def move(store: ClickHouseStore, leaf: int, former: str, owner: str, **differences: Any) -> None:
    """Book an event to another tenant, as a re-rating does: minus at the former one, plus at the new one."""
    adjust(store, leaf, "attribution", tenant=former, events=-1, **differences)
    adjust(store, leaf, "attribution", tenant=owner, events=1, **differences)
