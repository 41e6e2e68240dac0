"""Rules about sequences in the record worker: what they find, what they leave alone, and replays agree."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from auditstream.core.ports import Block, Directory
from auditstream.detection.loops import SAME_CALLS, STEPS
from auditstream.reference.owners import Project, Tenant
from tests.support.conversations import answer, decision, event, injection, later, review, step, tool
from tests.support.examples import at_length
from tests.support.facts import FixedDirectory
from tests.support.recorders import messages_to, record_in, recorder_of, segment_of

Event = dict[str, Any]

START = datetime(2020, 1, 1, tzinfo=UTC)


def facts(*, tenant: str = "", project: str = "") -> FixedDirectory:
    """Return reference data with labels of mandatory policies."""
    label = "mandatory_policies"
    return FixedDirectory(
        {
            1: [
                Tenant(
                    tenant_id="acme", name="Acme", labels={label: tenant} if tenant else {}, valid_from=START
                ),
                Project(
                    tenant_id="acme",
                    project_id="bank",
                    labels={label: project} if project else {},
                    valid_from=START,
                ),
            ]
        }
    )


def told(block: Block) -> list[dict[str, Any]]:
    found = [record_in(message, "finding") for message in messages_to("audit.findings.v1", block)]
    return [each for each in found if each["rule_id"] != "cost.unpriced"]


def findings(
    *events: Event, directory: Directory | None = None, earlier: Sequence[Block] = (), lo: int = 0
) -> list[dict[str, Any]]:
    segment = segment_of(events, lo=lo, revision=0 if directory is None else 1)
    block = recorder_of(*earlier, directory=directory).build(segment)
    assert block.dead_letters == 0
    return told(block)


def rules(*events: Event, **options: Any) -> list[str]:
    return [each["rule_id"] for each in findings(*events, **options)]


def test_the_eighth_same_call_within_ten_minutes_is_a_loop() -> None:
    calls = [tool(number * 80) for number in range(SAME_CALLS)]
    [found] = findings(*calls)
    assert (found["rule_id"], found["severity"], found["observed"]) == ("agent.loop", 4, 8.0)
    assert found["scope"] == "agent=clerk run=talk"
    assert found["attacks"] == ["AML.T0034.002", "LLM10", "ASI08"]
    assert set(found["related_events"]) <= {str(each["event_id"]) for each in calls}
    assert rules(*calls[:-1]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"tool": {"name": "search", "args_hmac": "a2", "side_effect": "READ"}},
        {"tool": {"name": "look", "args_hmac": "a1", "side_effect": "READ"}},
        {"conversation_id": "other"},
        {"tenant_id": "globex"},
        {"agent_instance_id": "copy-2"},
        {"event_type": "ai.agent.action"},
    ],
)
def test_a_call_that_differs_is_not_the_same(change: Mapping[str, Any]) -> None:
    assert rules(*(tool(number) for number in range(SAME_CALLS - 1)), tool(9) | change) == []


def test_calls_that_do_not_tell_their_arguments_are_not_the_same() -> None:
    assert rules(*(tool(number, args=None) for number in range(SAME_CALLS))) == []


def test_same_calls_over_more_than_ten_minutes_are_no_loop() -> None:
    assert rules(*(tool(number * 90) for number in range(SAME_CALLS))) == []


def test_the_same_call_that_fails_slowly_for_an_hour_is_a_loop_and_one_that_is_answered_is_none() -> None:
    failed = [tool(number * 400, outcome="FAILURE") for number in range(SAME_CALLS)]
    [found] = findings(*failed)
    assert (found["rule_id"], found["metric"], found["observed"]) == ("agent.loop", "same_failure_1h", 8.0)
    assert "which fails: 8 within 60 minutes" in found["title"]
    assert rules(*failed[1:], tool(2_900, outcome="SUCCESS")) == []
    assert rules(*(tool(number * 520, outcome="FAILURE") for number in range(SAME_CALLS))) == []


def test_the_same_call_that_fails_fast_is_told_of_once() -> None:
    failed = [tool(number, outcome="FAILURE") for number in range(SAME_CALLS)]
    assert [each["metric"] for each in findings(*failed)] == ["same_call_10m"]


def test_calls_that_a_standing_clock_dates_alike_are_a_loop_only_when_they_also_arrive_together() -> None:
    calls = [tool(0) for _ in range(SAME_CALLS)]
    hour_ms = 3_600_000
    stamps = [4_000_000_000_000 + number * hour_ms for number in range(SAME_CALLS)]
    block = recorder_of().build(segment_of(calls, timestamps_ms=stamps))
    assert told(block) == []


def test_a_loop_that_goes_on_is_told_once() -> None:
    assert rules(*(tool(number) for number in range(3 * SAME_CALLS))) == ["agent.loop"]


def test_a_loop_that_begins_again_is_another() -> None:
    first = [tool(number) for number in range(SAME_CALLS)]
    again = [tool(10_000 + number) for number in range(SAME_CALLS)]
    found = findings(*first, *again)
    assert len({each["finding_id"] for each in found}) == 2


def test_repeats_of_one_event_are_no_loop() -> None:
    segment = segment_of([tool(0)])
    repeated = segment_of([segment.values[0]] * 20)
    assert told(recorder_of().build(repeated)) == []


def test_fifty_steps_of_a_run_within_ten_minutes_are_a_loop() -> None:
    steps = [step(number, number) for number in range(STEPS)]
    [found] = findings(*steps)
    assert (found["rule_id"], found["metric"]) == ("agent.loop", "steps_10m")
    assert rules(*steps[1:]) == []


def test_a_run_that_tells_no_steps_is_counted_by_its_calls() -> None:
    calls = [tool(number, args=f"{number:02x}") for number in range(STEPS)]
    assert rules(*calls) == ["agent.loop"]
    assert rules(*calls, step(0)) == []


def test_an_answer_with_twenty_times_the_usual_tokens_is_a_runaway() -> None:
    usual = [answer(number, tokens=300) for number in range(100)]
    [found] = findings(*usual, answer(200, tokens=6_001))
    assert (found["metric"], found["observed"], found["expected"]) == ("output_tokens", 6_001.0, 300.0)
    assert rules(*usual, answer(200, tokens=6_000)) == []
    assert rules(*usual[:99], answer(200, tokens=6_001)) == []


def test_an_injection_and_then_a_write_in_its_conversation_is_critical() -> None:
    [found] = findings(injection(0), tool(5, "send_mail", effect="EXTERNAL"))
    assert (found["rule_id"], found["severity"]) == ("injection.to_action", 5)
    assert found["title"] == "an injection was seen, and 5 s later its conversation called send_mail"
    assert len(found["related_events"]) == 2


@pytest.mark.parametrize("effect", ["WRITE", "DESTRUCTIVE", "EXTERNAL"])
def test_every_effect_counts_as_an_action(effect: str) -> None:
    assert "injection.to_action" in rules(injection(0), tool(600, effect=effect))


@pytest.mark.parametrize(
    "events",
    [
        (injection(0), tool(5, effect="READ")),
        (injection(0), tool(601, effect="WRITE")),
        (injection(6), tool(5, effect="WRITE")),
        (injection(0, score=0.79), tool(5, effect="WRITE")),
        (injection(0), tool(5, effect="WRITE", conversation_id="other")),
        (injection(0), tool(5, effect="WRITE", tenant_id="globex")),
        (injection(0), tool(5, effect="WRITE", outcome="BLOCKED")),
        (decision(0, risk_category="toxicity", risk_score=0.9), tool(5, effect="WRITE")),
    ],
)
def test_what_is_no_injection_or_no_action_after_it_is_left_alone(events: tuple[Event, ...]) -> None:
    assert rules(*events) == []


def test_an_injection_that_was_blocked_before_a_write_is_high() -> None:
    [found] = findings(injection(0, action="block"), tool(5, effect="WRITE"))
    assert found["severity"] == 4


def test_the_order_in_the_log_does_not_matter_and_an_injection_is_told_once() -> None:
    events = [tool(5, effect="WRITE"), injection(0), tool(6, effect="WRITE")]
    assert rules(*events) == ["injection.to_action"]


def test_a_conversation_without_an_id_is_its_trace() -> None:
    in_trace: dict[str, Any] = {"conversation_id": None, "trace_id": "ab" * 16}
    assert rules(injection(0, **in_trace), tool(5, effect="WRITE", **in_trace)) == ["injection.to_action"]
    nowhere: dict[str, Any] = {"conversation_id": None}
    assert rules(injection(0, **nowhere), tool(5, effect="WRITE", **nowhere)) == []


def test_a_destructive_call_that_nobody_approved_is_critical_when_its_minute_is_over() -> None:
    [found] = findings(tool(0, "drop_table", effect="DESTRUCTIVE"), later(60))
    assert (found["rule_id"], found["severity"]) == ("tool.destructive_unreviewed", 5)
    assert found["scope"] == "agent=clerk conversation=talk tool=drop_table"
    assert rules(tool(0, effect="DESTRUCTIVE"), later(59)) == []


NAMED = uuid.uuid4()


@pytest.mark.parametrize(
    "approval",
    [
        review(-590),
        review(0, word="OVERRIDE"),
        review(30, NAMED, conversation_id="elsewhere"),
        review(30, str(NAMED).upper(), conversation_id="elsewhere"),
    ],
)
def test_an_approval_before_the_call_or_of_the_call_is_enough(approval: Event) -> None:
    call = tool(0, effect="DESTRUCTIVE", event_id=NAMED)
    assert rules(call, approval, later(60)) == []
    assert rules(approval, call, later(60)) == []


def test_an_approval_of_what_caused_the_call_is_enough() -> None:
    call = tool(0, effect="DESTRUCTIVE", causation_id=str(NAMED))
    assert rules(call, review(30, NAMED, conversation_id="elsewhere"), later(60)) == []


@pytest.mark.parametrize(
    "other",
    [
        review(-10, word="REJECT"),
        review(-10, word="REQUESTED"),
        review(-610),
        review(10),
        review(-10, conversation_id="other"),
    ],
)
def test_what_is_no_approval_of_the_call_is_not_taken_for_one(other: Event) -> None:
    assert rules(other, tool(0, effect="DESTRUCTIVE"), later(60)) == ["tool.destructive_unreviewed"]


def test_a_blocked_call_destroyed_nothing() -> None:
    assert rules(tool(0, effect="DESTRUCTIVE", outcome="BLOCKED"), later(60)) == []


def test_five_approved_destructive_calls_in_five_minutes_are_told_too() -> None:
    calls = [tool(number * 75, effect="DESTRUCTIVE", args=f"{number:02x}") for number in range(5)]
    [found] = findings(review(-1), *calls)
    assert (found["metric"], found["severity"]) == ("destructive_calls_5m", 4)


def test_a_verdict_of_no_that_was_allowed_is_critical_and_monitoring_is_not() -> None:
    overruled = [decision(number, verdict="deny") for number in range(3)]
    [found] = findings(*overruled, decision(4, verdict="deny", action="block"))
    assert (found["rule_id"], found["severity"], found["observed"]) == ("policy.decision_missing", 5, 3.0)
    assert rules(decision(0, verdict="deny", mode="MONITOR")) == []


def test_a_call_that_no_mandatory_policy_judged_within_a_minute_is_critical() -> None:
    known = facts(tenant="guard")
    [found] = findings(answer(0), answer(1), later(90), directory=known)
    assert (found["rule_id"], found["severity"], found["observed"]) == ("policy.decision_missing", 5, 2.0)
    assert found["scope"] == "policy=guard"
    assert rules(answer(0), later(59), directory=known) == []
    assert rules(answer(0), later(90)) == []


@pytest.mark.parametrize(
    "judged",
    [
        decision(60),
        decision(-60),
        decision(500, subject=NAMED, conversation_id="elsewhere"),
    ],
)
def test_a_decision_of_the_call_or_near_it_in_its_conversation_is_enough(judged: Event) -> None:
    call = answer(0, event_id=NAMED)
    assert rules(judged, call, later(600), directory=facts(tenant="guard")) == []
    assert rules(judged, call, later(600), directory=facts(tenant="any")) == []


def test_another_policys_decision_is_not_the_mandatory_one() -> None:
    known = facts(tenant="guard, pii")
    found = findings(decision(0), answer(0), later(90), directory=known)
    assert [each["scope"] for each in found] == ["policy=pii"]


def test_a_projects_label_is_of_its_calls_alone() -> None:
    known = facts(project="any")
    found = findings(answer(0), answer(0, project_id="bank"), later(90), directory=known)
    assert [each["scope"] for each in found] == ["project=bank policy=any"]
    assert found[0]["observed"] == 1.0


def test_another_model_than_the_one_asked_for_is_told_once() -> None:
    swap = answer(0, answered="gpt-4o-mini")
    [found] = findings(swap, answer(1, answered="gpt-4o-mini"))
    assert (found["rule_id"], found["severity"]) == ("model.silent_swap", 2)
    assert found["scope"] == "provider=openai asked=gpt-4o answered=gpt-4o-mini"
    first = recorder_of().build(segment_of([swap]))
    assert rules(answer(2, answered="gpt-4o-mini"), earlier=[first], lo=1) == []
    assert rules(answer(2, answered="gpt-4.1"), earlier=[first], lo=1) == ["model.silent_swap"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
        ("models/gemini-1.5-pro", "gemini-1.5-pro-002"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
        ("GPT-4o", "gpt-4o"),
    ],
)
def test_a_snapshot_or_another_way_to_write_a_name_is_no_swap(asked: str, answered: str) -> None:
    assert rules(answer(0, asked=asked, answered=answered)) == []


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("claude-3", "claude-3-5-sonnet"), ("gpt-4", "gpt-4.1"), ("o3", "o3-mini"), ("gpt-4o-mini", "gpt-4o")],
)
def test_a_model_of_the_same_family_is_another_model(asked: str, answered: str) -> None:
    assert rules(answer(0, asked=asked, answered=answered)) == ["model.silent_swap"]


def test_a_swap_that_a_router_told_of_is_not_silent() -> None:
    routed = event(
        "ai.routing", 0, routing={"from_model": "gpt-4o", "to_model": "o3-mini", "reason": "fallback"}
    )
    assert rules(routed, answer(1, answered="o3-mini")) == []


def test_a_model_without_a_price_is_told_once_a_day() -> None:
    call = answer(0, asked="house-1", answered="house-1")
    first = recorder_of().build(segment_of([call, answer(1, asked="house-1", answered="house-1")]))
    [message] = messages_to("audit.findings.v1", first)
    found = record_in(message, "finding")
    assert (found["rule_id"], found["severity"], found["observed"]) == ("cost.unpriced", 3, 2.0)
    assert found["scope"] == "provider=openai model=house-1"
    again = segment_of([answer(2, asked="house-1", answered="house-1")], lo=2)
    assert messages_to("audit.findings.v1", recorder_of(first).build(again)) == []


def test_many_findings_of_a_tenant_are_counted_and_another_tenants_are_told() -> None:
    swaps = [answer(number, asked=f"m{number}x", answered="gpt-4o") for number in range(30)]
    other = answer(0, asked="m1x", answered="gpt-4o", tenant_id="globex")
    found = findings(*swaps, other)
    assert [each["tenant_id"] for each in found].count("acme") == 21
    [rest] = [each["title"] for each in found if each["scope"] == "rest"]
    assert rest.startswith("10 more of the same kind")
    assert [each["tenant_id"] for each in found].count("globex") == 1


def busy_hour(seed: int) -> list[Event]:
    """Return events of a few conversations with something of everything, in an order of their own."""
    chance = random.Random(seed)
    events: list[Event] = []
    for number in range(6):
        where = {"conversation_id": f"talk-{number}", "agent_instance_id": f"copy-{number}"}
        start = number * 40
        events += [tool(start + each * 3, **where) for each in range(chance.randrange(6, 12))]
        events += [injection(start, **where), tool(start + 20, "mail", effect="EXTERNAL", **where)]
        events += [tool(start + 30, "drop", effect="DESTRUCTIVE", **where)]
        events += [review(start + 25, **where)] * chance.randrange(2)
        events += [answer(start + each, answered=f"m{chance.randrange(9)}", **where) for each in range(4)]
        events += [decision(start + 5, **where)] * chance.randrange(2)
        events += [answer(start, conversation_id=f"unjudged-{number}")]
    events.sort(key=lambda each: (each["event_time"], str(each["event_id"])))
    for _ in range(8):  # some arrive late
        events.insert(chance.randrange(len(events)), events.pop(chance.randrange(len(events))))
    return [*events, later(600)]


@pytest.mark.parametrize("seed", [0, *at_length((1,))])
def test_a_restart_between_any_two_segments_and_a_replay_find_the_same(seed: int) -> None:
    known, events, chance = facts(tenant="guard"), busy_hour(seed), random.Random(seed)
    cuts = sorted({0, len(events), *(chance.randrange(len(events)) for _ in range(7))})
    undisturbed, blocks = recorder_of(directory=known), list[Block]()
    for lo, hi in zip(cuts, cuts[1:], strict=False):
        segment = segment_of(events[lo:hi], lo=lo, revision=1)
        block = undisturbed.build(segment)
        for stored in (blocks, [*blocks, block]):  # a replay may find the segment in the store
            restarted = recorder_of(*stored, directory=known)
            assert restarted.build(segment).outbound == block.outbound
            assert restarted.build(segment).outbound == block.outbound
        blocks.append(block)
    assert {each["rule_id"] for block in blocks for each in told(block)} == {
        "agent.loop", "injection.to_action", "tool.destructive_unreviewed", "policy.decision_missing",
        "model.silent_swap",
    }  # fmt: skip
