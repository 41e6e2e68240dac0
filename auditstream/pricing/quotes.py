"""Answers to price requests, with every amount as a decimal string."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from auditstream.pricing.lines import AMOUNTS
from auditstream.pricing.pricer import CataloguePricer
from auditstream.pricing.request import PriceRequest
from auditstream.pricing.states import PRICED
from schemas.flatten import frame_of

LINE_COLUMNS = (
    "meter", "direction", "cache_action", "quantity", "unit", "price_id", "list_unit_price",
    "list", "contracted", "effective", "billed", "currency",
)  # fmt: skip
"""Fields of a line in an answer."""


def quotes(pricer: CataloguePricer, requests: Sequence[PriceRequest]) -> list[dict[str, Any]]:
    """Return an answer a request, in their order.

    A priced one has `status`, the request's own fields, `currency`, `total` (what is billed), the four
    totals, `basis`, `revision` and `lines`; one without a price has `status` unpriced and a `reason`.
    """
    priced = pricer.explain(frame_of([request.event() for request in requests]), revision=0)
    return [_answer(request, row) for request, row in zip(requests, priced.to_dicts(), strict=True)]


def _answer(request: PriceRequest, row: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"status": row["cost_status"]}
    if request.id is not None:
        answer["id"] = request.id
    answer |= {"provider": request.provider, "model": request.served or request.model}
    answer |= {"at": request.at, "tier": request.tier or "standard"}
    if request.region is not None:
        answer["region"] = request.region
    if request.tenant is not None:
        answer["tenant"] = request.tenant
    answer["revision"] = row["price_book_revision"]
    if row["cost_status"] != PRICED:
        meter = {"meter": row["unpriced_meter"]} if row["unpriced_meter"] else {}
        return answer | {"reason": row["refusal"]} | meter
    return answer | {
        "basis": row["price_basis"],
        "currency": row["cost_currency"],
        "total": decimal_text(row["cost_billed"]),
        **{f"cost_{name}": decimal_text(row[f"cost_{name}"]) for name in AMOUNTS},
        "lines": [_line(line) for line in row["costs"]],
    }


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: line[name] for name in LINE_COLUMNS}
    return {
        name: decimal_text(value) if isinstance(value, Decimal) else value for name, value in values.items()
    }


def decimal_text(value: Decimal) -> str:
    """Return a decimal without exponent and without trailing zeros: `48.1`."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
