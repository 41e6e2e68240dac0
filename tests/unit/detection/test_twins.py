"""A part and a whole that are the same traffic are told once, and no graver than the graver of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from auditstream.core.tenants import UNATTRIBUTED
from auditstream.detection.episodes import Episodes, Judged
from auditstream.detection.surroundings import Subject
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from tests.support.episode_world import START, World, judged

SCOPES = ("", "project=p", "credential=c", "credential=other", "agent=a", "model=m")
WHOLE, PROJECT, CREDENTIAL, OTHER, AGENT, MODEL = range(6)
ONE_SERVICE = (WHOLE, PROJECT, CREDENTIAL, AGENT, MODEL)


def world(*same: Sequence[int]) -> World:
    return World([Subject("acme", each, "USD") for each in SCOPES], same=same)


def wave(end: int, *keys: int, excess: float = 0.0, level: float = 1.5) -> Judged:
    return judged(dict.fromkeys(keys, level), end, slug="rate.shape", family="shape", excess=excess)


def told(findings: Sequence[Finding]) -> dict[str, str | None]:
    """Return why nobody is called by scope, for findings that are not children of another one."""
    return {
        each.scope: each.suppressed_by
        for each in findings
        if not (each.suppressed_by or "").startswith("parent:")
    }


def test_one_wave_of_a_service_is_one_finding_about_what_is_narrowest() -> None:
    found = Episodes(world(ONE_SERVICE)).step(START, [wave(START, *ONE_SERVICE)])

    assert told(found) == {"credential=c": "gate"}
    [head] = [each for each in found if each.scope == "credential=c"]
    others = [each for each in found if each is not head]
    assert {each.scope for each in others} == {"", "project=p", "agent=a", "model=m"}
    assert {each.suppressed_by for each in others} == {f"parent:{head.finding_id}"}
    assert {each.status for each in others} == {FindingStatus.SUPPRESSED}
    assert {each.severity for each in found} == {1}


def test_other_traffic_at_the_same_minute_is_a_finding_of_its_own() -> None:
    found = Episodes(world((PROJECT, CREDENTIAL))).step(START, [wave(START, PROJECT, CREDENTIAL, OTHER)])

    assert told(found) == {"credential=c": "gate", "credential=other": "gate"}


def test_three_keys_of_one_service_are_no_incident_and_three_services_are() -> None:
    subjects = [
        Subject("acme", f"{kind}={number}") for number in range(3) for kind in ("credential", "project")
    ]
    same = [(0, 1), (2, 3), (4, 5)]
    two = Episodes(World(subjects, same=same)).step(START, [wave(START, 0, 1, 2, 3)])
    three = Episodes(World(subjects, same=same)).step(START, [wave(START, *range(6))])

    assert told(two) == {"credential=0": "gate", "credential=1": "gate"}
    assert told(three) == {"": None}
    [parent] = [each for each in three if not each.scope]
    assert (parent.metric, parent.observed) == ("keys", 3.0)
    assert set(parent.contributors) == {"credential=0", "credential=1", "credential=2"}


def test_what_opens_later_is_told_under_what_is_open() -> None:
    episodes = Episodes(world(ONE_SERVICE))
    first = episodes.step(START, [wave(START, PROJECT)])
    later = episodes.step(START + 7, [wave(START + 7, CREDENTIAL, WHOLE)])

    assert told(first) == {"project=p": "gate"}
    assert {each.scope: each.suppressed_by for each in later} == dict.fromkeys(
        ("credential=c", ""), f"parent:{first[0].finding_id}"
    )


def test_metrics_and_rules_are_told_apart() -> None:
    latency = replace(wave(START, CREDENTIAL), metric="latency")
    errors = judged({CREDENTIAL: 1.0}, START, slug="error.burst", family="shape")

    found = Episodes(world(ONE_SERVICE)).step(START, [wave(START, PROJECT), latency, errors])

    assert sorted((each.rule_id, each.suppressed_by) for each in found) == [
        ("error.burst", "gate"),
        ("rate.shape", "gate"),
        ("rate.shape", "gate"),
    ]


def rate(end: int, *keys: int) -> Judged:
    return replace(wave(end, *keys), metric="events")


def spend(end: int, *keys: int, excess: float = 0.1) -> Judged:
    surge = judged(dict.fromkeys(keys, 1.5), end, slug="spend.surge", family="spend", excess=excess)
    return replace(surge, metric="spend")


def test_who_does_more_spends_more_and_that_is_one_finding_of_which_the_first_is_told() -> None:
    episodes = Episodes(world(ONE_SERVICE))
    first = episodes.step(START, [rate(START, CREDENTIAL)])
    later = episodes.step(START + 3, [spend(START + 3, CREDENTIAL, MODEL)])
    together = Episodes(world()).step(START, [rate(START, CREDENTIAL), spend(START, CREDENTIAL)])

    assert told(first) == {"credential=c": "gate"}
    assert told(later) == {}
    assert {each.suppressed_by for each in later} == {f"parent:{first[0].finding_id}"}
    assert [each.rule_id for each in together if each.suppressed_by == "gate"] == ["spend.surge"]


def test_money_of_a_wave_that_is_worth_a_call_calls_for_the_wave() -> None:
    episodes = Episodes(world())
    episodes.step(START, [rate(START, CREDENTIAL)])
    found = episodes.step(START + 3, [spend(START + 3, CREDENTIAL, excess=30.0)])

    [called] = [each for each in found if each.suppressed_by is None]
    assert (called.rule_id, called.scope) == ("rate.shape", "credential=c")
    assert called.severity >= 3


def test_money_without_a_wave_or_long_after_it_or_of_another_key_is_a_finding_of_its_own() -> None:
    late = Episodes(world())
    late.step(START, [rate(START, CREDENTIAL)])
    found = late.step(START + 16, [spend(START + 16, CREDENTIAL)])
    other = Episodes(world()).step(START, [rate(START, CREDENTIAL), spend(START, OTHER)])
    latency = replace(wave(START, CREDENTIAL), metric="latency_us_per_token")
    slow = Episodes(world()).step(START, [latency, spend(START, CREDENTIAL)])

    assert told(found) == {"credential=c": "gate"}
    assert told(other) == {"credential=c": "gate", "credential=other": "gate"}
    assert [each.suppressed_by for each in slow] == ["gate", "gate"]


def refusals(end: int, key: int, metric: str) -> Judged:
    return replace(judged({key: 1.0}, end, slug="guardrail.deny_burst", family="burst"), metric=metric)


def test_what_hours_say_of_a_storm_is_told_under_what_minutes_said_and_a_storm_is_always_told() -> None:
    minutes, hours = "blocked_share", "blocked_share_6h"
    storm = Episodes(world(ONE_SERVICE))
    first = storm.step(START, [refusals(START, PROJECT, minutes)])
    later = storm.step(
        START + 9, [refusals(START + 9, CREDENTIAL, hours), refusals(START + 9, PROJECT, hours)]
    )
    together = Episodes(world()).step(START, [refusals(START, PROJECT, each) for each in (hours, minutes)])
    going_on = Episodes(world(ONE_SERVICE))
    slow = going_on.step(START, [refusals(START, PROJECT, hours)])
    on_top = going_on.step(START + 9, [refusals(START + 9, PROJECT, minutes)])

    assert told(first) == {"project=p": None}
    assert told(later) == {}
    assert {each.metric for each in together if each.suppressed_by is None} == {minutes}
    assert told(slow) == {"project=p": None}
    assert told(on_top) == {"project=p": None}


def test_somebody_is_called_once_for_money_that_two_see_and_it_is_not_counted_twice() -> None:
    found = Episodes(world(ONE_SERVICE)).step(START, [wave(START, PROJECT, CREDENTIAL, excess=30.0)])

    [called] = [each for each in found if each.suppressed_by is None]
    assert (called.scope, called.severity, called.excess_cost) == ("credential=c", 3, Decimal(30))


def test_what_makes_a_twin_graver_calls_for_the_one_that_stands_for_it() -> None:
    episodes = Episodes(world(ONE_SERVICE))
    episodes.step(START, [wave(START, PROJECT)])
    episodes.step(START + 1, [wave(START + 1, CREDENTIAL)])

    drift = judged({CREDENTIAL: 1.0}, START + 2, slug="latency.drift", family="latency")
    found = episodes.step(START + 2, [drift])

    assert {(each.scope, each.rule_id, each.severity) for each in found if each.suppressed_by is None} == {
        ("project=p", "rate.shape", 4),
        ("credential=c", "latency.drift", 4),
    }


def test_a_twin_that_goes_on_stands_for_the_rest_and_nobody_is_called_again() -> None:
    episodes = Episodes(world(ONE_SERVICE))
    [called] = [
        each
        for each in episodes.step(START, [wave(START, *ONE_SERVICE, excess=30.0)])
        if each.suppressed_by is None
    ]
    going_on = [
        each
        for end in range(START + 1, START + 90)
        for each in episodes.step(end, [wave(end, PROJECT, WHOLE)])
    ]
    ended = [each for end in range(START + 90, START + 400) for each in episodes.step(end, [])]

    [end_of_first] = [
        each for each in going_on if each.finding_id == called.finding_id and "over" in each.title
    ]
    assert end_of_first.suppressed_by is None
    assert told([each for each in going_on if each.scope == "project=p"]) == {"project=p": "told"}
    assert told([each for each in going_on if each.scope == ""]) == {}
    assert {each.scope for each in ended if each.suppressed_by is None} == {"project=p"}
    assert episodes.open_count == 0


def test_a_model_that_is_a_twin_within_its_tenant_is_still_one_of_its_providers_incident() -> None:
    subjects = [
        Subject(f"tenant-{number}", scope) for number in range(3) for scope in ("credential=c", "model=m")
    ]
    episodes = Episodes(World(subjects, same=[(0, 1), (2, 3), (4, 5)]))
    first = episodes.step(START, [wave(START, 0, 1)])
    found = episodes.step(START + 2, [wave(START + 2, *range(6))])

    assert told(first) == {"credential=c": "gate"}
    [provider] = [each for each in found if each.tenant_id == UNATTRIBUTED]
    assert (provider.scope, provider.observed) == ("model=m", 3.0)
    models = {each.suppressed_by for each in found if each.scope == "model=m" and each is not provider}
    assert models == {f"parent:{provider.finding_id}"}


def test_twins_outlive_a_snapshot() -> None:
    def findings(*, snapshots: bool) -> list[list[Finding]]:
        episodes, found = Episodes(world(ONE_SERVICE)), []
        for end in range(START, START + 200):
            firing = ONE_SERVICE if end < START + 5 else (PROJECT, WHOLE)
            found.append(episodes.step(end, [wave(end, *firing, excess=30.0)] if end < START + 90 else []))
            if snapshots:
                left = json.dumps(episodes.state())
                episodes = Episodes(world(ONE_SERVICE))
                episodes.restore(json.loads(left))
        return found

    assert findings(snapshots=True) == findings(snapshots=False)
