"""Facts about what things cost: list prices, contracts, currency rates."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from auditstream.pricing.meters import meter_of
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
        "catalogue",
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
    catalogue: str = ""
    source_hash: str = ""
    supersedes: str = ""
    active: bool = True

    @model_validator(mode="after")
    def _is_in_the_unit_of_its_meter(self) -> Self:
        meter = meter_of(self.meter, self.direction, self.cache_action)
        if meter is not None and self.unit != meter.unit:
            raise ValueError(
                f"unit: a price of {self.meter} is for one of its {meter.unit}, not {self.unit!r}"
            )
        return self

    @model_validator(mode="after")
    def _has_both_ends_of_a_time_of_day(self) -> Self:
        if bool(self.time_of_day_from) != bool(self.time_of_day_to):
            raise ValueError("time_of_day_from and time_of_day_to: one does not go without the other")
        return self


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
    active: bool = True

    @model_validator(mode="after")
    def _says_what_its_kind_needs(self) -> Self:
        needed = {"discount": ("discount_pct",), "fixed_rate": ("meter", "amount", "unit", "currency")}
        for name in needed.get(self.kind, ("amount", "period", "currency")):
            if getattr(self, name) in {None, ""}:
                raise ValueError(f"{name}: missing, a contract of kind {self.kind} needs it")
        meter = meter_of(self.meter, self.direction, self.cache_action)
        if self.kind == "fixed_rate" and meter is not None and self.unit != meter.unit:
            raise ValueError(
                f"unit: a rate of {self.meter} is for one of its {meter.unit}, not {self.unit!r}"
            )
        return self


class CurrencyRate(Fact):
    """How much of `quote` one unit of `base` is."""

    KEY = ("base", "quote")

    base: Currency
    quote: Currency
    rate: Annotated[UnitPrice, Field(gt=0)]
