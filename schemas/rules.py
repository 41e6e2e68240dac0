"""Rules about one value, each in forms that agree: for a Python value, for a polars column, for msgspec.

The first form judges single events (gateway, bytes that the columnar decoder refused), the second a whole
block, the third JSON while it is parsed. A null passes every rule: whether a value may be missing is the
schema's business.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import polars as pl

from schemas.records.record import EPOCH


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be.

    Attributes:
        reason: What a value that breaks the rule is told, to be read after the field's path and a colon.
        holds: Whether a value that is not None keeps the rule.
        expression: The same for a column: true, false, or null where the value is null.
        meta: The same for msgspec, on a value of JSON; None where msgspec has no such thing.
    """

    reason: str
    holds: Callable[[Any], bool]
    expression: Callable[[pl.Expr], pl.Expr]
    meta: msgspec.Meta | None = None


def matches(pattern: str, reason: str) -> Rule:
    """Return the rule that a string matches a pattern as a whole.

    Args:
        pattern: Regular expression in the common part of Python's and Rust's syntax.
        reason: What a string that does not match is told.
    """
    compiled = re.compile(pattern)
    anchored = f"^(?:{pattern})$"
    return Rule(
        reason,
        lambda value: compiled.fullmatch(value) is not None,
        lambda column: column.str.contains(anchored),
        msgspec.Meta(pattern=rf"\A(?:{pattern})\Z"),
    )


def not_empty() -> Rule:
    """Return the rule that a string has at least one character."""
    return Rule(
        "is empty", lambda value: value != "", lambda column: column != "", msgspec.Meta(min_length=1)
    )


def between(low: float, high: float, reason: str) -> Rule:
    """Return the rule that a number is in a range, both ends included; NaN is not."""
    return Rule(
        reason,
        lambda value: low <= value <= high,
        lambda column: column.is_between(low, high),  # false for NaN, which polars puts above all numbers
        msgspec.Meta(ge=low, le=high),
    )


def not_negative() -> Rule:
    """Return the rule that a number is zero or more."""
    return Rule("is negative", lambda value: value >= 0, lambda column: column >= 0, msgspec.Meta(ge=0))


def at_most(high: int) -> Rule:
    """Return the rule that a number is no more than another."""
    return Rule(
        f"is more than {high:,}",
        lambda value: value <= high,
        lambda column: column <= high,
        msgspec.Meta(le=high),
    )


def no_further_than(limit: int) -> Rule:
    """Return the rule that a decimal is no further from zero than a number."""
    return Rule(
        f"is further from zero than {limit:,}",
        lambda value: -limit <= value <= limit,
        lambda column: column.is_between(-Decimal(limit), Decimal(limit)),
    )


def finite() -> Rule:
    """Return the rule that a double is neither infinite nor NaN."""
    return Rule(
        "is not a finite number",
        math.isfinite,
        lambda column: column.is_finite(),
        msgspec.Meta(),  # JSON has no others
    )


def time_between(low: datetime, high: datetime, *also: datetime) -> Rule:
    """Return the rule that a time is in [low, high), or one of a few other times."""

    def expression(column: pl.Expr) -> pl.Expr:
        within = (column >= _moment(low)) & (column < _moment(high))
        return pl.any_horizontal(within, *(column == _moment(each) for each in also)) if also else within

    return Rule(
        f"is not a time from {low:%Y} to {high.year - 1}",
        lambda value: low <= value < high or value in also,
        expression,
    )


def not_nil() -> Rule:
    """Return the rule that a UUID has a bit set; columns hold UUIDs as 16 bytes."""
    nil = UUID(int=0)
    return Rule(
        "is the nil UUID",
        lambda value: value != nil,
        lambda column: column != pl.lit(nil.bytes, dtype=pl.Binary),
    )


def fits(precision: int, scale: int) -> Rule:
    """Return the rule that a decimal has no more digits than its type.

    The type of a decimal column sees to that by itself.
    """
    limit = Decimal(10) ** (precision - scale)
    return Rule(
        f"has more than {precision} digits at {scale} decimal places",
        lambda value: -limit < value < limit,
        lambda column: column.is_not_null() | True,
    )


def values(rule: Rule) -> Rule:
    """Return the rule that every value of a map keeps another rule."""
    return Rule(
        "has a value that " + rule.reason,
        lambda mapping: all(rule.holds(value) for value in mapping.values()),
        lambda column: _each_value(column, rule),
    )


def _each_value(column: pl.Expr, rule: Rule) -> pl.Expr:
    return column.map.values().list.eval(rule.expression(pl.element()).fill_null(value=True)).list.all()


def _moment(time: datetime) -> pl.Expr:
    """Return a time as a literal; of a datetime with a zone polars makes one by starting its threads."""
    return pl.lit((time - EPOCH) // timedelta(microseconds=1), dtype=pl.Datetime("us", "UTC"))
