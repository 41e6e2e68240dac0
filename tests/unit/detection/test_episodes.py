"""Episodes: what opens, goes on and ends, and when it is stored."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pytest

from auditstream.core.errors import InvariantError
from auditstream.core.finding_ids import UPDATES_APART, finding_id
from auditstream.detection.episodes import Episodes
from auditstream.detection.surroundings import Evidence, Subject
from schemas.codec import encode
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from tests.support.episode_world import START, World, judged

ACME = Subject("acme", "credential=key-1", "USD")


def run(episodes, levels, *, first=START + 1, **more):
    """Return the findings of a minute each of one key's levels; None is a minute without scores."""
    found: list[Finding] = []
    for end, level in enumerate(levels, first):
        found += episodes.step(end, [] if level is None else [judged({0: level}, end, **more)])
    return found


def test_a_level_of_one_opens_an_episode_and_less_does_not():
    episodes = Episodes(World([ACME]))

    assert run(episodes, [0.0, 0.7, 0.999]) == []
    (opened,) = run(episodes, [1.0], first=START + 4)

    assert opened.finding_id == finding_id(
        "acme", "credential=key-1", "spend.surge.metric", "spend.surge", str(START + 3)
    )
    assert (opened.version, opened.status, opened.tier) == (0, FindingStatus.NEW, "warm")
    assert (opened.observed, opened.expected, opened.score) == (10.0, 10.0, 4.0)
    assert opened.window_end.timestamp() == (START + 4) * 60
    assert opened.attacks == ("AML.T0034", "LLM10")


def test_a_finding_is_what_its_topic_takes():
    (opened,) = run(Episodes(World([ACME])), [float("inf")], excess=1 / 3)

    assert encode(opened)
    assert (opened.observed, opened.score) == (None, None)
    assert opened.excess_cost == Decimal("0.333333333333")


def test_levels_between_cool_and_one_keep_it_open_and_it_ends_after_four_hours_of_quiet():
    episodes = Episodes(World([ACME]))

    found = run(episodes, [1.5, *[0.6] * 300, *[0.59] * 239])
    assert [each.status for each in found] == [FindingStatus.NEW]
    assert episodes.open_count == 1

    (closed,) = run(episodes, [0.59], first=START + 541)
    assert (closed.status, closed.version) == (FindingStatus.RESOLVED, UPDATES_APART)
    assert closed.finding_id == found[0].finding_id
    assert closed.suppressed_by == "gate"
    assert episodes.open_count == 0


def test_what_somebody_was_called_for_ends_after_an_hour_and_silence_is_quiet():
    found = run(Episodes(World([ACME])), [1.5, *[None] * 60], excess=50.0)

    assert [each.status for each in found] == [FindingStatus.NEW, FindingStatus.RESOLVED]
    assert [each.suppressed_by for each in found] == [None, None]


def test_an_hour_without_any_bucket_is_quiet_too():
    episodes = Episodes(World([ACME]))
    run(episodes, [1.5], excess=50.0)

    found = run(episodes, [1.5], first=START + 62, excess=50.0)
    other = run(Episodes(World([ACME])), [1.5, *[None] * 59, 1.5], excess=50.0)

    assert [each.status for each in found] == [FindingStatus.RESOLVED, FindingStatus.NEW]
    assert [each.version for each in other] == [0, UPDATES_APART]


def test_a_new_episode_has_an_id_of_its_own():
    found = run(Episodes(World([ACME])), [1.5, *[None] * 60, 1.5], excess=50.0)

    assert [each.version for each in found] == [0, UPDATES_APART, 0]
    assert found[0].finding_id == found[1].finding_id != found[2].finding_id


def test_an_open_episode_is_stored_every_quarter_of_an_hour_and_not_more_often():
    found = run(Episodes(World([ACME])), [1.5] * 46, excess=50.0)

    ends = [round(each.window_end.timestamp() / 60) - START for each in found]
    assert ends == [1, 16, 31, 46]
    assert [each.version for each in found] == [0, UPDATES_APART, 2 * UPDATES_APART, 3 * UPDATES_APART]
    assert [each.suppressed_by for each in found] == [None, "told", "told", "told"]


def test_an_episode_that_only_cools_is_not_stored_again_before_its_end():
    found = run(Episodes(World([ACME])), [1.5, *[0.3] * 59], excess=50.0)

    assert len(found) == 1


def test_a_finding_tells_its_highest_level():
    found = run(Episodes(World([ACME])), [1.5, 9.0, 1.2, *[1.1] * 13], excess=50.0)

    assert [each.observed for each in found] == [15.0, 90.0]


def test_money_of_a_sliding_window_is_counted_once():
    found = run(Episodes(World([ACME])), [1.5] * 16, excess=30.0, excess_minutes=15)

    assert [each.excess_cost for each in found] == [30, 60]


def test_money_of_separate_buckets_is_summed():
    found = run(Episodes(World([ACME])), [1.5] * 16, excess=30.0)

    assert [each.excess_cost for each in found] == [30, 480]


def test_money_in_another_currency_is_not_added_to_an_open_episode():
    world = World([ACME])
    episodes = Episodes(world)
    found = run(episodes, [1.5] * 16, excess=30.0)
    world.subjects = [Subject("acme", "credential=key-1", "EUR")]
    found += run(episodes, [1.5] * 15, first=START + 17, excess=30.0)

    assert [(each.excess_cost, each.currency) for each in found[1:]] == [(480, "USD"), (480, "USD")]


def test_a_severity_that_rises_is_told_at_once():
    found = run(Episodes(World([ACME])), [1.5] * 5, excess=8.0)

    assert [(each.severity, each.suppressed_by) for each in found] == [(1, "gate"), (3, None)]
    assert found[1].excess_cost == 24


def test_a_level_that_lasts_for_a_day_is_taken_for_the_new_one():
    episodes = Episodes(World([ACME]))

    found = run(episodes, [1.5] * (24 * 60 + 1), excess=50.0)
    assert found[-1].status is FindingStatus.RESOLVED
    assert "rebaselined" in found[-1].title
    assert found[-1].suppressed_by is None

    again = run(episodes, [1.5, 2.9], first=START + 24 * 60 + 2)
    assert again == []
    assert not episodes.in_episode("spend.surge", 1)[0]


@pytest.mark.parametrize(
    ("levels", "versions"),
    [
        ([*[0.5] * 59, 1.5, *[None] * 59, 1.5, *[0.6] * 70, 1.5], []),
        ([*[0.5] * 60, 1.5], [0]),
        ([*[None] * 60, 1.5], [0]),
        ([3.0], [0]),
    ],
    ids=["it came back within the hour", "it was cool for an hour", "it was silent", "it has doubled"],
)
def test_an_accepted_level_opens_anew_when_it_was_over_or_grew(levels, versions):
    episodes = Episodes(World([ACME]))
    run(episodes, [1.5] * (24 * 60 + 1), excess=50.0)

    again = run(episodes, levels, first=START + 24 * 60 + 2)

    assert [each.version for each in again] == versions


def test_refusals_never_become_normal_and_somebody_is_called_every_day():
    found = run(Episodes(World([ACME])), [1.5] * (2 * 24 * 60 + 1), slug="guardrail.deny_burst")

    called = [each for each in found if each.suppressed_by is None]
    assert [each.version // UPDATES_APART for each in called] == [0, 96, 192]
    assert {each.status for each in found} == {FindingStatus.NEW}


def test_who_is_in_an_episode_is_known_by_key_and_detector():
    episodes = Episodes(World([ACME, Subject("acme", "credential=key-2", "USD")]))

    episodes.step(START, [judged({1: 1.0}, START)])

    assert episodes.in_episode("spend.surge", 3).tolist() == [False, True, False]
    assert episodes.in_episode("rate.shape", 2).tolist() == [False, False]
    assert episodes.in_episode("spend.surge", 5_000).sum() == 1


def test_contributors_and_sample_events_are_the_largest_and_first():
    world = World([ACME], beneath=Evidence({"a": 0.1, "b": 0.5, "c": 0.2, "d": 0.2}, ("e1", "e2")))

    (opened,) = run(Episodes(world), [1.5])

    assert opened.contributors == {"b": 0.5, "c": 0.2, "d": 0.2}
    assert opened.related_events == ("e1", "e2")


def test_keys_that_go_to_others_end_their_episodes():
    episodes = Episodes(World([ACME]))
    run(episodes, [1.5], excess=50.0)

    (closed,) = episodes.forget(np.array([0, 7], np.int32))

    assert (closed.status, closed.version) == (FindingStatus.RESOLVED, UPDATES_APART)
    assert closed.title.endswith("its key is no longer followed")
    assert episodes.open_count == 0
    assert not episodes.in_episode("spend.surge", 1)[0]


def test_time_that_goes_back_is_refused():
    episodes = Episodes(World([ACME]))
    episodes.step(START, [])

    with pytest.raises(InvariantError, match="comes after"):
        episodes.step(START - 1, [])


def test_state_of_another_version_is_refused():
    episodes = Episodes(World([ACME]))
    state = json.loads(json.dumps(episodes.state())) | {"version": 99}

    with pytest.raises(InvariantError, match="version 99"):
        episodes.restore(state)
