"""Format `focus`: a bill in FOCUS, CSV or Parquet; each charge becomes an event `ai.cost.operational`.

What FOCUS has and an event has no field for is kept as attributes under the column's name. The category is
that of the tag `cost_category`, of a column `x_CostCategory`, or what `costing.categories` makes of the
service's category. Tags named as envelope fields say whose a charge is.

A charge for model calls that are events, too, would count twice: leave those rows out, or compare them by
`auditstream reconcile` instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from auditstream.costing.categories import category_of_service, category_word
from auditstream.emit.operational_cost import OperationalCost, event_of
from auditstream.emit.reading import Options, Reading, Refused, judged
from auditstream.emit.source import Source
from auditstream.focus.reading import read_focus
from auditstream.focus.row import BadRow, FocusRow

FORMAT = "focus"

_OWNER = ("tenant_id", "project_id", "team_id", "feature_id", "cost_center", "environment")
_TAG, _COLUMN = "cost_category", "x_CostCategory"


def read_focus_charges(source: Source, options: Options) -> Iterator[Reading]:
    """Yield one reading a row.

    Raises:
        RequestError: It is no FOCUS file.
    """
    for row in read_focus(source.content(), source.name):
        if isinstance(row, BadRow):
            yield Refused(row.line, row.column, row.reason)
        else:
            yield judged(row.line, event_of(_cost(row, options), FORMAT, source.file_hash))


def _cost(row: FocusRow, options: Options) -> OperationalCost:
    owner = {name: row.tags[name] for name in _OWNER if row.tags.get(name)}
    if options.tenant:
        owner.setdefault("tenant_id", options.tenant)
    quantity, unit = _quantity(row)
    return OperationalCost(
        line=row.line,
        start=row.charge_period_start,
        end=row.charge_period_end,
        category=_category(row),
        service=row.service_name,
        amounts={
            "list": row.effective_cost if row.list_cost is None else row.list_cost,
            "contracted": row.effective_cost if row.contracted_cost is None else row.contracted_cost,
            "effective": row.effective_cost,
            "billed": row.billed_cost,
        },
        currency=row.billing_currency,
        meter=row.sku_meter or row.service_name,
        quantity=quantity,
        unit=unit,
        unit_price=row.list_unit_price,
        price_id=row.sku_price_id or None,
        resource_id=row.resource_id or None,
        owner=owner,
        attributes=_attributes(row),
    )


def _category(row: FocusRow) -> str:
    named = row.tags.get(_TAG) or row.other.get(_COLUMN)
    if named:
        return category_word(named)
    is_committed = row.charge_category == "Purchase" or row.charge_frequency == "Recurring"
    return category_of_service(row.service_category, is_committed=is_committed)


def _quantity(row: FocusRow) -> tuple[Decimal, str]:
    """Return what was priced, else what was consumed, else one charge."""
    if row.pricing_quantity is not None:
        return row.pricing_quantity, row.pricing_unit or "charge"
    if row.consumed_quantity is not None:
        return row.consumed_quantity, row.consumed_unit or "charge"
    return Decimal(1), "charge"


def _attributes(row: FocusRow) -> dict[str, str]:
    named = {
        "ProviderName": row.provider,
        "ServiceCategory": row.service_category,
        "ServiceSubcategory": row.service_subcategory,
        "ChargeCategory": row.charge_category,
        "ChargeClass": row.charge_class,
        "ChargeFrequency": row.charge_frequency,
        "ChargeDescription": row.charge_description,
        "InvoiceId": row.invoice_id,
        "InvoiceIssuerName": row.invoice_issuer,
        "BillingAccountId": row.billing_account_id,
        "SubAccountId": row.sub_account_id,
        "SubAccountName": row.sub_account_name,
        "RegionId": row.region_id,
        "ResourceType": row.resource_type,
        "SkuId": row.sku_id,
    }
    tags = {f"tag.{name}": value for name, value in row.tags.items() if name not in _OWNER}
    return {**row.other, **named, **tags}
