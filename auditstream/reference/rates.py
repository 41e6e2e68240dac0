"""Facts about what things cost: list prices, contracts, currency rates."""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from auditstream.reference.fact import (
    AnyTenantId,
    Currency,
    Fact,
    Id,
    OptionalShare,
    OptionalUnitPrice,
    UnitPrice,
)

Count = Annotated[int, Field(ge=0), pl.UInt64()]
TimeOfDay = Annotated[str, Field(pattern=r"^(|([01]\d|2[0-3]):[0-5]\d|24:00)$")]


class Price(Fact):
    """The list price of one meter of one model under one set of conditions."""

    KEY = (
        "provider",
        "model_pattern",
        "region",
        "service_tier",
        "meter",
        "direction",
        "cache_action",
        "context_from",
        "time_of_day_from",
        "time_of_day_to",
    )

    price_id: Id
    provider: Id
    model_pattern: Id
    region: str = ""
    service_tier: str = ""
    meter: Id
    direction: Literal["", "input", "output"] = ""
    cache_action: Literal["", "read", "write"] = ""
    context_from: Count = 0
    time_of_day_from: TimeOfDay = ""
    time_of_day_to: TimeOfDay = ""
    unit: Id
    amount: Annotated[UnitPrice, Field(ge=0)]
    currency: Currency
    price_basis: Literal["dated", "undated"] = "dated"
    source_hash: str = ""
    supersedes: str = ""


class Contract(Fact):
    """A negotiated price, discount or commitment over the price book."""

    KEY = ("contract_id",)

    contract_id: Id
    tenant_id: AnyTenantId = ""
    provider: Id
    model_pattern: str = ""
    region: str = ""
    service_tier: str = ""
    meter: str = ""
    direction: Literal["", "input", "output"] = ""
    cache_action: Literal["", "read", "write"] = ""
    kind: Literal["discount", "fixed_rate", "commitment"]
    discount_pct: Annotated[OptionalShare, Field(ge=0, le=100)] = None
    amount: Annotated[OptionalUnitPrice, Field(ge=0)] = None
    unit: str = ""
    period: str = ""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""


class CurrencyRate(Fact):
    """How much of `quote` one unit of `base` is."""

    KEY = ("base", "quote")

    base: Currency
    quote: Currency
    rate: Annotated[UnitPrice, Field(gt=0)]
