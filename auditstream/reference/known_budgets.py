"""The budgets that a snapshot knows."""

from __future__ import annotations

from datetime import datetime

from auditstream.reference.limits import Budget
from auditstream.reference.snapshot import Snapshot


def known_budgets(snapshot: Snapshot, now: datetime) -> list[Budget]:
    """Return the budgets that hold at a moment, retired ones too, by id."""
    ids = sorted(set(snapshot.rows("budget")["budget_id"].to_list()))
    found = (snapshot.find(Budget, each, at=now) for each in ids)
    return [each for each in found if each is not None]
