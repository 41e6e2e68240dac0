"""What every reference fact has: when it holds, and fields whose types fit the store's columns.

Fields are named as the columns in `sinks/migrations/0004_reference.sql`. Input is lenient about form (numbers
and booleans may come as text, as they do from files) and strict about meaning. Money is never a float.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from auditstream.core import tenants

UNATTRIBUTED = tenants.UNATTRIBUTED
"""Tenant of events that nobody owns; no fact may name it."""

_EARLIEST, _LATEST = 1900, 2299  # years that DateTime64 holds


def _moment(value: object) -> object:
    """Return the time that ISO 8601 text says, in UTC where it names no zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise ValueError("must be an ISO 8601 time")  # noqa: TRY004  pydantic reports ValueErrors only
    # By its own year first: at the ends of the calendar a year may have no counterpart in UTC.
    is_near = _EARLIEST - 1 <= value.year <= _LATEST + 1
    moment = value.astimezone(UTC) if is_near and value.tzinfo else value.replace(tzinfo=UTC)
    if not _EARLIEST <= moment.year <= _LATEST:
        raise ValueError(f"must be between {_EARLIEST} and {_LATEST}")
    return moment


def _exact(value: object) -> object:
    if isinstance(value, float):
        raise ValueError("must be decimal text, not a binary float")  # noqa: TRY004
    return value


def _printable(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("must not have control characters, or spaces at its ends")
    return value


def _owner(value: str) -> str:
    if value == UNATTRIBUTED:
        raise ValueError(f"{UNATTRIBUTED!r} is the tenant of events that nobody owns")
    return value


Moment = Annotated[datetime, BeforeValidator(_moment), pl.Datetime("us", "UTC")]
OptionalMoment = Annotated[
    datetime | None,
    BeforeValidator(lambda value: None if value is None else _moment(value)),
    pl.Datetime("us", "UTC"),
]
Id = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_printable)]
TenantId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=128), AfterValidator(_owner)]
AnyTenantId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]*$", max_length=128), AfterValidator(_owner)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Labels = Annotated[dict[str, str], pl.Map(pl.String(), pl.String())]
Names = Annotated[tuple[str, ...], pl.List(pl.String())]
UnitPrice = Annotated[
    Decimal, BeforeValidator(_exact), Field(max_digits=38, decimal_places=18), pl.Decimal(38, 18)
]
OptionalUnitPrice = Annotated[
    Decimal | None, BeforeValidator(_exact), Field(max_digits=38, decimal_places=18), pl.Decimal(38, 18)
]
Amount = Annotated[
    Decimal, BeforeValidator(_exact), Field(max_digits=38, decimal_places=12), pl.Decimal(38, 12)
]
Share = Annotated[Decimal, BeforeValidator(_exact), Field(max_digits=9, decimal_places=6), pl.Decimal(9, 6)]
OptionalShare = Annotated[
    Decimal | None, BeforeValidator(_exact), Field(max_digits=9, decimal_places=6), pl.Decimal(9, 6)
]


class Fact(BaseModel):
    """What holds between two times, by event time.

    Attributes:
        KEY: Names of the fields that say what the fact is about: of one key one fact holds at a time.
        valid_from: From when it holds (UTC).
        valid_to: Until when it holds (UTC), exclusive; None while open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    KEY: ClassVar[tuple[str, ...]]

    valid_from: Moment
    valid_to: OptionalMoment = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError("valid_to: must be later than valid_from")
        return self

    @property
    def key(self) -> tuple[str, ...]:
        """What the fact is about: the values of `KEY`."""
        return tuple(str(getattr(self, name)) for name in self.KEY)

    def covers(self, at: datetime) -> bool:
        """Return whether the fact holds at a time."""
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)

    def content(self) -> dict[str, Any]:
        """Return the fields but for the times between which they hold."""
        return self.model_dump(exclude={"valid_from", "valid_to"})
