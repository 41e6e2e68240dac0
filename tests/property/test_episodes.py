"""Whatever detectors say, and wherever a process ends: the same findings, none of them lost."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.finding_ids import UPDATES_APART
from auditstream.detection.detector import COOL
from auditstream.detection.episodes import Episodes
from auditstream.detection.money_gate import Stakes
from auditstream.detection.open_episodes import QUIET
from auditstream.detection.rate_cap import HOUR, MOST
from auditstream.detection.suppression import Extent, Mute, Suppression, WeeklyWindow
from auditstream.detection.surroundings import Subject
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from tests.support.episode_world import START, World, judged
from tests.support.examples import examples

SUBJECTS = [
    Subject(f"tenant-{number % 4}", scope, "USD")
    for number, scope in enumerate(["model=m"] * 4 + [f"credential=key-{each}" for each in range(8)])
]
SLUGS = (("spend.surge", "money"), ("rate.shape", "rate"), ("guardrail.deny_burst", "refusals"))
SAME = [(number, number + 4) for number in range(4)]
"""Of each tenant its model and one of its credentials are the same traffic."""
LEVELS = st.sampled_from([0.0, 0.59, COOL, 0.99, 1.0, 1.5, 4.0])
KEYED = st.dictionaries(st.integers(0, len(SUBJECTS) - 1), LEVELS, max_size=6)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 5, 61, 241, 1_441]),  # minutes since the step before
        st.dictionaries(st.integers(0, len(SLUGS) - 1), KEYED, max_size=3),
        st.sampled_from([0.0, 0.05, 7.0, 400.0]),
    ),
    max_size=25,
)
STAKES = Stakes(gate=Decimal(20), daily_budget=Decimal(1_000))
MUTES = Suppression(
    mutes=[Mute("m", Extent(tenant_id="tenant-1"), START + 10, START + 100)],
    windows=[WeeklyWindow("w", Extent(rule_id="rate.shape"), first=0, length=4_000)],
)


def new_episodes() -> Episodes:
    return Episodes(World(SUBJECTS, STAKES, same=SAME), MUTES)


def run(episodes: Episodes, steps, *, began: int = START) -> list[list[Finding]]:
    """Return the findings of each step."""
    found, end = [], began
    for minutes, levels, excess in steps:
        end += minutes
        said = [
            judged(keyed, end, slug=SLUGS[which][0], family=SLUGS[which][1], excess=excess)
            for which, keyed in sorted(levels.items())
        ]
        found.append(episodes.step(end, said))
    return found


def over_snapshots(steps, cuts: set[int]) -> list[list[Finding]]:
    """Return the same from processes that end at cuts, each of which reads what the one before left."""
    episodes, found, end = new_episodes(), [], START
    for number, step in enumerate(steps):
        if number in cuts:
            left = json.dumps(episodes.state())
            episodes = new_episodes()
            episodes.restore(json.loads(left))
        found += run(episodes, [step], began=end)
        end += step[0]
    return found


@settings(max_examples=examples(80), deadline=None)
@given(STEPS, st.sets(st.integers(0, 24)))
def test_a_process_that_goes_on_from_a_snapshot_finds_the_same(steps, cuts):
    assert over_snapshots(steps, cuts) == run(new_episodes(), steps)


@settings(max_examples=examples(80), deadline=None)
@given(STEPS)
def test_versions_rise_and_every_episode_has_its_first_and_its_last(steps):
    episodes = new_episodes()
    end = START + sum(minutes for minutes, _, _ in steps)
    found = [each for step in run(episodes, steps) for each in step]
    for later in range(1, 6):  # quiet until all are over, their parents too
        found += episodes.step(end + 300 * later, [])

    assert episodes.open_count == 0
    by_id: dict[str, list[Finding]] = {}
    for each in found:
        by_id.setdefault(each.finding_id, []).append(each)
    for versions in by_id.values():
        assert [each.version for each in versions] == [UPDATES_APART * n for n in range(len(versions))]
        severities = [each.severity for each in versions]
        assert severities == sorted(severities)
        is_digest = versions[0].rule_id == "findings.digest"
        ends = [each.status is FindingStatus.RESOLVED for each in versions]
        assert ends == [False] * (len(versions) - (not is_digest)) + [True] * (not is_digest)


@settings(max_examples=examples(80), deadline=None)
@given(STEPS)
def test_a_level_that_fires_is_in_a_finding_of_its_key_whatever_suppresses_it(steps):
    episodes, end = new_episodes(), START
    open_ones: set[tuple[str, str, str]] = set()
    for minutes, levels, excess in steps:
        (found,) = run(episodes, [(minutes, levels, excess)], began=end)
        end += minutes
        for each in found:
            about = each.tenant_id, each.scope, each.rule_id
            if each.status is FindingStatus.RESOLVED and "rebaselined" not in each.title:
                open_ones.discard(about)
            else:
                open_ones.add(about)  # an accepted level stays as good as found
        for which, keyed in levels.items():
            for key, level in keyed.items():
                if level >= 1:
                    subject = SUBJECTS[key]
                    assert (subject.tenant_id, subject.scope, SLUGS[which][0]) in open_ones


@settings(max_examples=examples(80), deadline=None)
@given(STEPS)
def test_no_tenant_is_called_more_often_than_the_cap_allows(steps):
    episodes, calls, end = new_episodes(), [], START
    for step in steps:
        end += step[0]
        for each in run(episodes, [step], began=end - step[0])[0]:
            is_call = each.suppressed_by is None and each.status is not FindingStatus.RESOLVED
            if is_call and each.rule_id != "findings.digest":
                calls.append((each.tenant_id, end))

    for tenant, at in calls:
        within = Counter(minute for whom, minute in calls if whom == tenant and at - HOUR < minute <= at)
        assert within.total() <= 2 * MOST  # critical ones have a count of their own


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.59, COOL, 0.99]), max_size=QUIET - 1), st.sampled_from([1.0, 2.0]))
def test_levels_that_come_and_go_within_the_hour_are_one_episode(between, level):
    levels = [1.0, *between, level]
    steps = [(1, {0: {4: each}}, 400.0) for each in levels]

    found = [each for step in run(new_episodes(), steps) for each in step]

    assert len({each.finding_id for each in found}) == 1


@settings(max_examples=examples(40), deadline=None)
@given(STEPS, st.permutations(range(len(SUBJECTS))))
def test_the_numbers_of_keys_mean_nothing(steps, order):
    """A partition that another process takes over may number its keys anew."""
    same = [[order.index(key) for key in each] for each in SAME]
    world = World([SUBJECTS[each] for each in order], STAKES, same=same)
    renumbered = [
        (
            minutes,
            {
                which: {order.index(key): level for key, level in keyed.items()}
                for which, keyed in levels.items()
            },
            excess,
        )
        for minutes, levels, excess in steps
    ]

    assert run(Episodes(world, MUTES), renumbered) == run(new_episodes(), steps)
