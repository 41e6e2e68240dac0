"""Tokens with which people and programs ask the API: whose role, which tenants, which period, until when."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import polars as pl
from pydantic import AfterValidator, Field, model_validator

from auditstream.reference.fact import Fact, Id, OptionalMoment, TenantId

EVERYBODY = "*"
"""Stands for all tenants; it must be stated, so that nobody sees everything by leaving something out."""

RoleName = Literal["viewer", "analyst", "finops", "security", "auditor", "admin"]


def _at_least_one(tenants: tuple[str, ...]) -> tuple[str, ...]:
    if not tenants:
        raise ValueError(f"must name tenants, or {EVERYBODY!r} for all")
    if EVERYBODY in tenants and len(tenants) > 1:
        raise ValueError(f"{EVERYBODY!r} stands for all: name no others beside it")
    return tuple(sorted(set(tenants)))


class AccessToken(Fact):
    """A token of the API; `valid_to` is when it expires, `active` is false from when it was revoked."""

    KEY = ("token_id",)

    token_id: Id
    name: str = Field("", max_length=200)
    role: RoleName
    tenants: Annotated[
        tuple[TenantId | Literal["*"], ...], AfterValidator(_at_least_one), pl.List(pl.String())
    ]
    sees_from: OptionalMoment = None
    sees_to: OptionalMoment = None
    secret_hash: str = ""
    active: bool = True

    @model_validator(mode="after")
    def _sees_something(self) -> Self:
        if self.sees_from is not None and self.sees_to is not None and self.sees_from >= self.sees_to:
            raise ValueError("sees_to: must be later than sees_from")
        return self

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.role == "auditor" and self.valid_to is None:
            raise ValueError("valid_to: an auditor's token must expire")
        return self
