"""Mutes: findings that nobody is called for, for a time or at hours of every week, and why."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

import polars as pl
from pydantic import AfterValidator, Field, model_validator

from auditstream.reference.fact import AnyTenantId, Fact, Id

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def _time_of_day(value: str) -> str:
    if not _TIME.fullmatch(value):
        raise ValueError("must be a time of day as 06:30, in UTC")
    return value


TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]


class FindingMute(Fact):
    """Findings that nobody is called for; they are stored all the same.

    Without weekdays it holds from `valid_from` to `valid_to`, which must be stated: a mute without an end is
    a detector that is off. With weekdays it holds on those days between two times of the day (UTC), past
    midnight when the second is not later: maintenance, or a batch job that is known.
    """

    KEY = ("mute_id",)

    mute_id: Id
    tenant_id: AnyTenantId = ""
    rule_id: str = ""
    scope: str = ""
    weekdays: Annotated[tuple[Weekday, ...], pl.List(pl.String())] = ()
    from_time: TimeOfDay = "00:00"
    to_time: TimeOfDay = "00:00"
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    owner: str = ""
    active: bool = True

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not self.weekdays and self.valid_to is None:
            raise ValueError("valid_to: must be stated, unless weekdays are")
        return self
