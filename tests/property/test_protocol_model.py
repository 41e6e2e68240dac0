"""Exactly once, argued by thousands of random runs of a model of the delivery protocol, without Kafka.

The protocol must hold in every run; with any one of its safety elements off, some run must break it, or the
runs prove nothing. To see a run: `World(seed, rules, weather=…, trace=lines).run()`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.property.protocol_model import MARGIN, Commit, Rules, Send
from tests.property.protocol_weather import Weather
from tests.property.protocol_world import World
from tests.support.examples import at_length, examples

RUNS = examples(5_000)  # a thousand take 4 s on one core
RUNS_AT_ONCE = 1_000
MOST_RUNS_OF_A_CONTROL = 600
STEPS_OF_A_CONTROL = 600

# Weather in which an insert is still on its way while its worker is gone and the group is served by others.
IN_FLIGHT = Weather(
    faults={},
    ticks=0.5,
    timer=1,
    resumes=0.5,
    strikes=0.02,
    focus=Send,
    kills=1.0,
    evictions=0.9,
    wipes=0.0,
    slow=0.2,
    pace=0.1,
    lost_answers=0.1,
    lost_commit_answers=0.1,
)
FORGOTTEN = replace(IN_FLIGHT, evictions=0.05, wipes=0.9)  # … and the group's offsets are gone as well
ZOMBIES = replace(IN_FLIGHT, focus=Commit, kills=0.0, ticks=1, resumes=3.0, slow=0.4, pace=0.05)
ZOMBIES_FORGOTTEN = replace(FORGOTTEN, focus=Commit, kills=0.0, ticks=1)
# One worker stands still between two attempts and stays a member; the others write more than a window.
LONG_FREEZES = replace(
    IN_FLIGHT,
    ticks=0.2,
    timer=0,
    resumes=0.6,
    strikes=0.01,
    kills=0.0,
    evictions=0.0,
    slow=0.1,
    lost_answers=0.3,
    lost_commit_answers=0.0,
)
# An insert that left before the freeze arrives long after it.
LATE_INSERTS = replace(LONG_FREEZES, ticks=2, timer=1, strikes=0.004, focus=None, pace=0.01)
# A commit that stalls arrives while the next segment's insert is on its way and its worker is dead.
STALLED_COMMITS = replace(IN_FLIGHT, timer=0, strikes=0.03, evictions=0.0, slow=0.3, pace=0.05)
MIXED = None

# (name, what is off, weather, what must break)
CONTROLS: list[tuple[str, dict[str, Any], Weather | None, str]] = [
    ("commit after insert", {"plans": False, "tokens": False, "leases": False}, MIXED, "doubled"),
    ("no plan, only a token over what was fetched", {"plans": False}, MIXED, "doubled"),
    ("no token", {"tokens": False}, IN_FLIGHT, "doubled"),
    ("no lease", {"leases": False}, LATE_INSERTS, "doubled"),
    ("no lease, offsets forgotten", {"leases": False}, FORGOTTEN, "doubled"),
    ("timer wipes the plan", {"timer_commits_state": False}, replace(IN_FLIGHT, timer=8), "doubled"),
    ("seek to the store's end", {"trusts_store_blindly": True, "plans": False}, MIXED, "doubled"),
    (
        "seek to the store's end, blocks over two days",
        {"trusts_store_blindly": True, "plans": False, "one_day": False},
        MIXED,
        "lost",
    ),
    ("no wait before the store is asked", {"waits": False}, FORGOTTEN, "doubled"),
    ("half-done segment not replayed", {"replays_highest": False}, MIXED, "view_wrong"),
    ("segment not published", {"replays_highest": False}, MIXED, "unpublished"),
    ("generation of the moment", {"pins_generation": False}, ZOMBIES, "doubled"),
    ("generation number kept across groups", {"forgets_generation": False}, FORGOTTEN, "stuck"),
    ("day not in the plan", {"plans_day": False}, MIXED, "doubled"),
    ("block over two days", {"one_day": False}, MIXED, "stopped"),
    ("lease dated at the answer", {"dates_lease_at_sending": False}, ZOMBIES_FORGOTTEN, "doubled"),
    ("token trusted beyond the first lease", {"reads_back_again": False}, LONG_FREEZES, "doubled"),
    ("alarm of a zombie", {"confirms_alarms": False}, ZOMBIES, "stopped"),
    ("window shorter than a lease", {"window": 2}, MIXED, "doubled"),
    ("view without a window", {"view_window": 0}, MIXED, "view_wrong"),
    ("clocks further apart than allowed for", {"skew": 12}, FORGOTTEN, "doubled"),
    ("going on after a lost answer", {"rejoins_when_unsure": False}, STALLED_COMMITS, "doubled"),
]


LATE_TO_BREAK = {
    "no wait before the store is asked",
    "generation number kept across groups",
    "token trusted beyond the first lease",
    "alarm of a zombie",
    "clocks further apart than allowed for",
    "going on after a lost answer",
}
"""Of the controls: the first run that they break comes after hundreds."""

# Retention that takes records now and then, whether they are recorded or not.
EXPIRY = 1.0
RUNS_WITH_LOSSES = 1_000

# (name, what is off, weather, what must break)
CONTROLS_OF_LOSSES: list[tuple[str, dict[str, Any], Weather | None, str]] = [
    ("plan given up while its insert may be on its way", {"waits_for_lost": False}, IN_FLIGHT, "doubled"),
    ("gap written without a plan", {"plans_lost": False}, MIXED, "doubled"),
    ("stored plan recorded again", {"skips_stored": False}, MIXED, "doubled"),
    ("offsets forgotten, no wait", {"waits": False}, FORGOTTEN, "doubled"),
    ("no token", {"tokens": False}, IN_FLIGHT, "doubled"),
    ("no lease", {"leases": False}, FORGOTTEN, "doubled"),
]


def explain(seed: int, rules: Rules, **world: Any) -> str:
    """Return the last lines of what happened in a run."""
    lines: list[str] = []
    outcome = World(seed, rules, trace=lines, **world).run()
    return "\n".join([f"seed {seed}: {outcome}", *lines[-60:]])


def run_all(seeds: range, rules: Rules, **world: Any) -> Counter[str]:
    """Run the model, fail at the first promise that does not hold, and return what was seen in all runs."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        outcome = World(seed, rules, **world).run()
        assert not outcome.broken, explain(seed, rules, **world)
        seen += outcome.seen
    return seen


@pytest.mark.parametrize(
    "first",
    [
        0,
        *at_length(range(RUNS_AT_ONCE, RUNS, RUNS_AT_ONCE)),
    ],
)
def test_every_record_is_stored_once_densely_and_in_the_view_whatever_happens(first: int) -> None:
    seen = run_all(range(first, first + RUNS_AT_ONCE), Rules())
    # The runs are worth something: each thing that the protocol guards against has happened, often.
    often = {
        "killed",
        "frozen",
        "resumed",
        "stopped",
        "evicted",
        "group deleted",
        "offsets reset",
        "commit refused",
        "lane fenced",
        "late insert refused",
        "token known, block dropped",
        "view failed",
        "insert lost",
        "insert repeated",
        "insert stopped at its time limit",
        "store is busy",
        "store killed in mid-insert",
        "half done",
    }
    assert min(seen[what] for what in often) > RUNS_AT_ONCE // 100, seen
    assert seen["records"] > 50 * RUNS_AT_ONCE


@pytest.mark.parametrize(
    "weather",
    [
        pytest.param(IN_FLIGHT, id="in flight"),
        pytest.param(ZOMBIES, id="zombies"),
        pytest.param(LONG_FREEZES, id="long freezes"),
        pytest.param(FORGOTTEN, id="forgotten", marks=pytest.mark.long),
        pytest.param(ZOMBIES_FORGOTTEN, id="zombies forgotten", marks=pytest.mark.long),
        pytest.param(LATE_INSERTS, id="late inserts", marks=pytest.mark.long),
        pytest.param(STALLED_COMMITS, id="stalled commits", marks=pytest.mark.long),
    ],
)
def test_the_protocol_holds_in_the_weather_that_breaks_the_controls(weather: Weather) -> None:
    run_all(range(150), Rules(), weather=weather, steps=STEPS_OF_A_CONTROL)


@pytest.mark.parametrize(
    ("change", "weather", "breaks"),
    [
        pytest.param(
            change, weather, breaks, id=name, marks=[pytest.mark.long] if name in LATE_TO_BREAK else ()
        )
        for name, change, weather, breaks in CONTROLS
    ],
)
def test_without_one_safety_element_some_run_breaks_the_promise(
    change: dict[str, Any], weather: Weather | None, breaks: str
) -> None:
    rules = replace(Rules(), **change)
    worlds = (
        World(seed, rules, weather=weather, steps=STEPS_OF_A_CONTROL)
        for seed in range(MOST_RUNS_OF_A_CONTROL)
    )
    assert any(breaks in world.run().broken for world in worlds)


def test_every_record_is_stored_once_or_in_one_gap_when_kafka_loses_some() -> None:
    seen = run_all(range(RUNS_WITH_LOSSES), Rules(), expiry=EXPIRY)
    assert seen["gaps"] > RUNS_WITH_LOSSES // 2
    assert min(seen[what] for what in ("killed", "lane fenced", "view failed")) > RUNS_WITH_LOSSES // 100


@pytest.mark.parametrize(
    "weather",
    [
        pytest.param(FORGOTTEN, id="forgotten"),
        pytest.param(ZOMBIES, id="zombies"),
        pytest.param(IN_FLIGHT, id="in flight", marks=pytest.mark.long),
        pytest.param(LATE_INSERTS, id="late inserts", marks=pytest.mark.long),
        pytest.param(STALLED_COMMITS, id="stalled commits", marks=pytest.mark.long),
    ],
)
def test_losses_do_no_harm_in_the_weather_that_breaks_the_controls(weather: Weather) -> None:
    run_all(range(100), Rules(), weather=weather, steps=STEPS_OF_A_CONTROL, expiry=EXPIRY)


def test_workers_that_may_not_record_losses_halt_and_have_written_nothing_wrong() -> None:
    seen = run_all(range(RUNS_WITH_LOSSES // 2), Rules(records_lost=False), expiry=EXPIRY)
    assert seen["halted for lost offsets"] > RUNS_WITH_LOSSES // 8
    assert not seen["gaps"]


@pytest.mark.parametrize(
    ("change", "weather", "breaks"),
    [pytest.param(change, weather, breaks, id=name) for name, change, weather, breaks in CONTROLS_OF_LOSSES],
)
def test_with_losses_and_without_one_safety_element_some_run_breaks_the_promise(
    change: dict[str, Any], weather: Weather | None, breaks: str
) -> None:
    rules = replace(Rules(), **change)
    worlds = (
        World(seed, rules, weather=weather, steps=STEPS_OF_A_CONTROL, expiry=EXPIRY)
        for seed in range(MOST_RUNS_OF_A_CONTROL)
    )
    assert any(breaks in world.run().broken for world in worlds)


@pytest.mark.long
def test_a_larger_window_does_no_harm() -> None:
    run_all(range(200), Rules(window=20 * MARGIN, view_window=20 * MARGIN))


def test_a_run_is_decided_by_its_seed() -> None:
    traces: list[list[str]] = [[], [], []]
    for seed, trace in zip((7, 7, 8), traces, strict=True):
        World(seed, trace=trace).run()
    assert traces[0] == traces[1]
    assert traces[0] != traces[2]
