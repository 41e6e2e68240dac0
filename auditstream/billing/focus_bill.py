"""A bill in FOCUS: the AI rows of any FOCUS file, by provider, model and day."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta

from auditstream.billing.bill import Bill, BillLine
from auditstream.core.errors import RequestError
from auditstream.core.event_types import OPERATIONAL_COST
from auditstream.focus.row import BadRow, FocusRow
from auditstream.focus.services import provider_of

_AI = "AI and Machine Learning"
_COMPARED = ("Usage", "Adjustment", "Credit")
_MODELS = ("x_ModelId", "ModelId", "model")
_DAY = timedelta(days=1)


def read_focus_bill(rows: Iterable[FocusRow | BadRow], name: str, bill: Bill) -> None:
    """Add the rows of a file to a bill: `BilledCost` of AI services, by the day in which a charge begins.

    The model is column `x_ModelId` or `ModelId`, or that key of `SkuPriceDetails` or `Tags`. Passed over,
    with the reason, are other services, taxes and purchases, charges of more than a day, and operational
    costs that we exported ourselves.

    Args:
        rows: From `read_focus`.
        name: What messages call the file.
        bill: What is added to.

    Raises:
        RequestError: A row is no charge; names line and column.
    """
    for row in rows:
        if isinstance(row, BadRow):
            raise RequestError(
                f"{name}: {row}", hint="Nothing was compared; mend the file, or ask for another."
            )
        currency = row.billing_currency.upper()
        reason = _reason(row)
        if reason:
            bill.pass_over(reason, currency, row.billed_cost)
            continue
        provider = provider_of(row.service_name, row.provider)
        day = row.charge_period_start.date()
        bill.add(BillLine(provider, _model(row), day, currency, row.billed_cost))
    for provider, days in bill.days.items():
        bill.add_days(provider, min(days), max(days) + _DAY)


def _reason(row: FocusRow) -> str:
    """Return why a row cannot be compared, '' when it can."""
    if row.other.get("x_EventType") == OPERATIONAL_COST:
        return "operational costs of our own"
    if row.service_category != _AI:
        return f"service category {row.service_category}"
    if row.charge_category not in _COMPARED:
        return f"charge category {row.charge_category}"
    if row.charge_period_end - row.charge_period_start > _DAY:
        return "charges of more than a day"
    return ""


def _model(row: FocusRow) -> str:
    for name in _MODELS:
        if found := row.other.get(name) or row.tags.get(name):
            return found
    try:
        details = json.loads(row.other.get("SkuPriceDetails", "{}"))
    except ValueError:
        return ""
    named = (details.get(name) for name in _MODELS) if isinstance(details, dict) else ()
    return next((found for found in named if isinstance(found, str) and found), "")
