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

RUNS = 5_000  # about 17 s on one core
MOST_RUNS_OF_A_CONTROL = 600

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
)
FORGOTTEN = replace(IN_FLIGHT, evictions=0.05, wipes=0.9)  # … and the group's offsets are gone as well
ZOMBIES = replace(IN_FLIGHT, focus=Commit, kills=0.0, ticks=1, resumes=3.0, slow=0.4, pace=0.05)
ZOMBIES_FORGOTTEN = replace(FORGOTTEN, focus=Commit, kills=0.0, ticks=1)
# One worker stands still between two attempts and stays a member, while the others write more than the window.
LONG_FREEZES = replace(
    IN_FLIGHT, ticks=1, resumes=0.8, strikes=0.004, kills=0.0, evictions=0.0, lost_answers=0.4
)
STALLED_COMMITS = replace(IN_FLIGHT, timer=0, slow=0.4)
MIXED = None

# (name, what is off, weather, what must break)
CONTROLS: list[tuple[str, dict[str, Any], Weather | None, str]] = [
    ("commit after insert", {"plans": False, "tokens": False, "leases": False}, MIXED, "doubled"),
    ("no plan, only a token over what was fetched", {"plans": False}, MIXED, "doubled"),
    ("no token", {"tokens": False}, IN_FLIGHT, "doubled"),
    ("no lease", {"leases": False}, LONG_FREEZES, "doubled"),
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
    ("commits overtake each other", {"commits_overtake": True}, STALLED_COMMITS, "doubled"),
]


def explain(seed: int, rules: Rules, weather: Weather | None = None) -> str:
    """Return the last lines of what happened in a run."""
    lines: list[str] = []
    outcome = World(seed, rules, weather=weather, trace=lines).run()
    return "\n".join([f"seed {seed}: {outcome}", *lines[-60:]])


def run_all(seeds: range, rules: Rules, weather: Weather | None = None) -> Counter[str]:
    """Run the model, fail at the first promise that does not hold, and return what was seen in all runs."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        outcome = World(seed, rules, weather=weather).run()
        assert not outcome.broken, explain(seed, rules, weather)
        seen += outcome.seen
    return seen


def test_every_record_is_stored_once_densely_and_in_the_view_whatever_happens() -> None:
    seen = run_all(range(RUNS), Rules())
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
    assert min(seen[what] for what in often) > RUNS // 100, seen
    assert seen["records"] > 50 * RUNS


@pytest.mark.parametrize(
    "weather",
    [IN_FLIGHT, FORGOTTEN, ZOMBIES, ZOMBIES_FORGOTTEN, LONG_FREEZES, STALLED_COMMITS],
    ids=["in flight", "forgotten", "zombies", "zombies forgotten", "long freezes", "stalled commits"],
)
def test_the_protocol_holds_in_the_weather_that_breaks_the_controls(weather: Weather) -> None:
    run_all(range(300), Rules(), weather)


@pytest.mark.parametrize(
    ("change", "weather", "breaks"),
    [pytest.param(change, weather, breaks, id=name) for name, change, weather, breaks in CONTROLS],
)
def test_without_one_safety_element_some_run_breaks_the_promise(
    change: dict[str, Any], weather: Weather | None, breaks: str
) -> None:
    rules = replace(Rules(), **change)
    outcomes = (World(seed, rules, weather=weather).run() for seed in range(MOST_RUNS_OF_A_CONTROL))
    assert any(breaks in outcome.broken for outcome in outcomes)


def test_a_new_generation_after_an_unknown_commit_makes_overtaking_harmless() -> None:
    run_all(range(300), Rules(commits_overtake=True, rejoins_when_unsure=True), STALLED_COMMITS)


def test_a_larger_window_does_no_harm() -> None:
    run_all(range(200), Rules(window=20 * MARGIN, view_window=20 * MARGIN))


def test_a_run_is_decided_by_its_seed() -> None:
    first, second, other = ([], [], [])  # type: tuple[list[str], list[str], list[str]]
    World(7, trace=first).run()
    World(7, trace=second).run()
    World(8, trace=other).run()
    assert first == second
    assert first != other
