"""Detectors of stolen keys: what an attack looks like to them, and a release, a fleet, a young key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pytest

from auditstream.detection.acquaintances import KINDS, SILENT, Acquaintances
from auditstream.detection.detector import Bucket, Detector
from auditstream.detection.novelty import Novelty
from auditstream.detection.spread import many_countries, many_networks

T0 = 29_000_000 // 60 * 60
NOW = T0 + SILENT
HOME = {
    "country": "DE",
    "network": "AS64500",
    "block": "192.0.2.0",
    "user_agent": "shop",
    "tool": "search",
    "model": "gpt-4o",
}


Named = Mapping[str, str | list[str]]
NOTHING: Named = {}


class Key:
    """A key and what a detector says of it."""

    def __init__(self, detector: Detector) -> None:
        self.detector, self.known = detector, Acquaintances()
        self.firing: set[int] = set()
        detector.reserve(1)

    def use(self, minute: int, named: Named = NOTHING, *, events: int = 20) -> float:
        """Return the level after a minute in which the key named things; those of home unless told else."""
        sightings = [
            (0, kind, name)
            for kind, names in {**HOME, **named}.items()
            for name in ([names] if isinstance(names, str) else names)
        ]
        self.known.see(minute, sightings)
        keys = np.zeros(1, np.int32)
        values = {"events": np.array([float(events)]), **self.known.values(keys, minute)}
        scores = self.detector.observe(Bucket(minute, 1, keys, values), np.array([bool(self.firing)]))
        level = float(scores.level[0]) if len(scores.level) else 0.0
        self.firing = {0} if level >= 1 or (self.firing and level >= 0.6) else set()
        return level

    def live(self, minutes: Iterable[int], named: Named = NOTHING) -> float:
        """Return the highest level of some minutes."""
        return max(self.use(minute, named) for minute in minutes)


def grown_up(detector: Detector) -> Key:
    key = Key(detector)
    assert key.live(range(T0, NOW, 60)) < 1
    return key


@pytest.mark.parametrize(
    ("named", "fires"),
    [
        ({}, False),
        ({"country": "BR"}, True),
        ({"network": "AS64501", "block": "198.51.100.0"}, False),
        ({"user_agent": "python-requests"}, False),
        ({"tool": "export"}, False),
        ({"tool": "export", "model": "o3"}, False),
        ({"network": "AS64501", "user_agent": "python-requests"}, True),
        ({"block": "198.51.100.0", "model": "o3"}, True),
        ({"user_agent": "python-requests", "tool": "export"}, True),
    ],
    ids=str,
)
def test_two_facts_or_another_country_fire_and_a_release_alone_does_not(
    named: dict[str, str], fires: bool
) -> None:
    assert (grown_up(Novelty()).use(NOW, named) >= 1) is fires


def test_two_facts_an_hour_apart_do_not_fire_and_within_an_hour_they_do() -> None:
    apart, together = grown_up(Novelty()), grown_up(Novelty())
    apart.use(NOW, {"user_agent": "python-requests"})
    together.use(NOW, {"user_agent": "python-requests"})
    assert apart.use(NOW + 60, {"tool": "export"}) < 1
    assert together.use(NOW + 59, {"tool": "export"}) >= 1


def test_what_is_done_again_is_no_news_and_the_episode_ends_after_an_hour() -> None:
    key = grown_up(Novelty())
    assert key.use(NOW, {"country": "BR"}) >= 1
    assert key.use(NOW + 59, {"country": "BR"}) >= 1
    assert key.live(range(NOW + 60, NOW + 200), {"country": "BR"}) == 0


def test_a_young_or_seldom_used_key_is_told_nothing_of() -> None:
    young = Key(Novelty())
    young.live(range(T0, T0 + 120))
    assert young.use(T0 + 121, {"country": "BR", "user_agent": "python-requests"}) < 1
    seldom = Key(Novelty())
    for minute in range(T0, NOW, 60):
        seldom.use(minute, events=1)
    assert seldom.use(NOW, {"country": "BR", "user_agent": "python-requests"}) < 1


def networks(count: int) -> dict[str, list[str]]:
    return {"network": [f"AS{64_500 + number}" for number in range(count)]}


def test_four_networks_or_three_countries_in_an_hour_fire_however_young_the_key() -> None:
    assert Key(many_networks()).use(T0, networks(4)) >= 1
    assert Key(many_networks()).use(T0, networks(3)) < 1
    assert Key(many_countries()).use(T0, {"country": ["DE", "BR", "VN"]}) >= 1
    assert Key(many_countries()).use(T0, {"country": ["DE", "BR"]}) < 1


def test_networks_one_after_the_other_within_an_hour_count_and_those_of_a_day_do_not() -> None:
    hour, day = Key(many_networks()), Key(many_networks())
    found = [hour.use(T0 + 30 + 10 * number, {"network": f"AS{number}"}) for number in range(4)]
    assert [level >= 1 for level in found] == [False, False, False, True]
    assert max(day.use(T0 + 70 * number, {"network": f"AS{number}"}) for number in range(12)) < 1


def test_an_attack_does_not_become_usual_while_it_goes_on() -> None:
    key = Key(many_networks())
    key.live(range(T0, T0 + 600, 10), networks(6))
    assert key.use(T0 + 600, networks(6)) >= 1
    key.live(range(T0 + 610, T0 + 900, 10), networks(3))  # it cools down, and is not over
    assert key.use(T0 + 900, networks(4)) >= 1


def test_a_fleet_that_runs_everywhere_is_usual_after_a_day_and_twice_as_much_is_not() -> None:
    key = Key(many_networks())
    assert key.live(range(T0, T0 + 120), networks(6)) >= 1
    key.live(range(T0 + 120, T0 + 1_800, 10), networks(6))
    assert key.live(range(T0 + 1_800, T0 + 2_400, 10), networks(6)) < 1
    assert key.live(range(T0 + 2_400, T0 + 2_460, 10), networks(11)) < 1
    assert key.live(range(T0 + 2_520, T0 + 2_580, 10), networks(24)) >= 1


def test_the_kinds_of_the_detectors_are_those_that_are_known() -> None:
    assert set(HOME) == set(KINDS)
