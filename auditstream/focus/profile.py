"""The columns of the files that we write, by version of FOCUS: names, types and where a value comes from.

Source of 1.2: its published requirements model (621 rules). Source of 1.4: its published data model (June
2026, 65 columns): the provider has two columns, and the two of 1.2 are gone. Columns of 1.5 begin with `x_`
until it is ratified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

VERSIONS = ("1.2", "1.4")


class Kind(StrEnum):
    """What a column holds."""

    STRING = "String"
    DECIMAL = "Decimal"
    TIME = "Date/Time"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file.

    Attributes:
        name: Name in the file.
        kind: What it holds.
        origin: Where its value comes from.
        nullable: Whether a row may lack it.
        versions: Versions of FOCUS that have it.
    """

    name: str
    kind: Kind
    origin: str
    nullable: bool = True
    versions: tuple[str, ...] = VERSIONS


_S, _D, _T, _J = Kind.STRING, Kind.DECIMAL, Kind.TIME, Kind.JSON
_MUST = False
_OLD, _NEW = ("1.2",), ("1.4",)

COLUMNS = (
    Column("BillingAccountId", _S, "`inference.provider_account_id`, else `unknown`", _MUST),
    Column("BillingAccountName", _S, "the same: no display name is known", _MUST),
    Column("SubAccountId", _S, "`tenant_id`", _MUST),
    Column("SubAccountName", _S, "`tenant_id`", _MUST),
    Column("SubAccountType", _S, "`Tenant`", _MUST),
    Column("BillingPeriodStart", _T, "first day of the calendar month that the charge is billed in", _MUST),
    Column("BillingPeriodEnd", _T, "first day of the month after, exclusive", _MUST),
    Column("BillingCurrency", _S, "`costs[].currency`; `XXX` for a difference without one", _MUST),
    Column(
        "InvoiceIssuerName", _S, "provider that bills the call, or producer of an operational cost", _MUST
    ),
    Column("ProviderName", _S, "the same", _MUST, _OLD),
    Column("PublisherName", _S, "the same", _MUST, _OLD),
    Column("ServiceProviderName", _S, "the same", _MUST, _NEW),
    Column("HostProviderName", _S, "the same", _MUST, _NEW),
    Column(
        "ChargePeriodStart", _T, "start of the hour or day of `event_time`, or the line's own period", _MUST
    ),
    Column("ChargePeriodEnd", _T, "end of it, exclusive", _MUST),
    Column(
        "ChargeCategory",
        _S,
        "`Usage`; `Credit` for a negative line; `Adjustment` for a difference booked in the same month",
        _MUST,
    ),
    Column("ChargeClass", _S, "`Correction` for a difference booked after the month was over, else null"),
    Column("ChargeDescription", _S, "meter and model, or why it was corrected", _MUST),
    Column("ChargeFrequency", _S, "`Usage-Based`; `One-Time` for an adjustment", _MUST),
    Column("BilledCost", _D, "sum of `costs[].billed`", _MUST),
    Column("EffectiveCost", _D, "sum of `costs[].effective`", _MUST),
    Column("ListCost", _D, "sum of `costs[].list`", _MUST),
    Column("ContractedCost", _D, "sum of `costs[].contracted`", _MUST),
    Column("ListUnitPrice", _D, "`costs[].list_unit_price`, for one PricingUnit"),
    Column("ContractedUnitPrice", _D, "ContractedCost for one PricingUnit"),
    Column("PricingCategory", _S, "`Standard`; null for a difference"),
    Column("PricingQuantity", _D, "ConsumedQuantity in PricingUnit"),
    Column("PricingUnit", _S, "`1000000 Tokens`, or the unit itself"),
    Column("PricingCurrency", _S, "BillingCurrency: prices are in the currency that is billed", _MUST),
    Column("PricingCurrencyListUnitPrice", _D, "ListUnitPrice"),
    Column("PricingCurrencyContractedUnitPrice", _D, "ContractedUnitPrice"),
    Column("PricingCurrencyEffectiveCost", _D, "EffectiveCost", _MUST),
    Column("CommitmentDiscountStatus", _S, "null: what is committed is in `costs[].effective`"),
    Column("ConsumedQuantity", _D, "sum of `costs[].quantity`"),
    Column("ConsumedUnit", _S, "`costs[].unit`"),
    Column("ServiceCategory", _S, "by `costs[].category`; AI and Machine Learning for inference", _MUST),
    Column("ServiceSubcategory", _S, "likewise", _MUST),
    Column("ServiceName", _S, "product of the provider, or the category of an operational cost", _MUST),
    Column("ResourceId", _S, "`costs[].resource_id`, else `agent_id`"),
    Column("ResourceName", _S, "`agent_name`"),
    Column("ResourceType", _S, "`AI Agent`, or the category of an operational cost"),
    Column("RegionId", _S, "`inference.region`"),
    Column("RegionName", _S, "the same"),
    Column("SkuId", _S, "provider, model and meter"),
    Column("SkuMeter", _S, "`Input Tokens`, `Cache Read Input Tokens`, `Output Tokens`, …"),
    Column("SkuPriceId", _S, "SkuId and `costs[].price_id`"),
    Column("SkuPriceDetails", _J, "model, direction, cache action and service tier, as `x_` keys"),
    Column("InvoiceId", _S, "null: it is not known before the invoice"),
    Column("Tags", _J, "project, team, feature, cost centre, environment, agent, prompt, experiment"),
    Column("x_CredentialId", _S, "`credential_id` (FOCUS 1.5: CredentialId)"),
    Column("x_ModelId", _S, "model that answered, else the one asked for (FOCUS 1.5: ModelId)"),
    Column("x_ServiceTier", _S, "tier that the provider reports"),
    Column("x_PriceId", _S, "`costs[].price_id`"),
    Column("x_PriceBookRevision", _S, "revision of the price book; of a difference, the new one"),
    Column("x_PriceSource", _S, "who priced: `LOCAL`, `PROVIDER`"),
    Column("x_EventType", _S, "`event_type`", _MUST),
    Column("x_CostCategory", _S, "`costs[].category`"),
    Column("x_AdjustmentKind", _S, "`reprice`, `attribution`, …; null for what was priced at once"),
    Column("x_Lines", _D, "number of cost lines, or of adjustments, that the row sums up", _MUST),
)
"""Every column of every version, in the order of the file; ours come last."""

_ARROW: Mapping[Kind, pa.DataType] = {
    Kind.STRING: pa.string(),
    Kind.DECIMAL: pa.decimal128(38, 18),
    Kind.TIME: pa.timestamp("us", "UTC"),
    Kind.JSON: pa.string(),
}


def columns_of(version: str) -> tuple[Column, ...]:
    """Return the columns of a version's file."""
    return tuple(column for column in COLUMNS if version in column.versions)


def arrow_schema(version: str) -> pa.Schema:
    """Return the types of a version's Parquet file."""
    return pa.schema(
        [pa.field(each.name, _ARROW[each.kind], nullable=each.nullable) for each in columns_of(version)]
    )
