"""What a budget says over time, and which part of that somebody means who names it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from auditstream.reference.limits import Budget


def histories(intervals: pl.DataFrame) -> dict[str, list[Budget]]:
    """Return what each budget says when, in order of time, by id.

    Args:
        intervals: Those of kind budget, as reference data has them.
    """
    found: dict[str, list[Budget]] = {}
    for row in intervals.iter_rows(named=True):
        budget = Budget.model_validate({name: row[name] for name in Budget.model_fields})
        found.setdefault(budget.budget_id, []).append(budget)
    return dict(sorted(found.items()))


def watched(history: Sequence[Budget], now: datetime) -> Budget | None:
    """Return what is watched of a history now; None where nothing is."""
    return next((each for each in history if each.covers(now) and each.active), None)


def coming(history: Sequence[Budget], now: datetime) -> Budget | None:
    """Return what will be watched next; None where nothing will."""
    return next((each for each in history if each.valid_from > now and each.active), None)


def last(history: Sequence[Budget], now: datetime) -> Budget | None:
    """Return what began last, or the first that was to begin where nothing has; None of an empty history."""
    begun = [each for each in history if each.valid_from <= now]
    return begun[-1] if begun else next(iter(history), None)


def meant(history: Sequence[Budget], now: datetime) -> Budget | None:
    """Return what a budget's name means: what is watched, else what will be, else what was last."""
    return watched(history, now) or coming(history, now) or last(history, now)
