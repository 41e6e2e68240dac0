"""What was spent, held against budgets as the watch over budgets does it, from events in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import polars as pl

from auditstream.notify.spend_burn import SpendTold, spend_burning, spend_news_of
from auditstream.reference.limits import Budget
from auditstream.reference.snapshot import Snapshot
from schemas.records.detection import Finding

_LOOKS_BACK = 3 * 1_440 + 1
"""Minutes that the longest window of the burn table has."""


class BudgetLook:
    """Remembers what projects spent by minute, and tells of budgets that burn.

    Args:
        snapshot: Reference data; its budgets are narrowed by nothing, or by project alone.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        rows = snapshot.intervals("budget").iter_rows(named=True)
        names = Budget.model_fields.keys()
        self._budgets = [
            Budget.model_validate({name: row[name] for name in names if row.get(name) is not None})
            for row in rows
        ]
        self._spent: dict[tuple[str, str], dict[int, Decimal]] = defaultdict(dict)
        self._told: dict[str, SpendTold] = {}

    def take(self, frame: pl.DataFrame) -> None:
        """Take in the rows of a segment."""
        minute = pl.col("event_time").dt.epoch("s") // 60
        spent = (
            frame.filter(pl.col("duplicate_of").is_null(), pl.col("cost_effective").is_not_null())
            .group_by("tenant_id", "project_id", minute.alias("minute"))
            .agg(pl.col("cost_effective").sum())
        )
        for tenant, project, at, amount in spent.iter_rows():
            for place in ((tenant, project), (tenant, "")):
                minutes = self._spent[place]
                minutes[at] = minutes.get(at, Decimal(0)) + amount

    def news(self, at: datetime) -> Iterator[Finding]:
        """Yield what is to be told at a moment."""
        first = int(at.timestamp()) // 60 - _LOOKS_BACK
        for budget in self._budgets:
            minutes = self._spent[budget.tenant_id, budget.scope.get("project_id", "")]
            for old in [minute for minute in minutes if minute < first]:
                del minutes[old]
            burning = spend_burning(budget, minutes, at)
            if burning is None:
                continue
            told = self._told.get(budget.budget_id, SpendTold())
            news, self._told[budget.budget_id] = spend_news_of(burning, told)
            if news is not None:
                yield news.finding
