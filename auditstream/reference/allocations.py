"""Facts about shared costs: who pays which share of what."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from auditstream.reference.fact import AnyTenantId, Fact, Id, Labels, Names

Priority = Annotated[int, Field(ge=0, lt=2**32), pl.UInt32()]


class AllocationRule(Fact):
    """A rule by which operational costs are spread to tenants, or stay where they are booked as some part.

    Of several rules that match a cost, that with the lowest priority counts, then the first by id.
    """

    KEY = ("rule_id",)

    rule_id: Id
    priority: Priority = 100
    tenant_id: AnyTenantId = ""
    category: str = ""
    service: str = ""
    part: str = ""
    method: Literal["tokens", "requests", "time", "fixed", "even", "own"]
    shares: Labels = Field(default_factory=dict)
    tenants: Names = ()
    active: bool = True

    @model_validator(mode="after")
    def _has_shares_where_they_count(self) -> Self:
        if (self.method == "fixed") != bool(self.shares):
            raise ValueError("shares: are needed for the method fixed, and for no other")
        for tenant, share in self.shares.items():
            if not _is_share(share):
                raise ValueError(f"shares: {tenant}: must be a decimal above 0, not {share!r}")
        if self.method in {"fixed", "own"} and self.tenants:
            raise ValueError(f"tenants: has no meaning for the method {self.method}")
        return self


def _is_share(text: str) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    return number.is_finite() and number > 0
