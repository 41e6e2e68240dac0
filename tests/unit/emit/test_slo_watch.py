"""The watch tells what is new, goes on where another left off, and keeps gateways informed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from auditstream.core.errors import RetryableError
from auditstream.emit.slo_watch import SloWatch
from auditstream.notify.slo_news import SloNews
from auditstream.reference.kinds import KINDS, Entry, frame_of
from auditstream.reference.objectives import Objective
from auditstream.reference.snapshot import Snapshot
from schemas.records.detection import Signal
from schemas.records.vocabulary import SignalState
from tests.unit.emit.test_slo_memory import Happened
from tests.unit.notify.slos import NOON, objective

MINUTE = timedelta(minutes=1)


class Record:
    """What was told, as who takes over finds it; may be away."""

    def __init__(self) -> None:
        self.news: list[SloNews] = []
        self.signals: list[Signal] = []
        self.is_away = False

    def tell(self, news: SloNews) -> None:
        if self.is_away:
            raise RetryableError("Kafka: away")
        if news.signal is not None:
            self.signals.append(news.signal)
        self.news.append(news)

    def renew(self, signal: Signal) -> None:
        self.signals.append(signal)

    def told(self, now: datetime) -> dict[tuple[str, str], Mapping[str, str]]:
        newest: dict[tuple[str, str], Mapping[str, str]] = {}
        for each in self.news:
            newest[each.standing.objective.slo_id, each.about] = each.fields["attributes"]
        return newest

    @property
    def words(self) -> list[tuple[str, str, bool]]:
        return [(each.standing.objective.slo_id, each.about, each.episode.is_open) for each in self.news]


class Scene:
    def __init__(self, *objectives: Objective) -> None:
        self.now = NOON
        self.happened, self.record = Happened(), Record()
        self.snapshot = snapshot_of(*objectives)
        self.watch = self.new_watch()

    def new_watch(self) -> SloWatch:
        return SloWatch(self.happened, self.record, lambda: self.snapshot, self.record, self)

    def now_s(self) -> float:
        return self.now.timestamp()

    def burn(self, minutes: int = 60) -> None:
        for minute in range(1, minutes + 1):
            self.happened.add(self.now - minute * MINUTE, 20, 1_000)


def snapshot_of(*objectives: Objective) -> Snapshot:
    rows = frame_of(
        KINDS["slo"],
        [Entry(each, "test") for each in objectives],
        revision=1,
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        actor="test",
    )
    return Snapshot(1, {"slo": rows})


def test_what_is_new_is_told_once() -> None:
    scene = Scene(objective())
    scene.happened.add(NOON - timedelta(days=9), 0, 10_000_000)
    assert [each.level for each in scene.watch.look()] == [0]
    scene.burn()
    scene.now += timedelta(hours=1)  # when everything is read again
    scene.burn()
    for _ in range(3):
        scene.now += MINUTE
        scene.watch.look()

    assert scene.record.words == [("answers", "burn", True)]


def test_who_takes_over_goes_on_from_what_the_record_says() -> None:
    scene = Scene(objective(reaction="block"))
    scene.burn()
    scene.watch.look()
    assert scene.record.words == [("answers", "burn", True), ("answers", "budget", True)]

    other = scene.new_watch()
    other.look()
    scene.watch.forget()
    scene.watch.look()

    assert len(scene.record.news) == 2


def test_what_could_not_be_told_is_told_by_the_next_look() -> None:
    scene = Scene(objective())
    scene.burn()
    scene.record.is_away = True
    with pytest.raises(RetryableError):
        scene.watch.look()
    scene.record.is_away = False
    scene.watch.look()

    assert scene.record.words == [("answers", "burn", True), ("answers", "budget", True)]


def test_what_was_told_before_another_word_failed_is_not_told_again() -> None:
    scene = Scene(objective())
    scene.burn()
    told = scene.record.tell

    def tell_one(news: SloNews) -> None:
        told(news)
        scene.record.is_away = True

    scene.record.tell = tell_one  # type: ignore[method-assign]
    with pytest.raises(RetryableError):
        scene.watch.look()
    scene.record.is_away = False
    scene.watch.look()

    assert scene.record.words == [("answers", "burn", True), ("answers", "budget", True)]


def test_gateways_hear_of_a_spent_budget_again_before_they_stop_minding_it() -> None:
    scene = Scene(objective(reaction="throttle"))
    scene.burn()
    for _ in range(4):
        scene.watch.look()
        scene.now += 20 * MINUTE

    signals = scene.record.signals
    assert {each.state for each in signals} == {SignalState.THROTTLE}
    assert [each.effective - NOON for each in signals] == [0 * MINUTE, 40 * MINUTE]
    assert all(
        earlier.expires is not None and earlier.expires > later.effective
        for earlier, later in zip(signals, signals[1:], strict=False)
    )
    scene.new_watch().look()  # who takes over does not know when gateways heard last
    assert len(scene.record.signals) == 3


def test_an_objective_of_another_worker_is_left_alone() -> None:
    scene = Scene(objective(), objective(slo_id="others", tenant_id="globex"))
    scene.burn()
    standings = scene.watch.look(lambda each: each.tenant_id == "acme")

    assert [each.objective.slo_id for each in standings] == ["answers"]
    assert {slo for slo, _, _ in scene.record.words} == {"answers"}


@pytest.mark.parametrize("how", [{"active": False}, {"valid_to": NOON - timedelta(days=1)}], ids=repr)
def test_an_objective_that_holds_no_more_is_taken_back_and_looked_at_no_more(how: dict[str, Any]) -> None:
    scene = Scene(objective(reaction="block"))
    scene.burn()
    scene.watch.look()
    scene.snapshot = snapshot_of(objective(reaction="block", **how))
    assert scene.watch.look() == []
    assert scene.record.words[2:] == [("answers", "burn", False), ("answers", "budget", False)]
    assert scene.record.signals[-1].state is SignalState.ALLOW
    asked = len(scene.happened.asked)
    scene.watch.look()
    assert len(scene.happened.asked) == asked


def test_an_objective_that_cannot_be_understood_does_not_hide_the_others() -> None:
    old = snapshot_of(objective(), objective(slo_id="old"))
    rows = old.rows("slo").with_columns(
        indicator=pl.when(pl.col("slo_id") == "old").then(pl.lit("happiness")).otherwise("indicator")
    )
    scene = Scene()
    scene.snapshot = Snapshot(1, {"slo": rows})

    assert [each.objective.slo_id for each in scene.watch.look()] == ["answers"]


def test_an_objective_that_changed_is_counted_anew() -> None:
    scene = Scene(objective(objective="0.9"))
    scene.burn()
    assert scene.watch.look()[0].firing is None
    scene.snapshot = snapshot_of(objective(objective="0.9999"))
    (standing,) = scene.watch.look()
    assert standing.firing is not None
