"""Whom findings call, how grave they are, and what belongs together."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from auditstream.core.finding_ids import UPDATES_APART
from auditstream.core.tenants import UNATTRIBUTED
from auditstream.detection.episodes import Episodes
from auditstream.detection.money_gate import Stakes, money_severity
from auditstream.detection.rate_cap import RateCap
from auditstream.detection.severities import Severity
from auditstream.detection.suppression import WEEK, Extent, Mute, Suppression, WeeklyWindow
from auditstream.detection.surroundings import Subject
from schemas.records.vocabulary import FindingStatus
from tests.support.episode_world import START, World, judged

KEYS = [Subject("acme", f"credential=key-{number}", "USD") for number in range(40)]
DENIES, FAMILY = "guardrail.deny_burst", "refusals"


def called(findings):
    """Return the findings that call somebody."""
    return [each for each in findings if each.suppressed_by is None]


@pytest.mark.parametrize(
    ("excess", "minutes", "severity"),
    [
        ("0", 60, Severity.INFORMATIONAL),
        ("19.99", 60, Severity.INFORMATIONAL),
        ("20", 24 * 60, Severity.MEDIUM),
        ("99.99", 24 * 60, Severity.MEDIUM),
        ("100", 24 * 60, Severity.HIGH),
        ("299.99", 24 * 60, Severity.HIGH),
        ("300", 24 * 60, Severity.CRITICAL),
        ("20", 5, Severity.CRITICAL),  # an hour of it: $480 a day
    ],
)
def test_money_is_grave_by_what_it_comes_to_in_a_day(excess, minutes, severity):
    assert money_severity(Decimal(excess), minutes, Stakes(daily_budget=Decimal(100))) is severity


@pytest.mark.parametrize(
    ("stakes", "least"),
    [
        (Stakes(), 20),
        (Stakes(median_daily_spend=Decimal(99)), 20),
        (Stakes(median_daily_spend=Decimal(1_000)), 200),
        (Stakes(median_daily_spend=Decimal(1_000), gate=Decimal(5)), 5),
        (Stakes(gate=Decimal(0)), 0),
    ],
)
def test_the_gate_is_twenty_or_a_fifth_of_a_median_day_unless_the_tenant_says(stakes, least):
    assert stakes.least_excess == least


def test_without_a_budget_a_median_day_stands_for_it():
    assert money_severity(Decimal(300), 24 * 60, Stakes(Decimal(100))) is Severity.CRITICAL
    assert money_severity(Decimal(300), 24 * 60, Stakes()) is Severity.MEDIUM


def test_two_families_that_agree_are_high_and_one_detector_is_not():
    episodes = Episodes(World([Subject("acme", "model=m")]))
    (first,) = episodes.step(START, [judged({0: 1.0}, START, slug="rate.shape", family="rate")])
    same = episodes.step(START + 1, [judged({0: 1.0}, START + 1, slug="rate.other", family="rate")])
    other = episodes.step(START + 2, [judged({0: 1.0}, START + 2, slug="latency.drift", family="latency")])

    assert [(each.severity, each.suppressed_by) for each in (first, *same)] == [(1, "gate"), (1, "gate")]
    assert sorted((each.rule_id, each.severity, each.suppressed_by) for each in other) == [
        ("latency.drift", 4, None),
        ("rate.other", 4, None),
        ("rate.shape", 4, None),
    ]
    assert {each.confidence for each in other} == {85}


def test_what_a_tenant_states_comes_before_what_is_learnt():
    world = World(KEYS, Stakes(median_daily_spend=Decimal(10_000)))
    (quiet,) = Episodes(world).step(START, [judged({0: 1.5}, START, excess=50.0)])
    episodes = Episodes(world)
    episodes.stated = {("acme", "USD"): Stakes(gate=Decimal(5))}
    (called_for,) = episodes.step(START, [judged({0: 1.5}, START, excess=50.0)])
    episodes.stated = {("acme", "USD"): Stakes(gate=Decimal(5), daily_budget=Decimal(1_000))}
    (graver,) = episodes.step(START + 1, [])

    assert [each.severity for each in (quiet, called_for, graver)] == [1, 3, 4]


def test_a_short_episode_is_taken_to_last_an_hour():
    assert money_severity(Decimal(20), 5, Stakes(daily_budget=Decimal(481))) is Severity.MEDIUM
    assert money_severity(Decimal(20), 5, Stakes(daily_budget=Decimal(480))) is Severity.HIGH


def test_money_of_one_makes_the_agreement_of_the_other_count_at_once():
    both = [
        judged({0: 2.0}, START, excess=0.05),
        judged({0: 2.0}, START, slug="cost.unit_drift", family="unit", excess=30.0),
    ]

    found = Episodes(World(KEYS)).step(START, both)

    assert [(each.severity, each.suppressed_by) for each in found] == [(4, None), (4, None)]


def test_two_families_that_agree_about_small_change_call_nobody():
    episodes = Episodes(World(KEYS))
    both = [
        judged({0: 2.0}, START, excess=0.05),
        judged({0: 2.0}, START, slug="cost.unit_drift", family="unit", excess=0.05),
    ]

    assert called(episodes.step(START, both)) == []


@pytest.mark.parametrize(("apart", "severity"), [(0, 5), (59, 5), (61, 2)])
def test_a_surge_with_refusals_on_the_same_key_within_an_hour_is_a_stolen_key(apart, severity):
    episodes = Episodes(World(KEYS))
    refusals = episodes.step(START, [judged({0: 1.0}, START, slug=DENIES, family=FAMILY)])
    for end in range(START + 1, START + apart):
        episodes.step(end, [])
    later = START + apart
    found = episodes.step(later, [judged({0: 1.0}, later, excess=0.01)])

    assert [each.severity for each in refusals] == [3]
    (surge,) = [each for each in found if each.rule_id == "spend.surge"]
    assert (surge.severity == 5) is (severity == 5)
    assert (surge.suppressed_by is None) is (severity == 5)


def test_a_surge_on_another_key_is_no_stolen_key():
    episodes = Episodes(World(KEYS))
    episodes.step(START, [judged({0: 1.0}, START, slug=DENIES, family=FAMILY)])

    (surge,) = episodes.step(START + 1, [judged({1: 1.0}, START + 1)])

    assert surge.severity == 1


@pytest.mark.parametrize(("later", "severity"), [(60, 5), (61, 1)])
def test_what_others_saw_of_a_key_counts_for_an_hour(later, severity):
    episodes = Episodes(World(KEYS))
    episodes.note("acme", "credential=key-0", "entity.first_seen", START)

    (surge,) = episodes.step(START + later, [judged({0: 1.0}, START + later)])

    assert surge.severity == severity


def test_three_keys_of_a_tenant_within_five_minutes_are_one_incident():
    episodes = Episodes(World(KEYS))
    found = episodes.step(START, [judged({0: 1.0, 1: 1.0}, START, excess=30.0)])
    assert len(called(found)) == 2

    found = episodes.step(START + 4, [judged({0: 1.0, 1: 1.0, 2: 1.0}, START + 4, excess=30.0)])

    (parent,) = called(found)
    assert (parent.tenant_id, parent.scope, parent.rule_id) == ("acme", "", "spend.surge")
    assert (parent.metric, parent.observed, parent.excess_cost) == ("keys", 3.0, 150)
    assert parent.contributors == {
        "credential=key-0": 0.4,
        "credential=key-1": 0.4,
        "credential=key-2": 0.2,
    }
    (child,) = [each for each in found if each.scope == "credential=key-2"]
    assert child.suppressed_by == f"parent:{parent.finding_id}"
    assert child.status is FindingStatus.SUPPRESSED


@pytest.mark.parametrize("at", [0, 2], ids=["with its keys", "later"])
def test_the_tenant_as_a_whole_is_a_child_of_the_incident_of_its_keys_and_no_key(at):
    episodes = Episodes(World([*KEYS[:3], Subject("acme", "", "USD")]))
    found = []
    for minute in range(4):
        firing = range(4) if minute >= at else range(3)
        scores = judged(dict.fromkeys(firing, 1.0), START + minute, excess=30.0)
        found += episodes.step(START + minute, [scores])

    [parent_id] = {each.finding_id for each in called(found)}
    parent = [each for each in found if each.finding_id == parent_id][-1]
    assert (parent.metric, parent.observed, set(parent.contributors)) == (
        "keys",
        3.0,
        {"credential=key-0", "credential=key-1", "credential=key-2"},
    )
    [whole] = {each.suppressed_by for each in found if not each.scope and each.finding_id != parent_id}
    assert whole == f"parent:{parent_id}"


def test_the_tenant_as_a_whole_and_two_keys_are_no_incident():
    episodes = Episodes(World([*KEYS[:2], Subject("acme", "", "USD")]))
    found = episodes.step(START, [judged(dict.fromkeys(range(3), 1.0), START, excess=30.0)])
    assert {each.metric for each in found} == {"spend.surge.metric"}


def test_keys_that_open_later_join_the_incident_and_it_ends_with_the_last():
    episodes = Episodes(World(KEYS))
    episodes.step(START, [judged(dict.fromkeys(range(3), 1.0), START, excess=30.0)])

    joined = episodes.step(START + 30, [judged({3: 1.0}, START + 30, excess=30.0)])
    ended = [each for end in range(START + 31, START + 91) for each in episodes.step(end, [])]

    assert called(joined) == []
    assert {each.suppressed_by for each in joined if each.scope} == {
        f"parent:{each.finding_id}" for each in joined if not each.scope
    }
    (parent,) = called(ended)
    assert (parent.scope, parent.status, parent.observed) == ("", FindingStatus.RESOLVED, 4.0)
    assert {each.status for each in ended if each.scope} == {FindingStatus.RESOLVED}
    assert episodes.open_count == 0


def test_metrics_of_one_detector_are_episodes_of_their_own_and_one_key_of_an_incident():
    episodes = Episodes(World(KEYS))

    def said(end, keys, metric):
        one = judged(dict.fromkeys(keys, 1.0), end, slug="rate.shape", family="shape")
        return replace(one, metric=metric)

    first = episodes.step(START, [said(START, [0, 1], "events"), said(START, [0, 1], "latency")])
    second = episodes.step(START + 1, [said(START + 1, [2], "latency")])

    assert sorted((each.metric, each.scope) for each in first) == [
        (metric, f"credential=key-{key}") for metric in ("events", "latency") for key in (0, 1)
    ]
    assert {each.confidence for each in first} == {75}  # one family
    (parent,) = [each for each in second if not each.scope]
    assert (parent.metric, parent.observed) == ("keys", 3.0)
    assert episodes.in_episode("rate.shape", 4, "events").tolist() == [True, True, False, False]
    assert episodes.in_episode("rate.shape", 4).tolist() == [True, True, True, False]


def test_keys_that_open_over_more_than_five_minutes_are_no_incident():
    episodes = Episodes(World(KEYS))

    found = [
        each
        for number in range(3)
        for each in episodes.step(START + 3 * number, [judged({number: 1.0}, START + 3 * number)])
    ]

    assert [each.scope for each in found] == [f"credential=key-{number}" for number in range(3)]


def test_money_that_several_kinds_of_scopes_see_is_counted_once():
    scopes = ("credential=key-0", "model=m", "agent=a")
    episodes = Episodes(World([Subject("acme", each, "USD") for each in scopes]))

    (parent,) = called(episodes.step(START, [judged(dict.fromkeys(range(3), 1.0), START, excess=30.0)]))

    assert parent.excess_cost == 30


def test_a_graver_child_makes_its_incident_graver():
    episodes = Episodes(World(KEYS))
    episodes.step(START, [judged(dict.fromkeys(range(3), 1.0), START, excess=30.0)])

    found = episodes.step(START + 1, [judged({1: 1.0}, START + 1, slug=DENIES, family=FAMILY)])

    assert (5, "") in {(each.severity, each.scope) for each in called(found)}


@pytest.mark.parametrize(("tenants", "firing", "is_one"), [(10, 3, True), (11, 3, False), (4, 2, False)])
def test_three_tenths_of_the_tenants_of_a_model_are_an_incident_of_its_provider(tenants, firing, is_one):
    subjects = [Subject(f"tenant-{number:02}", "model=m") for number in range(tenants)]
    episodes = Episodes(World(subjects))

    found = episodes.step(START, [judged(dict.fromkeys(range(firing), 1.0), START, slug="rate.shape")])

    parents = [each for each in found if each.tenant_id == UNATTRIBUTED]
    assert len(parents) == is_one
    if is_one:
        assert (parents[0].scope, parents[0].metric, parents[0].severity) == ("model=m", "tenants", 3)
        assert set(parents[0].contributors) == {"tenant-00", "tenant-01", "tenant-02"}
        assert called(found) == parents


def test_a_mute_calls_nobody_stores_why_and_ends():
    mute = Mute("m-1", Extent(tenant_id="acme", rule_id="spend.surge"), START, START + 20)
    episodes = Episodes(World(KEYS), Suppression(mutes=[mute]))
    found = [
        each
        for end in range(START + 1, START + 22)
        for each in episodes.step(end, [judged({0: 1.5}, end, excess=30.0)])
    ]

    reasons = [(each.version // UPDATES_APART, each.suppressed_by, each.status) for each in found]
    assert reasons == [
        (0, "mute:m-1", FindingStatus.SUPPRESSED),
        (1, "mute:m-1", FindingStatus.SUPPRESSED),
        (2, None, FindingStatus.NEW),
    ]


@pytest.mark.parametrize(
    ("extent", "covers"),
    [
        (Extent(), True),
        (Extent(tenant_id="acme"), True),
        (Extent(tenant_id="other"), False),
        (Extent(rule_id="rate.shape"), False),
        (Extent(scope="credential=key-0"), True),
        (Extent(scope="credential=key"), False),
    ],
)
def test_a_mute_covers_what_it_names(extent, covers):
    assert extent.covers("acme", "spend.surge", "credential=key-0") is covers


def test_a_weekly_window_holds_at_its_minutes_of_the_week_and_over_the_weeks_end():
    monday = 1_704_067_200 // 60  # 2024-01-01, a Monday, 00:00 UTC
    night = WeeklyWindow("batch", Extent(), first=WEEK - 30, length=60)

    held = [minute for minute in range(monday, monday + WEEK) if night.holds(minute)]

    assert held == [*range(monday, monday + 30), *range(monday + WEEK - 30, monday + WEEK)]


def test_a_window_that_was_withdrawn_suppresses_nothing():
    window = WeeklyWindow("batch", Extent(), first=0, length=WEEK, start=START, end=START + 5)

    assert [window.holds(START + each) for each in (-1, 0, 4, 5)] == [False, True, True, False]


def test_ten_calls_an_hour_and_tenant_and_then_a_digest():
    keys = [*KEYS, Subject("other", "credential=key-1", "USD")]
    # Far enough apart to be no incident.
    episodes, found = Episodes(World(keys)), []
    for number in range(14):
        end = START + 3 * number
        found += episodes.step(end, [judged({number: 1.5}, end, excess=30.0)])
    others = episodes.step(START + 40, [judged({40: 1.5}, START + 40, excess=30.0)])

    assert len(called(found)) == 10
    assert [each.suppressed_by for each in found if each.suppressed_by] == ["rate-cap"] * 4
    assert len(called(others)) == 1

    later = []
    for end in range(START + 41, START + 92):
        later += episodes.step(end, [judged(dict.fromkeys(range(14), 0.8), end)])
    # They stay with the digest though there is room for calls again.
    assert [(each.rule_id, each.observed) for each in called(later)] == [("findings.digest", 4.0)]


def test_what_the_cap_held_back_for_an_hour_is_in_one_digest():
    episodes, found = Episodes(World(KEYS)), []
    for number in range(12):
        end = START + 3 * number
        found += episodes.step(end, [judged({number: 1.5}, end, excess=30.0)])
    assert len(called(found)) == 10

    for end in range(START + 34, START + 100):
        found += episodes.step(end, [])

    (digest,) = [each for each in found if each.rule_id == "findings.digest"]
    assert digest.suppressed_by is None
    assert digest.title == "2 findings of acme that nobody was called for within the hour: 2 spend.surge"
    assert (digest.observed, digest.severity, digest.contributors) == (2.0, 3, {"spend.surge": 1.0})
    ends = {each.scope: each.suppressed_by for each in found if each.status is FindingStatus.RESOLVED}
    assert ends == {each.scope: None for each in KEYS[:12]} | {"credential=key-10": "rate-cap"}


def test_many_lesser_findings_do_not_hide_a_critical_one():
    episodes = Episodes(World(KEYS))
    for number in range(12):
        end = START + 3 * number
        episodes.step(end, [judged({number: 1.5}, end, excess=30.0)])
    end = START + 40
    episodes.note("acme", "credential=key-20", "entity.first_seen", end)

    (critical,) = called(episodes.step(end, [judged({20: 1.5}, end)]))

    assert (critical.severity, critical.scope) == (5, "credential=key-20")


def test_the_hour_of_the_cap_is_sixty_minutes():
    cap = RateCap()
    for _ in range(10):
        assert cap.admits("acme", START)

    assert not cap.admits("acme", START + 59)
    assert cap.admits("acme", START + 60)


def test_a_snapshot_has_all_that_is_remembered():
    """A busy day with a snapshot after each step: calls, a digest, an accepted level, a mark, an incident."""

    def day(*, snapshots: bool):
        episodes, found = Episodes(World(KEYS)), []

        def step(end, *said):
            nonlocal episodes
            found.append(episodes.step(end, list(said)))
            if snapshots:
                left = json.dumps(episodes.state())
                episodes = Episodes(World(KEYS))
                episodes.restore(json.loads(left))

        step(START, judged({39: 1.5}, START, excess=50.0))
        for end in range(START + 10, START + 24 * 60 + 10, 10):
            step(end, judged({39: 1.5}, end, minutes=10))
        noon = START + 24 * 60 + 10
        step(noon, judged({39: 1.5}, noon))  # the accepted level opens nothing
        for number in range(13):
            end = noon + 3 * number
            step(end, judged({number: 1.5}, end, excess=30.0))
        for end in range(noon + 37, noon + 110):
            step(end)
        episodes.note("acme", "credential=key-20", "entity.first_seen", noon + 110)
        step(noon + 110)
        step(noon + 111, judged(dict.fromkeys(range(20, 24), 1.5), noon + 111))
        for end in range(noon + 112, noon + 200):
            step(end)
        return found

    plain = day(snapshots=False)
    findings = [each for step in plain for each in step]
    assert any("rebaselined" in each.title for each in findings)
    assert {"findings.digest"} < {each.rule_id for each in findings}
    assert {"keys"} < {each.metric for each in findings}
    assert {5} < {each.severity for each in findings}
    assert day(snapshots=True) == plain
