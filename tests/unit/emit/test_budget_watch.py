"""The watch over budgets: who asked gateways for something takes it back when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditstream.core.clock import ManualClock
from auditstream.emit.budget_watch import BudgetWatch
from auditstream.notify.budget_news import News
from auditstream.reference.limits import Budget
from auditstream.reference.snapshot import Snapshot
from schemas.records.vocabulary import SignalState
from sinks.budget_spend import SpentRow
from tests.support.facts import snapshot_of
from tests.unit.notify.budgets import NOON, TODAY, budget

LATER = NOON + timedelta(hours=1)


class Scene:
    """A budget of a month that blocks, and is spent."""

    def __init__(self, **fields: Any) -> None:
        self.clock = ManualClock(NOON.timestamp())
        self.news: list[News] = []
        self.amounts: dict[str, int] = {}
        self.blocking = budget(period="month", reaction="block", **fields)
        self.snapshot: Snapshot = snapshot_of({1: [self.blocking]})
        self.watch = self.new_watch()

    def new_watch(self) -> BudgetWatch:
        return BudgetWatch(self, lambda: self.snapshot, self.news.append, self.clock)

    def spent(self, budget: Budget, start: datetime, end: datetime) -> list[SpentRow]:
        return [SpentRow(TODAY, "USD", Decimal(self.amounts.get(budget.scope["project_id"], 120)), 0)]

    def told(self, since: datetime) -> Mapping[str, Mapping[str, str]]:
        recorded = [each for each in self.news if each.event_id is not None]
        return {each.standing.budget.budget_id: each.fields["attributes"] for each in recorded}

    def change(self, **fields: Any) -> None:
        changed = self.blocking.model_copy(update={"valid_from": NOON, **fields})
        self.snapshot = snapshot_of({1: [self.blocking], 2: [changed]})

    def states(self) -> list[SignalState]:
        return [each.signal.state for each in self.news if each.signal is not None]


@pytest.mark.parametrize("is_new", [False, True], ids=["who told", "who takes over"])
def test_a_spent_budget_that_is_retired_blocks_nobody_any_more(is_new: bool) -> None:
    scene = Scene()
    (standing,) = scene.watch.look()
    assert standing.state is SignalState.BLOCK
    scene.change(active=False)
    scene.clock.advance(3_600)
    watch = scene.new_watch() if is_new else scene.watch

    assert [watch.look(), watch.look()] == [[], []]
    assert scene.states() == [SignalState.BLOCK, SignalState.ALLOW]
    last = scene.news[-1]
    assert (last.severity, last.fields["attributes"]["state"]) == (1, "ALLOW")


def test_a_spent_budget_whose_time_ends_within_its_period_blocks_nobody_any_more() -> None:
    scene = Scene(valid_to=LATER)
    scene.watch.look()
    scene.clock.advance(3_600)

    assert scene.watch.look() == []
    assert scene.states() == [SignalState.BLOCK, SignalState.ALLOW]


def test_a_retired_budget_that_asked_for_nothing_is_not_told_of() -> None:
    scene = Scene(amount="1000")
    scene.watch.look()
    scene.change(active=False)

    assert scene.watch.look() == []
    assert scene.states() == [SignalState.ALLOW]


@pytest.mark.parametrize("is_new", [False, True], ids=["who told", "who takes over"])
@pytest.mark.parametrize(("spent", "state"), [(120, SignalState.BLOCK), (1, SignalState.ALLOW)])
def test_a_budget_of_another_scope_lets_go_of_the_one_before(
    is_new: bool, spent: int, state: SignalState
) -> None:
    scene = Scene()
    scene.watch.look()
    scene.change(scope={"project_id": "checkout"})
    scene.amounts["checkout"] = spent
    watch = scene.new_watch() if is_new else scene.watch

    watch.look()
    told = len(scene.news)
    watch.look()

    asked = {each.signal.scope: each.signal.state for each in scene.news if each.signal is not None}
    assert asked == {
        "budget=search-day/tenant=acme/project_id=search": SignalState.ALLOW,
        "budget=search-day/tenant=acme/project_id=checkout": state,
    }
    assert len(scene.news) == told
