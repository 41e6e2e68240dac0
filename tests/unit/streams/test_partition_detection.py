"""Detection over a partition: the same findings however deltas interleave, repeat, lag, or are broken off."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pytest

from auditstream.detection.known_detectors import watched_detectors
from auditstream.detection.severities import Severity
from schemas.records.detection import Finding
from streams.detecting.delta import MINUTE_US, Delta
from streams.detecting.keys import KeyTable
from streams.detecting.partition import PartitionDetection, PartitionState
from tests.support.usage_logs import DAWN, Jump, delta, entity, heartbeat, line

LOGS = ("audit.events.v1/0/e", "audit.events.v1/1/e", "audit.events.v1/2/e")
TENANTS = ("acme", "globex")
MINUTES = 24
END_S = MINUTES * 60 + 600


@dataclass(frozen=True)
class Sent:
    """Messages of one log: those of one step may come in any order, steps come one after the other."""

    steps: tuple[tuple[Delta, ...], ...]


def log_of(log: str, random: Random) -> Sent:
    """Return half an hour of a log: segments, quiet stretches, jumps, and late lines."""
    steps: list[tuple[Delta, ...]] = [(heartbeat(log, 0, at_s=0),)]
    index, at_s, wait_s = 0, random.uniform(0, 60), 300
    while at_s < MINUTES * 60:
        parts: list[Delta] = []
        minute = int(at_s // 60)
        # Events come up to two minutes late, and in a busy log one may be ten minutes late: that is too late.
        delays = [0, 0, 0, min(1, minute), 10 if wait_s < 60 and minute >= 10 else 0]
        for tenant in TENANTS:
            if random.random() < 0.7:
                jump = 40 if random.random() < 0.06 else 1
                lines = [
                    line(
                        DAWN + minute - random.choice(delays),
                        credential_id=f"key-{(number := random.randrange(3))}",
                        project_id=f"project-{number}",
                        model=random.choice(["gpt-4o", "o3"]),
                        events=random.randrange(1, 5) * jump,
                        spend=random.randrange(1, 1000) * jump / 7,
                        timed=1,
                    )
                    for _ in range(random.randrange(1, 4))
                ]
                half = len(lines) // 2
                named = [
                    entity(
                        each["minute"] // MINUTE_US,
                        each["credential_id"],
                        "country",
                        random.choice(["DE", "BR", "VN"]),
                    )
                    for each in lines
                ]
                parts += [
                    delta(log, index, lines[:half], at_s=at_s, tenant=tenant, part=0, entities=named),
                    delta(log, index, lines[half:], at_s=at_s, tenant=tenant, part=1),
                ]
        steps.append(tuple(parts))
        index += 10
        wait_s = random.choice([5, 20, 20, 40, 300])
        for beat_s in range(int(at_s) + 5, int(at_s + wait_s), 30):
            steps.append((heartbeat(log, index, quiet_s=beat_s),))
        at_s += wait_s
    steps.append((heartbeat(log, index, quiet_s=END_S),))
    return Sent(tuple(steps))


def day(seed: int) -> list[Sent]:
    return [log_of(each, Random(f"{seed} {each}")) for each in LOGS]


def in_order(logs: Sequence[Sent]) -> list[Delta]:
    """Return all messages by broker time, as an undisturbed deployment writes them."""
    waiting = [
        (message.written_us, place, message) for place, log in enumerate(logs) for message in _all(log)
    ]
    return [message for _, _, message in sorted(waiting, key=lambda each: each[:2])]


def _all(log: Sent) -> Iterator[Delta]:
    for step in log.steps:
        yield from step


def shuffled(logs: Sequence[Sent], random: Random, *, lagging: int | None) -> list[Delta]:
    """Return all messages in an order that Kafka may bring: logs interleave, parts of a segment shuffle."""
    queues = [list(each.steps) for each in logs]
    # Every log tells that it is there as soon as a worker has its partition.
    found = [message for queue in queues for message in queue.pop(0)]
    while any(queues):
        open_ = [place for place, queue in enumerate(queues) if queue and place != lagging]
        if not open_ or (lagging is not None and queues[lagging] and random.random() < 0.02):
            open_ = [lagging] if lagging is not None else open_
        step = list(queues[random.choice(open_)].pop(0))
        random.shuffle(step)
        found += step
        if random.random() < 0.1 and found:  # a worker that woke up publishes old parts again
            found += random.sample(found[-20:], 1)
        if random.random() < 0.05 and step:
            found += step
    return found


def new_detection() -> tuple[PartitionDetection, Jump]:
    jump = Jump()
    return PartitionDetection([jump]), jump


def run(messages: Sequence[Delta]) -> tuple[list[Finding], Jump]:
    detection, jump = new_detection()
    return [each for message in messages for each in detection.apply(message)], jump


def facts(findings: Sequence[Finding]) -> set[tuple[Any, ...]]:
    return {
        (each.finding_id, each.version, each.scope, each.observed, each.expected, each.severity, each.status,
         each.suppressed_by)
        for each in findings
    }  # fmt: skip


def seen(jump: Jump) -> list[Any]:
    """Return buckets as plain data."""
    return [
        (bucket.start, bucket.keys.tolist(), {name: each.tolist() for name, each in bucket.values.items()})
        for bucket in jump.seen
    ]


def test_there_is_something_to_find() -> None:
    findings, jump = run(in_order(day(0)))
    assert len({each.finding_id for each in findings}) > 3
    assert {each.tenant_id for each in findings} == set(TENANTS)
    twins = {each.suppressed_by for each in findings if each.scope.startswith("project=")}
    assert {f"parent:{each.finding_id}" for each in findings if each.scope.startswith("credential=")} & twins
    assert len(jump.seen) > MINUTES / 2
    assert max(bucket.values["country_1h"].max() for bucket in jump.seen) == 3


@pytest.mark.parametrize(
    ("seed", "lagging"), [(0, None), (1, None), (2, None), (3, 0), (4, 1), (5, 2), (6, 0), (7, 1)]
)
def test_any_order_repeats_and_a_lagging_log_give_the_findings_of_the_undisturbed_run(
    seed: int, lagging: int | None
) -> None:
    logs, order = day(seed), Random(seed)
    undisturbed, expected = run(in_order(logs))
    disturbed, found = run(shuffled(logs, order, lagging=lagging))
    assert seen(found) == seen(expected)
    assert facts(disturbed) == facts(undisturbed)


@pytest.mark.parametrize("seed", range(6))
def test_a_process_that_dies_anywhere_and_goes_on_from_its_last_snapshot_finds_the_same(seed: int) -> None:
    random = Random(seed)
    messages = shuffled(day(seed), random, lagging=None)
    undisturbed, _ = run(messages)
    detection, _ = new_detection()
    kept, kept_at = detection.state(), 0
    found: list[Finding] = []
    position = 0
    deaths = sorted(random.sample(range(1, len(messages)), 4))
    snapshots = set(random.sample(range(len(messages)), 6))
    while position < len(messages):
        if deaths and position >= deaths[0]:
            deaths.pop(0)
            detection, _ = new_detection()
            detection.restore(through_json(kept))
            position = kept_at
        found += detection.apply(messages[position])
        position += 1
        if position in snapshots:
            kept, kept_at = detection.state(), position
    assert facts(found) == facts(undisturbed)


def test_the_shipped_detectors_know_the_same_to_the_bit_after_a_death_and_in_any_order() -> None:
    logs, random = day(3), Random(3)
    messages = shuffled(logs, random, lagging=1)
    undisturbed, dying = (PartitionDetection(watched_detectors()) for _ in range(2))
    for message in in_order(logs):
        undisturbed.apply(message)
    half = len(messages) // 2
    for message in messages[:half]:
        dying.apply(message)
    kept = through_json(dying.state())
    for message in messages[half : half + 20]:
        dying.apply(message)
    again = PartitionDetection(watched_detectors())
    again.restore(kept)
    for message in messages[half:]:
        again.apply(message)
    expected, found = undisturbed.state().arrays, again.state().arrays
    assert found.keys() == expected.keys()
    differing = [name for name in expected if not np.array_equal(found[name], expected[name], equal_nan=True)]
    assert differing == []


def through_json(state: PartitionState) -> PartitionState:
    return PartitionState(json.loads(json.dumps(state.facts)), state.arrays, state.rows)


def test_a_minute_has_what_all_logs_say_of_it_by_tenant_and_scope() -> None:
    detection, jump = new_detection()
    fields = {"credential_id": "k", "model": "m", "project_id": "p", "spend": 0.25, "failures": 1}
    for place, log in enumerate(LOGS[:2]):
        detection.apply(delta(log, 0, [line(DAWN, **fields, events=place + 1)], at_s=59))
    detection.apply(delta(LOGS[1], 0, [line(DAWN, events=9, spend=1)], at_s=59, tenant="globex"))
    for log in LOGS[:2]:
        detection.apply(heartbeat(log, 1, quiet_s=300))
    [bucket] = jump.seen
    assert (bucket.start, bucket.minutes) == (DAWN, 1)
    names = detection.names(bucket.keys)
    assert dict(zip(names, bucket.values["events"].tolist(), strict=True)) == {
        ("acme", ""): 3,
        ("acme", "credential=k"): 3,
        ("acme", "model=m"): 3,
        ("acme", "project=p"): 3,
        ("globex", ""): 9,
    }
    assert bucket.values["spend"].tolist() == [0.5, 0.5, 0.5, 0.5, 1.0]
    assert bucket.values["failures"].tolist() == [2, 2, 2, 2, 0]
    assert bucket.values["calls"].tolist() == [3, 3, 3, 3, 9]


def test_bills_for_a_period_are_no_spend_of_usage_and_calls_alone_are_calls() -> None:
    detection, jump = new_detection()
    lines = [
        line(DAWN, spend=3.0, events=2),
        line(DAWN, event_type="ai.tool_call", spend=0.5, events=4),
        line(DAWN, event_type="ai.cost.operational", spend=40.0),
    ]
    detection.apply(delta(LOGS[0], 0, lines, at_s=30))
    detection.apply(heartbeat(LOGS[0], 1, quiet_s=300))
    [bucket] = jump.seen
    assert bucket.values["spend"].tolist() == [43.5]
    assert bucket.values["usage_spend"].tolist() == [3.5]
    assert (bucket.values["events"].tolist(), bucket.values["calls"].tolist()) == ([7], [2])


def test_decisions_of_policies_are_counted_by_themselves_and_so_are_those_that_refuse() -> None:
    detection, jump = new_detection()
    lines = [
        line(DAWN, event_type="ai.policy.decision", events=7, blocked=2),
        line(DAWN, event_type="ai.inference", events=5, blocked=1),
    ]
    detection.apply(delta(LOGS[0], 0, lines, at_s=30))
    detection.apply(heartbeat(LOGS[0], 1, quiet_s=300))
    [bucket] = jump.seen
    assert (bucket.values["events"].tolist(), bucket.values["blocked"].tolist()) == ([12], [3])
    assert (bucket.values["decisions"].tolist(), bucket.values["blocked_decisions"].tolist()) == ([7], [2])


def test_what_comes_after_its_minute_is_closed_is_left_out_and_counted() -> None:
    detection, jump = new_detection()
    detection.apply(delta(LOGS[0], 0, [line(DAWN, events=2)], at_s=10))
    detection.apply(delta(LOGS[0], 1, [line(DAWN + 5, events=3)], at_s=310))
    detection.apply(delta(LOGS[0], 2, [line(DAWN + 1, events=7), line(DAWN + 5)], at_s=400))
    detection.apply(heartbeat(LOGS[0], 3, quiet_s=900))
    assert [bucket.start for bucket in jump.seen] == [DAWN, DAWN + 5]
    assert jump.seen[1].values["events"].tolist() == [4]
    assert detection.left.late == 7


def test_a_clock_that_is_hours_ahead_opens_no_minute() -> None:
    detection, jump = new_detection()
    ahead = line(DAWN + 600, events=5)
    detection.apply(delta(LOGS[0], 0, [line(DAWN), ahead], at_s=30))
    detection.apply(heartbeat(LOGS[0], 1, quiet_s=90_000))
    assert [bucket.start for bucket in jump.seen] == [DAWN]
    assert detection.left.ahead == 5


def test_money_in_another_currency_than_the_tenants_is_left_out_and_counted() -> None:
    detection, jump = new_detection()
    lines = [line(DAWN, spend=5, currency="EUR"), line(DAWN, spend=1), line(DAWN, events=3)]
    detection.apply(delta(LOGS[0], 0, lines, at_s=30))
    detection.apply(heartbeat(LOGS[0], 1, quiet_s=300))
    [bucket] = jump.seen
    assert bucket.values["spend"].tolist() == [5.0]
    assert bucket.values["events"].tolist() == [5]
    assert detection.left.foreign == 1


def watched_spend(minutes: Mapping[int, list[dict[str, Any]]]) -> list[float]:
    """Return the spend that detectors see of a tenant, minute by minute."""
    detection, jump = new_detection()
    for index, (minute, lines) in enumerate(minutes.items()):
        detection.apply(delta(LOGS[0], index, lines, at_s=minute * 60 + 30))
    detection.apply(heartbeat(LOGS[0], len(minutes), quiet_s=(max(minutes) + 10) * 60))
    return [bucket.values["spend"].tolist()[0] for bucket in jump.seen]


def test_a_bill_in_another_currency_that_comes_first_does_not_hide_what_use_costs() -> None:
    bill = line(DAWN, spend=300, currency="EUR", event_type="ai.cost.operational")

    assert watched_spend({0: [bill], 1: [line(DAWN + 1, spend=2)]}) == [300.0, 2.0]


def test_a_tenant_that_changes_its_currency_is_watched_in_the_new_one_after_a_day() -> None:
    day = 24 * 60
    euros = {minute: [line(DAWN + minute, spend=7, currency="EUR")] for minute in (1, day, day + 1)}
    first = {0: [line(DAWN, spend=5)]}

    assert watched_spend(first | euros) == [5.0, 0.0, 7.0, 7.0]
    between = {day - 1: [line(DAWN + day - 1, spend=1)]}
    assert watched_spend(dict(sorted((first | euros | between).items()))) == [5.0, 0.0, 1.0, 0.0, 0.0]


def test_a_finding_names_who_contributed_and_in_which_currency() -> None:
    detection, _ = new_detection()
    found: list[Finding] = []
    for minute in range(12):
        keys = {"k1": 1, "k2": 1} if minute < 10 else {"k1": 60, "k2": 1}
        lines = [
            line(DAWN + minute, credential_id=name, model="m", events=count, spend=count)
            for name, count in keys.items()
        ]
        found += detection.apply(delta(LOGS[0], minute, lines, at_s=minute * 60 + 30))
    found += detection.apply(heartbeat(LOGS[0], 12, quiet_s=5_000))
    of_the_model = [each for each in found if each.scope == "model=m"]
    assert of_the_model
    assert of_the_model[0].currency == "USD"
    assert of_the_model[0].contributors["credential=k1"] > 0.7


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize(("others", "is_one"), [(0, True), (1, False)], ids=["alone", "one of two"])
def test_a_wave_of_a_key_and_its_project_is_one_finding_if_the_project_is_hardly_more(
    others: int, *, is_one: bool, dies: bool
) -> None:
    detection, _ = new_detection()
    found: list[Finding] = []
    for minute in range(12):
        lines = [line(DAWN + minute, credential_id="k", project_id="p", events=60 if minute == 11 else 4)]
        if minute < 11:  # what only the minutes before the wave tell
            lines += [line(DAWN + minute, credential_id="o", project_id="p", events=4)] * others
        if dies and minute == 11:
            state = through_json(detection.state())
            detection, _ = new_detection()
            detection.restore(state)
        found += detection.apply(delta(LOGS[0], minute, lines, at_s=minute * 60 + 30))
    found += detection.apply(heartbeat(LOGS[0], 12, quiet_s=900))

    first = {each.scope: each for each in found if each.version == 0}
    parent = f"parent:{first['credential=k'].finding_id}"
    assert first["credential=k"].suppressed_by != parent
    assert (first["project=p"].suppressed_by == parent) is is_one


def test_a_million_names_of_one_tenant_evict_nothing_of_another_and_memory_is_bounded() -> None:
    """A thousand a minute stand for the million; the bound is smaller likewise."""
    detection = PartitionDetection([jump := Jump()], keys=KeyTable(most_of_a_tenant=50))
    number = 0
    for minute in range(90):
        flood = [line(DAWN + minute, credential_id=f"r{number + each}") for each in range(100)]
        number += 100
        at_s = minute * 60 + 30
        detection.apply(delta(LOGS[0], minute, [*flood, line(DAWN + minute, credential_id="own")], at_s=at_s))
        good = [line(DAWN + minute, credential_id="good", events=4)]
        detection.apply(delta(LOGS[0], minute, good, at_s=at_s, tenant="globex"))
    detection.apply(heartbeat(LOGS[0], 90, quiet_s=9_000))
    last = jump.seen[-1]
    events = dict(zip(detection.names(last.keys), last.values["events"].tolist(), strict=True))
    assert events["globex", "credential=good"] == 4
    assert events["acme", "credential=__other__"] > 0
    assert events["acme", ""] == 101
    assert detection.key_count < 60
    assert detection.left.overflowed > 5_000
    assert detection.left.evicted > 0
    # What one tenant does leaves the history of the other's key alone.
    mean = jump.state()["mean"][
        [place for place, name in zip(last.keys, events, strict=True) if name[0] == "globex"]
    ]
    assert mean.tolist() == [4.0, 4.0]


def test_a_key_that_is_not_seen_for_a_week_is_forgotten_and_its_number_serves_another() -> None:
    detection = PartitionDetection([jump := Jump()])
    detection.apply(delta(LOGS[0], 0, [line(DAWN, credential_id="old", events=9)], at_s=30))
    week = 8 * 24 * 60
    for step, minute in enumerate((week, week + 120, week + 121)):
        name = "new" if step == 2 else "usual"
        at_s = minute * 60 + 30
        detection.apply(delta(LOGS[0], step + 1, [line(DAWN + minute, credential_id=name)], at_s=at_s))
    detection.apply(heartbeat(LOGS[0], 9, quiet_s=(week + 200) * 60))
    assert Counter(detection.names(jump.seen[-1].keys)) == {("acme", ""): 1, ("acme", "credential=new"): 1}
    assert detection.key_count == 3
    assert jump.seen[-1].keys.max() <= 2


def test_a_detector_of_another_version_begins_anew_and_the_others_go_on() -> None:
    detection, _ = new_detection()
    for minute in range(5):
        detection.apply(delta(LOGS[0], minute, [line(DAWN + minute, events=4)], at_s=minute * 60))
    state = detection.state()

    class Later(Jump):
        version = "2"

    kept, changed = Jump(), Later()
    again = PartitionDetection([kept, changed])
    again.restore(state)
    assert kept.state()["mean"].max() == 4.0
    assert changed.state()["mean"].tolist() == [0.0]


class Surge(Jump):
    slug = "spend.surge"


@pytest.mark.parametrize(
    ("model", "severity"), [("small", Severity.MEDIUM), ("large", Severity.CRITICAL)], ids=["own", "new"]
)
@pytest.mark.parametrize("dies", [False, True])
def test_a_surge_of_an_old_key_is_critical_when_it_calls_a_model_that_it_never_called(
    model: str, severity: Severity, *, dies: bool
) -> None:
    detection = PartitionDetection([Surge()])
    fields = {"credential_id": "k", "events": 4, "spend": 1.0}
    for minute in range(70):
        lines = [line(DAWN + minute, model="small", **fields)]
        assert not detection.apply(delta(LOGS[0], minute, lines, at_s=minute * 60))
    if dies:
        state = through_json(detection.state())
        detection = PartitionDetection([Surge()])
        detection.restore(state)
    theft = [line(DAWN + 70, credential_id="k", model=model, events=400, spend=400.0)]
    found = detection.apply(delta(LOGS[0], 70, theft, at_s=70 * 60))
    found += detection.apply(heartbeat(LOGS[0], 71, quiet_s=80 * 60))
    assert max(each.severity for each in found if each.scope == "credential=k") == severity
