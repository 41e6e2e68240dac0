"""Costs by key: one block a currency, with shares, the trend against an earlier period, and what is missing.

Amounts of two currencies are never added. What has no currency (calls without a price, events that cost
nothing) is in the block of the only currency there is; where there are several it has a block of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from auditstream.costing.exact import ZERO, minus, percent, total
from auditstream.costing.spent import NOTHING, Booked, Spent, sum_of

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a block.

    Attributes:
        key: Values of the dimensions; empty texts for a line that sums up.
        spent: The figures.
        has_amounts: Whether the amounts say something: not when everything that could cost is unpriced.
        share_pct: Share of the block's effective cost, None of nothing.
        before: Effective cost of the earlier period; None where that had nothing of the key.
        change: Effective cost less that of the earlier period; None without amounts.
        change_pct: The same as a share of the earlier one, None where that was 0.
    """

    key: Key
    spent: Spent
    has_amounts: bool
    share_pct: Decimal | None
    before: Decimal | None
    change: Decimal | None
    change_pct: Decimal | None


@dataclass(frozen=True, slots=True)
class Block:
    """What was spent in one currency.

    Attributes:
        currency: ISO 4217 code; empty for what has none, where there are several.
        lines: A line a key, the most expensive first.
        rest: The keys beyond the limit as one line; None when every key has a line.
        total: Everything.
        unattributed: What of the total nobody owns.
        unpriced: Calls of the total that have no price: events and tokens, no amounts.
    """

    currency: str
    lines: Sequence[Line]
    rest: Line | None
    total: Line
    unattributed: Line
    unpriced: Line


def blocks_of(
    now: Iterable[Booked], before: Iterable[Booked], *, nobody: str, limit: int, width: int
) -> list[Block]:
    """Return the blocks, in the order of their currencies.

    Args:
        now: What was booked in the period.
        before: What was booked in the earlier one.
        nobody: Tenant of what nobody owns.
        limit: Keys of a block that get a line of their own.
        width: Number of values in a key.
    """
    shape = _Shape(nobody, limit, ("",) * width)
    current, earlier = list(map(_unpriced_apart, now)), list(before)
    rows = [piece for pair in current for piece in pair]
    currencies = sorted({row.currency for row in [*rows, *earlier]} - {""})
    if len(currencies) <= 1:
        only = currencies[0] if currencies else ""
        rows = [replace(row, currency=only) for row in rows]
        return [_block(only, rows, _by_key(earlier), shape)] if rows or earlier else []
    found = []
    for currency in [*currencies, ""]:
        mine = [row for row in rows if row.currency == currency]
        past = _by_key(row for row in earlier if row.currency == currency)
        if mine or past:
            found.append(_block(currency, mine, past, shape))
    return found


@dataclass(frozen=True, slots=True)
class _Shape:
    """What does not depend on the currency; see `blocks_of`."""

    nobody: str
    limit: int
    blank: Key


def _unpriced_apart(row: Booked) -> tuple[Booked, ...]:
    """Return a row with its unpriced events under no currency: a later price may be booked under one."""
    if not row.currency or not (row.spent.unpriced_events or row.spent.unpriced_tokens):
        return (row,)
    names = ("unpriced_events", "unpriced_tokens")
    gone: dict[str, Any] = dict.fromkeys(names, 0)
    left: dict[str, Any] = {name: getattr(row.spent, name) for name in names}
    priced, missing = replace(row.spent, **gone), replace(NOTHING, **left)
    return replace(row, spent=priced), replace(row, currency="", spent=missing)


def _by_key(rows: Iterable[Booked]) -> Mapping[Key, Decimal]:
    """Return the effective cost of each key that has some."""
    found: dict[Key, list[Decimal]] = defaultdict(list)
    for row in rows:
        if row.currency:
            found[row.key].append(row.spent.cost_effective)
    return {key: total(amounts) for key, amounts in found.items()}


def _block(currency: str, rows: Sequence[Booked], past: Mapping[Key, Decimal], shape: _Shape) -> Block:
    by_key: dict[Key, list[Spent]] = {key: [] for key in past}
    for row in rows:
        by_key.setdefault(row.key, []).append(row.spent)
    sums = {key: sum_of(parts) for key, parts in by_key.items()}
    everything = sum_of(sums.values())
    whole = everything.cost_effective
    ordered = sorted(sums, key=lambda key: (-sums[key].cost_effective, key))

    def line(key: Key, spent: Spent, before: Decimal | None) -> Line:
        return _line(key, spent, before, whole, is_priced=bool(currency))

    over = ordered[shape.limit :]
    lost = [past[key] for key in over if key in past]
    rest = (
        line(shape.blank, sum_of(sums[key] for key in over), total(lost) if lost else None) if over else None
    )
    nobodys = sum_of(row.spent for row in rows if row.tenant == shape.nobody)
    unpriced = Spent(events=everything.unpriced_events, unpriced_events=everything.unpriced_events,
                     unpriced_tokens=everything.unpriced_tokens)  # fmt: skip
    return Block(
        currency=currency,
        lines=[line(key, sums[key], past.get(key)) for key in ordered[: shape.limit]],
        rest=rest,
        total=line(shape.blank, everything, total(past.values()) if past else None),
        unattributed=replace(line(shape.blank, nobodys, None), change=None, change_pct=None),
        unpriced=Line(shape.blank, unpriced, False, None, None, None, None),
    )


def _line(key: Key, spent: Spent, before: Decimal | None, whole: Decimal, *, is_priced: bool) -> Line:
    has_amounts = is_priced and not (spent.unpriced_events and not _has_cost(spent))
    if not has_amounts:
        return Line(key, spent, False, None, before, None, None)
    change = minus(spent.cost_effective, before or ZERO)
    return Line(
        key=key,
        spent=spent,
        has_amounts=True,
        share_pct=percent(spent.cost_effective, whole),
        before=before,
        change=change,
        change_pct=None if before is None else percent(change, abs(before)),
    )


def _has_cost(spent: Spent) -> bool:
    return any((spent.cost_list, spent.cost_contracted, spent.cost_effective, spent.cost_billed))
