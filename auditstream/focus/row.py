"""One row of a FOCUS file, in types of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusRow:
    """One charge. A column that is null or not in the file is '', None or {}.

    Attributes:
        line: Place in the file, from 1: the row's first line in a CSV, its number in Parquet.
        provider: `ServiceProviderName` (1.3 and later), else `ProviderName`.
        tags: `Tags`, as text by name.
        other: Every column that has no attribute here, as text by its name; `x_` columns are among them.
    """

    line: int
    provider: str
    service_name: str
    service_category: str
    charge_category: str
    charge_period_start: datetime
    charge_period_end: datetime
    billing_currency: str
    billed_cost: Decimal
    effective_cost: Decimal
    list_cost: Decimal | None = None
    contracted_cost: Decimal | None = None
    billing_period_start: datetime | None = None
    billing_period_end: datetime | None = None
    charge_class: str = ""
    charge_description: str = ""
    charge_frequency: str = ""
    service_subcategory: str = ""
    publisher: str = ""
    invoice_issuer: str = ""
    invoice_id: str = ""
    billing_account_id: str = ""
    billing_account_name: str = ""
    sub_account_id: str = ""
    sub_account_name: str = ""
    resource_id: str = ""
    resource_name: str = ""
    resource_type: str = ""
    region_id: str = ""
    sku_id: str = ""
    sku_price_id: str = ""
    sku_meter: str = ""
    consumed_quantity: Decimal | None = None
    consumed_unit: str = ""
    pricing_quantity: Decimal | None = None
    pricing_unit: str = ""
    list_unit_price: Decimal | None = None
    contracted_unit_price: Decimal | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no charge.

    Attributes:
        line: Likewise.
        column: Name of the column, or `row`.
        reason: What is wrong with it.
    """

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.column}: {self.reason}"
