"""The clauses of the event contract, in the order in which they are judged.

Each is given twice: over the values of one event, and as a polars expression over flat columns. To add one,
add it here; `schemas.contract` and the tests pick it up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import polars as pl

from schemas import rules
from schemas.columns import BY_NAME, COLUMNS, Column
from schemas.records.record import EPOCH
from schemas.rules import Rule

_EVENT_TIMES = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
"""Outside of this an event time is a wrong unit or an unset clock."""

_STORED_TIMES = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC))
"""What ClickHouse's DateTime64 holds; it would bend other times without a word."""

MOST_USED = 10**12
"""Tokens or units of one event at most: sums are of 64 bits, and nine million such events fit in one."""

MOST_MONEY = 10**15
"""Money of one amount at most, and quantity: sums are of 38 digits, and 10^11 such amounts fit in one."""

_HEX = rules.matches("(?:[0-9a-f]{2})+", "is not lower-case hex")
_CURRENCY = rules.matches("[A-Z]{3}", "is not an ISO 4217 code")


@dataclass(frozen=True, slots=True)
class Clause:
    """One demand on an event.

    One about several columns is about the first of them: where that is null, it is kept.

    Attributes:
        field: Path of the field that is named when the clause is broken.
        reason: What is wrong then.
        columns: Flat columns that the clause looks at, all of the envelope or all of one family; an event
            without the family keeps the clause.
        holds: Whether the event keeps the clause, by the values of those columns in order, None for a null.
        expression: The same over flat columns; null counts as kept.
        meta: The same for msgspec, of a clause about one column; None where msgspec has no such thing.
    """

    field: str
    reason: str
    columns: tuple[str, ...]
    holds: Callable[..., bool]
    expression: pl.Expr
    meta: msgspec.Meta | None = None


def _clause(name: str, rule: Rule) -> Clause:
    return Clause(
        field=".".join(BY_NAME[name].path),
        reason=rule.reason,
        columns=(name,),
        holds=lambda value: value is None or rule.holds(value),
        expression=rule.expression(pl.col(name)),
        meta=rule.meta,
    )


def _type_rules(column: Column) -> Iterator[Rule]:
    """Yield the rules of a column that has none of its own, by its type."""
    match column.avro_type:
        case "string" if column.required:
            yield rules.not_empty()
        case "int" | "long" if column.name != "inference_seed":
            yield rules.not_negative()
            if column.path[0] == "usage":
                yield rules.at_most(MOST_USED)
        case "double":
            yield rules.finite()
        case "decimal":
            yield rules.fits(column.precision, column.scale)
            yield rules.no_further_than(MOST_MONEY)
        case "timestamp-micros":
            yield rules.time_between(*_STORED_TIMES)
        case "map" if column.values == "long":
            yield rules.values(rules.not_negative())
            yield rules.values(rules.at_most(MOST_USED))


_FIELD_RULES: dict[str, Rule] = {
    "event_id": rules.not_nil(),
    "event_type": rules.matches("[!-~]{1,128}", "is not 1 to 128 printable characters without spaces"),
    "event_time": rules.time_between(*_EVENT_TIMES),
    "observed_time": rules.time_between(*_EVENT_TIMES, EPOCH),
    "tenant_id": rules.matches(
        "[^\\x00-\\x1f]{0,128}", "is longer than 128 characters or has control characters"
    ),
    "actor_hash": _HEX,
    "src_asn": rules.between(0, 2**32 - 1, "is not an autonomous system number"),
    "src_country": rules.matches("[A-Z]{2}", "is not an ISO 3166 code of two letters"),
    "trace_id": rules.matches("[0-9a-f]{32}", "is not 32 lower-case hex digits"),
    "span_id": rules.matches("[0-9a-f]{16}", "is not 16 lower-case hex digits"),
    "parent_span_id": rules.matches("[0-9a-f]{16}", "is not 16 lower-case hex digits"),
    "http_status": rules.between(100, 599, "is not an HTTP status"),
    "severity": rules.between(0, 6, "is not 0 to 6"),
    "content_hmac": _HEX,
    "inference_tool_defs_hash": _HEX,
    "inference_system_hash": _HEX,
    "tool_args_hmac": _HEX,
    "policy_risk_score": rules.between(0, 1, "is not 0 to 1"),
    "change_before_hash": _HEX,
    "change_after_hash": _HEX,
    "budget_currency": rules.matches("(?:[A-Z]{3})?", "is not an ISO 4217 code"),
    "data_access_query_hmac": _HEX,
    "finding_confidence": rules.between(0, 100, "is not 0 to 100"),
}


def _field_clauses() -> Iterator[Clause]:
    for column in COLUMNS:
        own = _FIELD_RULES.get(column.name)
        for rule in [own] if own else _type_rules(column):
            yield _clause(column.name, rule)


def _part_of(part: str, total: str) -> Iterator[Clause]:
    """Yield the clauses that a token count comes with the total it is a part of, and is not above it."""
    field = ".".join(BY_NAME[part].path)
    yield Clause(
        field,
        f"is given without {total}, which includes it",
        (part, total),
        lambda some, whole: some is None or whole is not None,
        pl.col(part).is_null() | pl.col(total).is_not_null(),
    )
    yield Clause(
        field,
        f"is more than {total}, which includes it",
        (part, total),
        lambda some, whole: some is None or whole is None or some <= whole,
        pl.col(part) <= pl.col(total),
    )


def _cache_sum() -> Clause:
    read, write, total = "cache_read_tokens", "cache_write_tokens", "input_tokens"
    return Clause(
        f"usage.{total}",
        f"is less than {read} and {write} together",
        (read, write, total),
        lambda some, other, whole: None in {some, other, whole} or some + other <= whole,
        pl.col(read) <= pl.col(total) - pl.col(write),  # a sum could pass 64 bits and turn negative
    )


def _seal_key() -> Clause:
    return Clause(
        "seal_key_id",
        "is missing beside `sealed`",
        ("sealed", "seal_key_id"),
        lambda boxes, key: not boxes or key is not None,
        (pl.col("sealed").map.len() == 0) | pl.col("seal_key_id").is_not_null(),
    )


def _period_order() -> Clause:
    start, end = (pl.element().struct.field(name) for name in ("period_start", "period_end"))
    return Clause(
        "costs[].period_end",
        "is before period_start",
        ("costs",),
        lambda costs: not any(_ends_early(cost) for cost in costs or ()),
        pl.col("costs").list.eval((end >= start).fill_null(value=True)).list.all(),
    )


def _ends_early(cost: Mapping[str, Any]) -> bool:
    start, end = cost.get("period_start"), cost.get("period_end")
    return start is not None and end is not None and end < start


def _cost_clauses() -> Iterator[Clause]:
    for member in BY_NAME["costs"].members:
        for rule in [_CURRENCY] if member.name == "currency" else _type_rules(member):
            yield _cost_clause(member.name, rule)
    yield _period_order()


def _cost_clause(name: str, rule: Rule) -> Clause:
    value = pl.element().struct.field(name)
    return Clause(
        f"costs[].{name}",
        rule.reason,
        ("costs",),
        lambda costs: all(cost.get(name) is None or rule.holds(cost[name]) for cost in costs or ()),
        pl.col("costs").list.eval(rule.expression(value).fill_null(value=True)).list.all(),
    )


def _all_clauses() -> Iterator[Clause]:
    yield from _field_clauses()
    yield from _part_of("cache_read_tokens", "input_tokens")
    yield from _part_of("cache_write_tokens", "input_tokens")
    yield from _part_of("reasoning_tokens", "output_tokens")
    yield _cache_sum()
    yield _seal_key()
    yield from _cost_clauses()


CLAUSES = tuple(_all_clauses())
"""Every clause, in the order in which they are judged."""
