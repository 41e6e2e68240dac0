"""The chain of detection over small parts of both sets: what is planted is found, by production's code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from msgspec import msgpack

from auditstream.demo import facts as cast
from auditstream.demo.day import LEAST_WITH_INCIDENTS, Day
from auditstream.demo.incident import IncidentKind, reckon
from benchmarks.detection.incidents import services
from benchmarks.detection.incidents.chain import Chain
from benchmarks.detection.incidents.quiet import Draft
from benchmarks.detection.incidents.recorded import made, recorded
from benchmarks.detection.incidents.recording import Recording
from benchmarks.detection.incidents.schedule import SecondSet, planted_by, second_set
from benchmarks.detection.incidents.sets import SETS, TrafficSet
from tests.support.examples import at_length

END = datetime(2026, 6, 3, 18, tzinfo=UTC)
BEFORE = timedelta(minutes=30)


QUIET = services.BEGIN + timedelta(hours=10)
SEED = 6


@cache
def second() -> SecondSet:
    """Return the hours around incidents and a quiet one: to write all of the second set takes longer."""
    starts = [QUIET + BEFORE, *(each.incident.start for each in planted_by(SEED))]
    at = [int((each - services.BEGIN).total_seconds()) // 60 for each in starts]
    return second_set(SEED, [range(each - 30, each + 30) for each in at])


def between(events: list[Draft], start: datetime, end: datetime) -> list[Draft]:
    begin_us, end_us = (int(each.timestamp() * 1e6) for each in (start, end))
    return [each for each in events if begin_us <= each["event_time"] < end_us]


@pytest.mark.parametrize(
    "kind",
    [
        "guardrail_storm",
        *at_length(("agent_loop", "silent_model_swap")),
        "unregistered_mcp_server",
    ],
)
def test_what_needs_no_history_is_found_in_half_an_hour_of_the_second_set(kind: IncidentKind) -> None:
    [incident] = [each for each in second().incidents if each.kind == kind]
    events = between(list(second().events), incident.start - BEFORE, incident.start + BEFORE)
    [outcome] = reckon([incident], Chain().run(Recording(services.facts()).slices(events))).outcomes
    assert outcome.finding is not None
    assert outcome.delay is not None
    assert outcome.delay <= BEFORE


@pytest.mark.long
def test_of_a_small_working_day_everything_that_is_planted_is_found_and_no_hour_has_two_other_findings() -> (
    None
):
    day = Day(seed=1, events=LEAST_WITH_INCIDENTS, end=END)
    sent = [each.draft for each in day.sendings() if each.kind == "event"]
    sent.sort(key=lambda draft: draft["event_time"])
    reckoning = reckon(day.incidents, Chain().run(Recording(cast.facts()).slices(sent)))
    assert reckoning.missed == []
    assert reckoning.most_unexplained <= 1


def test_nothing_planted_is_nothing_found() -> None:
    events = between(list(second().events), QUIET, QUIET + 2 * BEFORE)
    assert len(events) > 300
    assert Chain().run(Recording(services.facts()).slices(events)) == []


def test_what_recording_made_is_kept_and_taken_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = between(list(second().events), QUIET, QUIET + BEFORE / 3)
    written: list[int] = []

    def events_of(seed: int) -> list[Draft]:
        written.append(seed)
        return events

    monkeypatch.setitem(SETS, "ten minutes", TrafficSet(3, 1, services.facts, lambda _: [], events_of))
    first = list(recorded("ten minutes", SEED, tmp_path))
    assert msgpack.encode(first) == msgpack.encode(list(made("ten minutes", SEED)))
    assert list(recorded("ten minutes", SEED, tmp_path)) == first
    assert len(first) > 1
    assert sum(len(each.usage) for each in first) > 10
    assert written == [SEED, SEED]
