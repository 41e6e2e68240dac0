"""The watch over burning budgets converts what was spent, tells once, and goes on where another left off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from auditstream.emit.spend_burn_watch import SpendBurnWatch
from auditstream.notify.spend_burn import SpendNews
from auditstream.reference.fact import Fact
from auditstream.reference.kinds import KINDS, Entry, frame_of
from auditstream.reference.limits import Budget
from auditstream.reference.rates import CurrencyRate
from auditstream.reference.snapshot import Snapshot
from tests.unit.notify.budgets import NOON, budget

NOW_MINUTE = int(NOON.timestamp()) // 60
RATE = CurrencyRate(base="EUR", quote="USD", rate=Decimal(2), valid_from=datetime(2026, 1, 1, tzinfo=UTC))


class Scene:
    """15 cents a minute for an hour, of a budget of a cent a minute."""

    def __init__(self, *facts: Fact) -> None:
        self.now = NOON
        self.news: list[SpendNews] = []
        self.amounts = [(NOW_MINUTE - n, "USD", Decimal("0.15")) for n in range(1, 61)]
        self.snapshot = snapshot_of(*facts)
        self.watch = self.new_watch()

    def new_watch(self) -> SpendBurnWatch:
        return SpendBurnWatch(self, self, lambda: self.snapshot, self.news.append, self)

    def now_s(self) -> float:
        return self.now.timestamp()

    def spent_by_minute(
        self, budget: Budget, start: datetime, end: datetime
    ) -> list[tuple[int, str, Decimal]]:
        return [each for each in self.amounts if start.timestamp() <= 60 * each[0] < end.timestamp()]

    def told(self, now: datetime) -> dict[tuple[str, str], Mapping[str, str]]:
        newest = {(each.rule, "spend"): each.fields["attributes"] for each in self.news}
        return newest | {("search-month", "burn"): {"of": "an objective of the same name"}}


def monthly(**fields: Any) -> Budget:
    return budget(**{"budget_id": "search-month", "period": "month", "amount": "432", **fields})


def snapshot_of(*facts: Fact) -> Snapshot:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    tables = {}
    for name in ("budget", "rate"):
        entries = [Entry(each, "test") for each in facts if isinstance(each, KINDS[name].fact)]
        tables[name] = frame_of(KINDS[name], entries, revision=1, recorded_at=at, actor="test")
    return Snapshot(1, tables)


def test_a_budget_that_burns_is_told_of_once_whoever_looks() -> None:
    scene = Scene(monthly(), monthly(budget_id="search-day", period="day"))
    (burning,) = scene.watch.look()
    assert burning.rates[60] == 15.0
    scene.watch.look()
    scene.new_watch().look()

    assert [(each.rule, each.finding.tier) for each in scene.news] == [("search-month", "page_fast")]


def test_what_was_spent_in_another_currency_is_converted_and_what_has_no_rate_left_out() -> None:
    scene = Scene(monthly(), RATE)
    scene.amounts = [(NOW_MINUTE - n, "EUR", Decimal("0.05")) for n in range(1, 61)]
    scene.amounts += [(NOW_MINUTE - n, "JPY", Decimal(1_000)) for n in range(1, 61)]
    (burning,) = scene.watch.look()

    assert burning.spent[60] == Decimal(6)


def test_a_retired_budget_burns_no_more() -> None:
    scene = Scene(monthly())
    scene.watch.look()
    scene.snapshot = snapshot_of(monthly(active=False))
    scene.watch.look()
    scene.watch.look()

    assert [each.episode.is_open for each in scene.news] == [True, False]


def test_a_budget_whose_time_is_over_burns_no_more() -> None:
    scene = Scene(monthly(valid_to=NOON + timedelta(minutes=1)))
    scene.watch.look()
    scene.now += timedelta(minutes=1)
    scene.watch.look()

    assert [each.episode.is_open for each in scene.news] == [True, False]


def test_what_is_spent_later_is_seen_by_the_next_look() -> None:
    scene = Scene(monthly())
    scene.amounts.clear()
    assert scene.watch.look()[0].firing is None
    scene.now += timedelta(minutes=2)
    scene.amounts += [(NOW_MINUTE - n, "USD", Decimal("0.15")) for n in range(-2, 58)]
    (burning,) = scene.watch.look()

    assert burning.firing is not None
