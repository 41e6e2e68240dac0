"""A team's month: what it spent, split in several ways, each of which adds up to the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from auditstream.costing.breakdown import Block, blocks_of
from auditstream.costing.spent import Booked

SPLITS = ("project", "feature", "cost_center", "environment", "model")
"""Dimensions that a month is split by; a row's key has them in this order."""


@dataclass(frozen=True, slots=True)
class Showback:
    """The statement of a team in one currency.

    Attributes:
        currency: ISO 4217 code; empty for what has none.
        whole: One line for all, and its trend.
        splits: The same by each dimension.
    """

    currency: str
    whole: Block
    splits: Mapping[str, Block]


def showbacks_of(
    now: Sequence[Booked], before: Sequence[Booked], *, nobody: str, limit: int
) -> list[Showback]:
    """Return a statement a currency.

    Args:
        now: What was booked to the team in the month; keys as `SPLITS`.
        before: What was booked to it in the month before.
        nobody: Tenant of what nobody owns.
        limit: Lines of a split at most.
    """
    found: dict[str, Showback] = {}
    wholes = blocks_of(_by(now, None), _by(before, None), nobody=nobody, limit=1, width=0)
    for whole in wholes:
        found[whole.currency] = Showback(whole.currency, whole, {})
    for place, name in enumerate(SPLITS):
        blocks = blocks_of(_by(now, place), _by(before, place), nobody=nobody, limit=limit, width=1)
        for block in blocks:
            one = found[block.currency]
            found[block.currency] = replace(one, splits={**one.splits, name: block})
    return list(found.values())


def _by(rows: Iterable[Booked], place: int | None) -> list[Booked]:
    return [replace(row, key=() if place is None else (row.key[place],)) for row in rows]
