"""The budgets that a snapshot knows."""

from __future__ import annotations

from datetime import datetime

from auditstream.reference.ended import held
from auditstream.reference.limits import Budget
from auditstream.reference.snapshot import Snapshot


def known_budgets(snapshot: Snapshot, now: datetime) -> list[Budget]:
    """Return the budgets that hold at a moment, by id; retired and ended ones too, which are not active."""
    ids = sorted(set(snapshot.rows("budget")["budget_id"].to_list()))
    found = (held(snapshot, Budget, each, now) for each in ids)
    return [each for each in found if each is not None]
