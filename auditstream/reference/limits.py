"""Facts about what shall be kept to: budgets, retention, holds."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import polars as pl
from pydantic import AfterValidator, Field, model_validator

from auditstream.reference.fact import Amount, AnyTenantId, Currency, Fact, Id, Labels, Names

Days = Annotated[int, Field(ge=0, lt=2**32), pl.UInt32()]
Percent = Annotated[int, Field(gt=0, lt=2**16)]


BUDGET_SCOPE = (
    "project_id",
    "team_id",
    "feature_id",
    "cost_center",
    "environment",
    "agent_id",
    "credential_id",
    "inference_provider",
    "model",
    "event_type",
)
"""Columns by which a budget may be narrowed: those of view `costs_current`, the tenant aside."""


def _budget_scope(scope: dict[str, str]) -> dict[str, str]:
    for name, value in scope.items():
        if name not in BUDGET_SCOPE:
            raise ValueError(f"{name!r} is no column of costs; there are {', '.join(BUDGET_SCOPE)}")
        if not value:
            raise ValueError(f"{name}: must not be empty; leave it out to cover every value")
    return scope


def _rising(percents: tuple[int, ...]) -> tuple[int, ...]:
    if not percents or list(percents) != sorted(set(percents)):
        raise ValueError("must be at least one percentage, rising, none twice")
    return percents


class Budget(Fact):
    """An amount that a scope may spend in each period."""

    KEY = ("budget_id",)

    budget_id: Id
    tenant_id: AnyTenantId = ""
    scope: Annotated[Labels, AfterValidator(_budget_scope)] = Field(default_factory=dict)
    period: Literal["hour", "day", "week", "month", "quarter", "year"]
    amount: Annotated[Amount, Field(gt=0)]
    currency: Currency
    thresholds_pct: Annotated[tuple[Percent, ...], pl.List(pl.UInt16()), AfterValidator(_rising)] = (
        50,
        80,
        100,
    )
    reaction: Literal["notify", "throttle", "fallback", "block"] = "notify"
    hard: bool = False
    fallback_model: str = ""
    owner: str = ""
    active: bool = True

    @model_validator(mode="after")
    def _falls_back_to_something(self) -> Self:
        if self.reaction == "fallback" and not self.fallback_model:
            raise ValueError("fallback_model: must be stated when the reaction is fallback")
        return self


class Retention(Fact):
    """How long rows of a class are kept."""

    KEY = ("tenant_id", "retention_class")

    retention_class: Id
    tenant_id: AnyTenantId = ""
    event_types: Names = ()
    keep_days: Days
    keep_raw_days: Days
    ground: str = ""
    active: bool = True


class Hold(Fact):
    """A legal hold: what it covers is not deleted."""

    KEY = ("hold_id",)

    hold_id: Id
    tenant_id: AnyTenantId = ""
    scope: Labels = Field(default_factory=dict)
    ground: str
    approvers: Names = ()
    active: bool = True
