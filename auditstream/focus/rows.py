"""Rows of a FOCUS file, made of charges: values by name of column, for every version at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Context, Decimal

from auditstream.core.event_types import OPERATIONAL_COST
from auditstream.focus.charge import Charge, ChargeDifference, ChargeLine
from auditstream.focus.services import UNKNOWN, Service, service_of
from auditstream.focus.units import Unit, unit_of

Row = Mapping[str, object]
"""Text, Decimal, datetime (UTC) or None by name of column; a column that is not there is null."""

NO_CURRENCY = "XXX"
"""ISO 4217 for "no currency": a difference was booked without one."""

_PRICE_STEP = Decimal(1).scaleb(-18)
_LINE_STEP = Decimal(1).scaleb(-12)
_EXACT = Context(prec=80)
_AI_AGENT = "AI Agent"
_WHY = {
    "reprice": "Repriced",
    "attribution": "Moved to another owner",
    "same_call": "Call that another event reports",
    "duplicate": "Event that was sent twice",
}


def usage_row(charge: ChargeLine, length: timedelta) -> Row:
    """Return the row of cost lines.

    Args:
        charge: The lines, summed up.
        length: Length of a charge period.
    """
    unit = unit_of(charge.unit)
    service = service_of(charge.provider, charge.producer, charge.category)
    start = charge.period_start or charge.charge_start
    end = charge.period_end or charge.charge_start + length
    meter = _meter(charge, unit)
    sku = "/".join(each for each in (charge.provider or service.name, charge.model, meter) if each)
    return {
        **_common(charge, service, account=charge.account),
        **_billing_period(start),
        "ChargePeriodStart": start,
        "ChargePeriodEnd": max(end, start + timedelta(seconds=1)),
        "ChargeCategory": "Credit" if _is_credit(charge) else "Usage",
        "ChargeDescription": f"{meter} of {charge.model or service.name}",
        "ChargeFrequency": "Usage-Based",
        **_prices(charge, unit),
        "PricingCategory": None if _is_credit(charge) else "Standard",
        "ResourceId": charge.resource_id or charge.agent_id or None,
        "ResourceName": None if charge.resource_id else charge.agent_name or None,
        "ResourceType": _resource_type(charge, service),
        "RegionId": charge.region or None,
        "RegionName": charge.region or None,
        "SkuId": sku,
        "SkuMeter": meter,
        "SkuPriceId": f"{sku}@{charge.price_id or _price_name(charge)}",
        "SkuPriceDetails": _json(
            x_ModelId=charge.model,
            x_TokenDirection=charge.direction,
            x_TokenCacheAction=charge.cache_action,
            x_ServiceTier=charge.service_tier,
        ),
        "Tags": _tags(charge, _names(charge)),
        "x_ServiceTier": charge.service_tier or None,
        "x_PriceId": charge.price_id or None,
        "x_PriceBookRevision": charge.price_revision or None,
        "x_PriceSource": charge.price_source or None,
        "x_CostCategory": charge.category or None,
    }


def difference_row(charge: ChargeDifference, length: timedelta) -> Row:
    """Return the row of differences: a correction where the month of the charge was over when it was booked.

    It has no quantity and no price: the events are those of the rows that it corrects.
    """
    producer = UNKNOWN if charge.event_type == OPERATIONAL_COST else ""
    service = service_of(charge.provider, producer, "")
    is_closed = charge.recorded_month > charge.charge_start
    why = f"{_WHY.get(charge.kind, charge.kind)}: {charge.model or service.name}"
    revisions = f" ({charge.old_revision} to {charge.new_revision})" if charge.new_revision else ""
    return {
        **_common(charge, service, account=""),
        **_billing_period(charge.recorded_month if is_closed else charge.charge_start),
        "ChargePeriodStart": charge.charge_start,
        "ChargePeriodEnd": charge.charge_start + length,
        "ChargeCategory": "Usage" if is_closed else "Adjustment",
        "ChargeClass": "Correction" if is_closed else None,
        "ChargeDescription": why + revisions,
        "ChargeFrequency": "One-Time",
        "ResourceId": charge.agent_id or None,
        "ResourceType": _AI_AGENT if charge.agent_id else None,
        "Tags": _tags(charge, {}),
        "x_PriceBookRevision": charge.new_revision or None,
        "x_AdjustmentKind": charge.kind,
    }


def _common(charge: Charge, service: Service, *, account: str) -> Row:
    return {
        "BillingAccountId": account or UNKNOWN,
        "BillingAccountName": account or UNKNOWN,
        "SubAccountId": charge.tenant_id,
        "SubAccountName": charge.tenant_id,
        "SubAccountType": "Tenant",
        "BillingCurrency": charge.currency or NO_CURRENCY,
        "InvoiceIssuerName": service.provider,
        "ProviderName": service.provider,
        "PublisherName": service.provider,
        "ServiceProviderName": service.provider,
        "HostProviderName": service.provider,
        "PricingCurrency": charge.currency or NO_CURRENCY,
        "PricingCurrencyEffectiveCost": charge.effective,
        "BilledCost": charge.billed,
        "EffectiveCost": charge.effective,
        "ListCost": charge.list,
        "ContractedCost": charge.contracted,
        "ServiceCategory": service.category,
        "ServiceSubcategory": service.subcategory,
        "ServiceName": service.name,
        "x_CredentialId": charge.credential_id or None,
        "x_ModelId": charge.model or None,
        "x_EventType": charge.event_type,
        "x_Lines": Decimal(charge.lines),
    }


def _billing_period(at: datetime) -> Row:
    """Return the calendar month that a time is in."""
    first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return {"BillingPeriodStart": first, "BillingPeriodEnd": (first + timedelta(days=31)).replace(day=1)}


def _prices(charge: ChargeLine, unit: Unit) -> Row:
    """Return quantities and unit prices; each price times the quantity is its cost, within a line's rounding.

    A cost of no quantity is the price of one charge. What is given back has neither.
    """
    if _is_credit(charge):
        return {}
    consumed = {"ConsumedQuantity": charge.quantity, "ConsumedUnit": unit.consumed}
    if not charge.quantity:
        once = _unit_prices(charge.list, charge.contracted)
        return {**consumed, **once, "PricingQuantity": Decimal(1), "PricingUnit": "Charges"}
    quantity = _EXACT.divide(charge.quantity, unit.per)
    listed = charge.list_unit_price
    list_price = None if listed is None else _EXACT.multiply(listed, unit.per)
    if list_price is None or not _fits(list_price, quantity, charge.list, charge.lines):
        list_price = _ratio(charge.list, quantity)
    contracted = charge.contracted
    same = contracted == charge.list
    return {
        **consumed,
        **_unit_prices(list_price, list_price if same else _ratio(contracted, quantity)),
        "PricingQuantity": quantity,
        "PricingUnit": unit.pricing,
    }


def _unit_prices(listed: Decimal, contracted: Decimal) -> Row:
    return {
        "ListUnitPrice": listed,
        "ContractedUnitPrice": contracted,
        "PricingCurrencyListUnitPrice": listed,
        "PricingCurrencyContractedUnitPrice": contracted,
    }


def _is_credit(charge: ChargeLine) -> bool:
    return min(charge.list, charge.contracted, charge.billed, charge.quantity) < 0


def _fits(price: Decimal, quantity: Decimal, cost: Decimal, lines: int) -> bool:
    """Return whether a price gives the cost; each line was rounded once, to 12 places."""
    return abs(_EXACT.multiply(price, quantity) - cost) <= lines * _LINE_STEP


def _ratio(cost: Decimal, quantity: Decimal) -> Decimal:
    return _EXACT.divide(cost, quantity).quantize(_PRICE_STEP, context=_EXACT)


def _meter(charge: ChargeLine, unit: Unit) -> str:
    """Return a meter as FOCUS's examples name it: `Cache Read Input Tokens`, `Audio Output Tokens`."""
    kind = "" if charge.meter == "text" else charge.meter.replace("_", " ")
    action = f"cache {charge.cache_action}" if charge.cache_action else ""
    words = " ".join(each for each in (kind, action, charge.direction) if each)
    return " ".join([*(word[:1].upper() + word[1:] for word in words.split()), unit.consumed])


def _price_name(charge: ChargeLine) -> str:
    """Return what tells a price without an id from others of its SKU."""
    return "reported" if charge.list_unit_price is None else f"{charge.list_unit_price.normalize():f}"


def _resource_type(charge: ChargeLine, service: Service) -> str | None:
    if charge.resource_id:
        return service.name
    return _AI_AGENT if charge.agent_id else None


def _names(charge: ChargeLine) -> Mapping[str, str]:
    return {
        "agent_name": charge.agent_name,
        "prompt_name": charge.prompt_name,
        "prompt_version": charge.prompt_version,
        "experiment_key": charge.experiment_key,
        "experiment_variant": charge.experiment_variant,
    }


def _tags(owner: Charge, more: Mapping[str, str]) -> str | None:
    return _json(
        project_id=owner.project_id,
        team_id=owner.team_id,
        feature_id=owner.feature_id,
        cost_center=owner.cost_center,
        environment=owner.environment,
        **more,
    )


def _json(**pairs: str) -> str | None:
    """Return a flat object of what is known, None when nothing is."""
    known = {name: value for name, value in pairs.items() if value}
    return json.dumps(known, ensure_ascii=False) if known else None
