"""The budgets that a snapshot knows."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from auditstream.reference.limits import Budget
from auditstream.reference.snapshot import Snapshot

_JUST_BEFORE = timedelta(microseconds=1)


def known_budgets(snapshot: Snapshot, now: datetime) -> list[Budget]:
    """Return the budgets that hold at a moment, by id; retired and ended ones too, which are not active."""
    ids = sorted(set(snapshot.rows("budget")["budget_id"].to_list()))
    found = (snapshot.find(Budget, each, at=now) or _ended(snapshot, each, now) for each in ids)
    return [each for each in found if each is not None]


def _ended(snapshot: Snapshot, budget_id: str, now: datetime) -> Budget | None:
    """Return a budget whose time is over, as it was last; None before its time."""
    held = snapshot.intervals("budget").filter(pl.col("budget_id") == budget_id, pl.col("valid_to") <= now)
    if held.is_empty():
        return None
    last = held.sort("valid_to").tail(1)["valid_to"].item() - _JUST_BEFORE
    budget = snapshot.find(Budget, budget_id, at=last)
    return None if budget is None else budget.model_copy(update={"active": False})
