"""What keys are known to use: what is news, for how long, and how much is remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from auditstream.detection.acquaintances import KINDS, MOST, OLD_AFTER, SILENT, Acquaintances

T0 = 29_000_000
DAY = 1_440


def values(known: Acquaintances, minute: int, key: int = 0) -> dict[str, float]:
    """Return what is not zero of a key."""
    found = known.values(np.array([key], np.int32), minute)
    return {name: float(column[0]) for name, column in found.items() if column[0]}


def at_home(minutes: Iterable[int], key: int = 0) -> Acquaintances:
    """Return a key that has used the same things in some minutes."""
    known = Acquaintances()
    for minute in minutes:
        known.see(minute, [(key, "country", "DE"), (key, "tool", "search"), (key, "user_agent", "curl")])
    return known


def test_what_a_key_known_for_a_week_has_never_named_is_news_for_an_hour() -> None:
    known = at_home(range(T0, T0 + SILENT + 1, DAY))
    now = T0 + SILENT
    assert values(known, now) == {"country_1h": 1}
    known.see(now + 1, [(0, "country", "BR"), (0, "country", "DE")])
    assert values(known, now + 1) == {"new_country": 1, "country_1h": 2}
    assert values(known, now + 60) == {"new_country": 1, "country_1h": 2}
    assert values(known, now + 61) == {}


def test_nothing_is_news_of_a_young_key_nor_of_a_kind_that_was_never_told_of() -> None:
    known = at_home([T0])
    known.see(T0 + SILENT - 1, [(0, "country", "BR")])
    assert values(known, T0 + SILENT - 1) == {"country_1h": 1}
    known.see(T0 + SILENT, [(0, "model", "o3"), (1, "country", "BR")])
    assert values(known, T0 + SILENT) == {"country_1h": 1}
    assert values(known, T0 + SILENT, key=1) == {"country_1h": 1}


def test_news_is_told_by_name_with_its_share_of_the_minutes_since() -> None:
    known = at_home([T0])
    now = T0 + SILENT
    known.see(now, [(0, "country", "BR"), (0, "tool", "search")])
    known.see(now + 1, [(0, "country", "BR")])
    assert known.news(0, now + 3) == {"country=BR": 0.5}
    assert known.news(1, now + 3) == {}
    known.see(now + 70, [(0, "tool", "search")])
    assert known.news(0, now + 70) == {}


def test_names_of_a_kind_are_bounded_and_who_names_ever_more_makes_no_news() -> None:
    known = at_home([T0])
    for number in range(200):
        known.see(T0 + SILENT + number, [(0, "country", f"C{number}"), (1, "country", "DE")])
    assert len(known) == MOST + 3  # tool, client, and the other key's country
    now = T0 + SILENT + 200
    known.see(now, [(0, "country", "BR")])
    assert values(known, now)["country_1h"] == MOST
    assert known.news(0, now) == {}


def test_many_names_of_one_minute_are_bounded_too() -> None:
    known = Acquaintances()
    known.see(T0, [(0, "tool", f"t{number}") for number in range(500)])
    assert len(known) == MOST


def test_names_that_were_not_seen_for_a_month_make_room_first() -> None:
    known = Acquaintances()
    known.see(T0, [(0, "tool", f"old{number}") for number in range(MOST)])
    later = T0 + 31 * DAY
    known.see(later, [(0, "tool", "new")])
    assert len(known) == 1


def test_a_key_that_is_forgotten_begins_anew_and_its_neighbours_stay() -> None:
    known = Acquaintances()
    known.see(T0, [(key, kind, "x") for key in (3, 4, 5) for kind in KINDS])
    known.forget([4, 9])
    assert len(known) == 2 * len(KINDS)
    now = T0 + SILENT
    known.see(now, [(4, "tool", "y"), (5, "tool", "y")])
    assert values(known, now, key=4) == {}
    assert values(known, now, key=5) == {"new_tool": 1}


def test_it_goes_on_from_what_was_kept() -> None:
    known, again = at_home([T0]), Acquaintances()
    known.see(T0 + SILENT, [(0, "country", "BR")])
    facts, arrays = known.state()
    again.restore(json.loads(json.dumps(facts)), arrays)
    for each in (known, again):
        each.see(T0 + SILENT + 1, [(0, "country", "DE"), (0, "user_agent", "python")])
    assert again.news(0, T0 + SILENT + 1) == known.news(0, T0 + SILENT + 1)
    assert again.news(0, T0 + SILENT + 1).keys() == {"country=BR", "user_agent=python"}
    assert all(
        np.array_equal(one, other)
        for one, other in zip(known.state()[1].values(), again.state()[1].values(), strict=True)
    )


def calling(minutes: int = OLD_AFTER) -> Acquaintances:
    """Return a key that has called one model in so many minutes."""
    known = Acquaintances()
    for minute in range(minutes):
        assert known.see(T0 + minute, [(3, "model", "small")]) == []
    return known


def test_a_model_unlike_all_that_a_key_called_for_an_hour_is_a_stray_once() -> None:
    known, now = calling(), T0 + OLD_AFTER
    assert known.see(now, [(3, "model", "small"), (3, "model", "large")]) == [3]
    assert known.see(now + 1, [(3, "model", "large")]) == []


def test_young_keys_and_tools_do_not_stray() -> None:
    assert calling(OLD_AFTER - 1).see(T0 + OLD_AFTER, [(3, "model", "large")]) == []
    known = calling()
    assert known.see(T0 + OLD_AFTER, [(4, "model", "large"), (3, "tool", "search")]) == []


def test_many_models_at_once_are_no_hour_of_one() -> None:
    known = Acquaintances()
    known.see(T0, [(3, "model", f"model-{number}") for number in range(MOST - 1)])
    assert known.see(T0 + 1, [(3, "model", "large")]) == []


def test_who_calls_any_model_strays_no_more() -> None:
    known, now = calling(), T0 + OLD_AFTER
    strays = [known.see(now + number, [(3, "model", f"model-{number}")]) for number in range(100)]
    assert strays == [[3]] * (MOST - 1) + [[]] * (100 - MOST + 1)


def test_strays_are_the_same_where_another_took_over() -> None:
    names, arrays = calling().state()
    again = Acquaintances()
    again.restore(json.loads(json.dumps(names)), arrays)
    assert again.see(T0 + OLD_AFTER, [(3, "model", "large")]) == [3]
