"""Costs planted in a store: lines of many kinds, and what was corrected later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.support.adjustments import book
from tests.support.blocks import LOG, NOON, block_of, event_id_at
from tests.support.stores import ClickHouseStore


def line(quantity: str, price: str, **more: Any) -> dict[str, Any]:
    amount = (Decimal(quantity) * Decimal(price)).quantize(Decimal("1e-12"))
    return {
        "category": "inference",
        "meter": "text",
        "direction": "input",
        "quantity": Decimal(quantity),
        "unit": "tokens",
        "price_id": "openai/gpt-4o/input",
        "price_book_rev": "r1",
        "list_unit_price": Decimal(price),
        "list": amount,
        "contracted": amount,
        "effective": amount,
        "billed": amount,
        "currency": "USD",
        "source": "LOCAL",
    } | more


def cost_columns(lines: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the columns of events with these lines, priced where there are some."""
    priced = [all(each["source"] != "UNPRICED" for each in own) for own in lines]
    totals = {
        f"cost_{name}": [
            sum((each[name] for each in own), Decimal(0)) if has_price else None
            for own, has_price in zip(lines, priced, strict=True)
        ]
        for name in ("list", "contracted", "effective", "billed")
    }
    return {
        "costs": lines,
        "cost_status": ["priced" if each else "unpriced" for each in priced],
        "cost_currency": [
            own[0]["currency"] if each else "" for own, each in zip(lines, priced, strict=True)
        ],
        **totals,
    }


LINES = [
    [line("1234567", "0.0000025"), line("77", "0.00001", direction="output", price_id="openai/4o/output")],
    [line("3", "0.0000025")],
    [line("11", "0.0000025", source="UNPRICED")],
    [line("3", "0.0000025")],
    [line("1000", "0.000003", currency="EUR", price_id="")],
    [line("5", "0.000001", contracted=Decimal("0.000004"), billed=Decimal(0))],
    [line("2.5", "0.40", unit="gb-hours", meter="storage", direction=None, price_id=None, resource_id="vs-1",
          category="vector store", period_start=NOON, period_end=NOON + timedelta(hours=3))],
    [line("9", "0.0000025")],
    [line("0", "0", unit="seats", meter="seat", direction=None, list=Decimal(30),
          category="seats", price_id=None, list_unit_price=None,
          contracted=Decimal(9), effective=Decimal(9), billed=Decimal(9))],
    [line("1", "0", list=Decimal(-3), contracted=Decimal(-3), effective=Decimal(-3), billed=Decimal(-3),
          price_id=None, category="inference", unit="credits")],
]  # fmt: skip


def record_charges(store: ClickHouseStore) -> None:
    """Record ten leaves, some without a price, repeats, bills, or of February."""
    store.client.command("TRUNCATE TABLE cost_adjustments")
    hours = (0, 0, 1, 0, 30, 31, 2, 24 * 40, 3, 4)
    store.insert(
        block_of(
            rows=10,
            event_id=[event_id_at(LOG, offset).bytes for offset in (0, 1, 2, 1, 4, 5, 6, 7, 8, 9)],
            duplicate_of=[None, None, None, 1, *[None] * 6],
            same_call_as=[*[None] * 5, 4, *[None] * 4],
            event_time=[NOON + timedelta(hours=hour, minutes=7) for hour in hours],
            event_type=["ai.inference"] * 6
            + ["ai.cost.operational", "ai.inference", *["ai.cost.operational"] * 2],
            tenant_id=["acme", "acme", "acme", "acme", "globex", "globex", *["acme"] * 4],
            inference_provider=["openai"] * 6 + ["", "openai", "", "openai"],
            inference_request_model=["gpt-4o"] * 6 + ["", "gpt-4o", "", ""],
            agent_id=["a1"] * 10,
            agent_name="Helper",
            credential_id=["k1", "k1", "k1", "k1", "k2", "k2", "", "k1", "", ""],
            environment="production",
            **cost_columns(LINES),
        )
    )


def adjust(store: ClickHouseStore, leaf: int, kind: str, *, recorded: datetime, **more: Any) -> None:
    own = {"tenant_id": "acme", "inference_provider": "openai", "model": "gpt-4o", "recorded_at": recorded}
    book(store, leaf, kind, **(own | more))


def adjust_charges(store: ClickHouseStore) -> None:
    """Correct a price in its month and after it, and move an event that costs nothing."""
    in_month, later = NOON + timedelta(days=3), datetime(2026, 3, 4, tzinfo=UTC)
    adjust(store, 0, "reprice", recorded=in_month, cost_list=Decimal("0.5"), cost_billed=Decimal("0.25"))
    adjust(store, 0, "reprice", recorded=later, cost_list=Decimal("-0.125"), new_revision="r2")
    adjust(store, 2, "attribution", recorded=later, events=-1, unpriced_events=-1)
    adjust(store, 2, "attribution", recorded=later, events=1, unpriced_events=1, tenant_id="globex")
