"""What a row of a FOCUS file is made of: cost lines of an hour or day, or later differences, summed up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Who pays how much, and for what; what is not known is ''.

    Attributes:
        charge_start: Start of the hour or day (UTC).
        currency: ISO 4217 code of the four sums.
        lines: How many cost lines or adjustments are summed up.
    """

    charge_start: datetime
    tenant_id: str
    project_id: str = ""
    team_id: str = ""
    feature_id: str = ""
    cost_center: str = ""
    environment: str = ""
    agent_id: str = ""
    credential_id: str = ""
    event_type: str
    provider: str = ""
    model: str = ""
    currency: str
    lines: int
    list: Decimal
    contracted: Decimal
    effective: Decimal
    billed: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLine(Charge):
    """Cost lines of one meter, price and owner, of one hour or day.

    Attributes:
        producer: Who reported an operational cost; '' for anything else.
        period_start: Start of the charged period, for costs of a period.
        period_end: End of it, exclusive.
        quantity: How much was consumed, in `unit`.
        list_unit_price: List price of one unit, None where none was said.
    """

    agent_name: str = ""
    account: str = ""
    region: str = ""
    service_tier: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    experiment_key: str = ""
    experiment_variant: str = ""
    producer: str = ""
    category: str = ""
    resource_id: str = ""
    period_start: datetime | None = None
    period_end: datetime | None = None
    meter: str
    direction: str = ""
    cache_action: str = ""
    unit: str
    price_id: str = ""
    price_revision: str = ""
    list_unit_price: Decimal | None = None
    price_source: str = ""
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeDifference(Charge):
    """Differences of one kind, booked in one month to one owner, of one hour or day.

    Attributes:
        kind: `reprice`, `attribution`, …
        recorded_month: First day of the month in which they were booked (UTC).
    """

    kind: str
    recorded_month: datetime
    old_revision: str = ""
    new_revision: str = ""
