"""A cost beside tokens, from a line of a bill, as an `ai.cost.operational` event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from auditstream.core.event_types import OPERATIONAL_COST
from auditstream.emit.model_call import event_id

SERVICE = "service"
"""Attribute with the name of the service that was charged for; allocation rules go by it."""

_WIDE = Context(prec=100, rounding=ROUND_HALF_EVEN)
_SCALES = {"quantity": 9, "list_unit_price": 18, "list": 12, "contracted": 12, "effective": 12, "billed": 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationalCost:
    """One charge.

    Attributes:
        line: Line number in the file, from 1.
        start: Start of the charged period; also the time of the event.
        end: Its end, exclusive.
        category: Category word.
        service: Name of the service.
        amounts: `list`, `contracted`, `effective` and `billed`.
        currency: ISO 4217 code.
        meter: What was counted.
        quantity: How much.
        unit: Unit of the quantity.
        unit_price: List price of one unit.
        price_id: Id of the price.
        resource_id: What was charged for.
        owner: Envelope fields that say whose it is: `tenant_id`, `project_id`, `cost_center`, ...
        attributes: What else the bill says.
    """

    line: int
    start: datetime
    end: datetime
    category: str
    service: str
    amounts: Mapping[str, Decimal]
    currency: str
    meter: str
    quantity: Decimal = Decimal(1)
    unit: str = "charge"
    unit_price: Decimal | None = None
    price_id: str | None = None
    resource_id: str | None = None
    owner: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)


def event_of(cost: OperationalCost, format_name: str, file_hash: bytes) -> dict[str, Any]:
    """Return a charge as an event, for `schemas.intake`.

    Figures with more decimals than the contract has are rounded, halves to even; what the bill said is then
    kept as an attribute `exact.NAME`.

    Args:
        cost: The charge.
        format_name: Name of the file's format.
        file_hash: Hash of the file, for the id: the same line of the same file is the same event.
    """
    figures = {"quantity": cost.quantity, "list_unit_price": cost.unit_price, **cost.amounts}
    kept = {name: _rounded(name, value) for name, value in figures.items() if value is not None}
    exact = {f"exact.{name}": f"{figures[name]:f}" for name in kept if kept[name] != figures[name]}
    attributes = {SERVICE: cost.service, **cost.attributes, **exact}
    return {
        "event_id": event_id(cost.start, file_hash, cost.line),
        "event_type": OPERATIONAL_COST,
        "event_time": cost.start,
        "source": f"urn:auditstream:emit:{format_name}",
        "source_instance": file_hash.hex()[:16],
        "source_seq": cost.line,
        "actor_type": "SYSTEM",
        "outcome": "SUCCESS",
        **cost.owner,
        "attributes": {name: value for name, value in attributes.items() if value},
        "costs": [
            {
                "category": cost.category,
                "resource_id": cost.resource_id,
                "period_start": cost.start,
                "period_end": cost.end,
                "meter": cost.meter,
                "unit": cost.unit,
                "price_id": cost.price_id,
                "currency": cost.currency,
                "source": "PROVIDER",
                **kept,
            }
        ],
    }


def _rounded(name: str, value: Decimal) -> Decimal:
    scale = _SCALES[name]
    _, _, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent >= -scale:
        return value  # the contract judges what is too large, or no number
    return value.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
