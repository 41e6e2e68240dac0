"""Findings of rules in the record worker: which there are, how many, and that a replay makes the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from auditstream.core.ports import Block
from auditstream.detection.rules.cases import case_frame
from auditstream.detection.rules.matching import Matcher
from auditstream.detection.rules.packaged import shipped_rules
from auditstream.detection.rules.reading import read_rules
from auditstream.detection.rules.rule import RuleSet
from schemas.intake import datum_of
from streams.recording.correlation_windows import CorrelationWindows
from streams.recording.rule_findings import Told
from tests.support.bad_messages import datum, framed
from tests.support.events import event
from tests.support.recorders import LOG, KeptHistory, messages_to, record_in, recorder_of, segment_of

FINDINGS = "audit.findings.v1"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RULES, _ = read_rules(
    {
        "own.yaml": """
title: A forbidden tool was called
name: test.forbidden
logsource: {product: ai_audit, service: ai.tool_call}
detection: {call: {tool_name: shell}, condition: call}
level: high
x-scope: agent_id
x-atlas: [AML.T0053]
---
title: A tool was called
name: test.called
logsource: {product: ai_audit, service: ai.tool_call}
detection: {call: {tool_name: search}, condition: call}
level: low
---
title: Many calls of tools
name: test.many
correlation:
  type: event_count
  rules: [test.called]
  group-by: [conversation_id]
  timespan: 10m
  condition: {gte: 3}
level: medium
"""
    }
)


def call(tool: str = "shell", after_s: float = 0, **changes: Any) -> dict[str, Any]:
    time = NOON + timedelta(seconds=after_s)
    return {
        "event_type": "ai.tool_call",
        "event_time": time,
        "tool": {"name": tool},
        "tenant_id": "acme",
    } | changes


def findings(block: Block) -> list[dict[str, Any]]:
    found = [record_in(message, "finding") for message in messages_to(FINDINGS, block)]
    return [each for each in found if each["rule_id"].startswith(("test.", "rules."))]


def seen(*values: Any, rules: RuleSet = RULES) -> list[dict[str, Any]]:
    return findings(recorder_of(rules=rules).build(segment_of(values)))


def test_what_a_rule_sees_of_a_scope_is_one_finding_that_says_all_of_it() -> None:
    [found] = seen({}, call(agent_id="a"), call(after_s=9, agent_id="a"), call("search"))
    assert len(found.pop("finding_id")) == 64
    assert len(found.pop("detector_version")) == 12
    assert {name: value for name, value in found.items() if value not in (None, "", [], {})} == {
        "version": 0,
        "tenant_id": "acme",
        "rule_id": "test.forbidden",
        "title": "A forbidden tool was called (agent=a)",
        "status": "NEW",
        "severity": 4,
        "confidence": 100,
        "scope": "agent=a",
        "metric": "events",
        "window_start": NOON,
        "window_end": NOON + timedelta(seconds=9, microseconds=1),
        "observed": 2.0,
        "expected": 0.0,
        "attacks": ["AML.T0053"],
        "related_events": [datum(1)["event_id"], datum(2)["event_id"]],
        "segment_id": f"{LOG}/0-3",
    }


def test_tenants_scopes_and_hours_have_findings_of_their_own() -> None:
    found = seen(
        call(agent_id="a"), call(agent_id="b"), call(agent_id="a", tenant_id="globex"),
        call(after_s=3_600, agent_id="a"),
    )  # fmt: skip
    assert len({each["finding_id"] for each in found}) == 4


def test_what_goes_on_within_the_hour_is_not_published_again() -> None:
    recorder = recorder_of(rules=RULES)
    first, second, third = (
        recorder.build(segment_of([call(after_s=after, agent_id="a")], lo=lo))
        for lo, after in enumerate((0, 60, 3_600))
    )
    assert [len(findings(each)) for each in (first, second, third)] == [1, 0, 1]


def test_a_segment_that_is_built_again_publishes_again() -> None:
    recorder, segment = recorder_of(rules=RULES), segment_of([call(agent_id="a")])
    assert recorder.build(segment).outbound == recorder.build(segment).outbound
    assert recorder_of(rules=RULES).build(segment).outbound == recorder.build(segment).outbound


def test_a_worker_that_was_killed_finds_the_same_ids() -> None:
    segments = [
        segment_of([call("search", 60 * lo, conversation_id="c"), call(after_s=lo, agent_id="a")], lo=lo)
        for lo in (0, 2, 4, 6)
    ]
    one = recorder_of(rules=RULES)
    blocks = [one.build(segment) for segment in segments]
    undisturbed = {each["finding_id"] for block in blocks for each in findings(block)}
    for killed in range(1, 4):
        ids: set[str] = set()
        recorder = recorder_of(rules=RULES)
        for number, segment in enumerate(segments):
            if number == killed:
                recorder = recorder_of(*blocks[:number], rules=RULES)
            ids |= {each["finding_id"] for each in findings(recorder.build(segment))}
        assert ids == undisturbed
    assert {each["rule_id"] for block in blocks for each in findings(block)} == {
        "test.forbidden",
        "test.many",
    }


def test_a_correlation_says_how_many_there_were_and_from_where_on_it_matches() -> None:
    [found] = seen(*(call("search", after, conversation_id="c") for after in (0, 200, 400)))
    assert (found["rule_id"], found["metric"], found["scope"]) == (
        "test.many",
        "event_count",
        "conversation=c",
    )
    assert (found["observed"], found["expected"]) == (3.0, 3.0)
    assert found["window_end"] - found["window_start"] == timedelta(seconds=400, microseconds=1)
    assert len(found["related_events"]) == 3


def test_repeats_of_events_count_once() -> None:
    assert seen(framed(1, **call("search", conversation_id="c")), *[framed(1, **call("search"))] * 9) == []


def test_a_clock_that_is_ahead_does_not_make_others_old() -> None:
    stamps = [int((NOON + timedelta(seconds=after)).timestamp() * 1_000) for after in (0, 1, 2)]
    ahead = call("search", 86_400 * 365, conversation_id="c")
    events = [call("search", 0, conversation_id="c"), ahead, call("search", 2, conversation_id="c")]
    block = recorder_of(rules=RULES).build(segment_of(events, timestamps_ms=stamps))
    [found] = findings(block)
    assert found["window_end"] == NOON + timedelta(seconds=2, microseconds=1)


def test_names_that_anyone_can_make_up_do_not_make_more_than_fifty_and_one_that_counts_the_rest() -> None:
    found = seen(*(call(agent_id=f"a{number}") for number in range(80)))
    assert len({each["finding_id"] for each in found}) == len(found) == 51
    assert (found[-1]["rule_id"], found[-1]["tenant_id"], found[-1]["observed"]) == (
        "rules.more",
        "unattributed",
        30.0,
    )
    assert "30 more findings of 1 rules" in found[-1]["title"]


def test_what_was_not_told_of_may_be_told_of_by_the_next_segment() -> None:
    recorder = recorder_of(rules=RULES)
    recorder.build(segment_of([call(agent_id=f"a{number:02}") for number in range(51)]))
    again = findings(recorder.build(segment_of([call(agent_id="a50"), call(agent_id="a00")], lo=51)))
    assert [each["scope"] for each in again] == ["agent=a50"]


def test_a_scope_of_a_megabyte_does_not_make_a_finding_that_kafka_refuses() -> None:
    block = recorder_of(rules=RULES).build(segment_of([call(agent_id="ü" * 500_000)]))
    assert all(len(message.value or b"") < 10_000 for message in messages_to(FINDINGS, block))


def test_a_recorder_without_rules_makes_the_same_rows() -> None:
    values = [call(agent_id="a"), {}]
    plain, asked = recorder_of().build(segment_of(values)), recorder_of(rules=RULES).build(segment_of(values))
    assert plain.frame.equals(asked.frame)
    assert (dict(plain.rule_findings), dict(asked.rule_findings)) == ({}, {"test.forbidden": 1})


@pytest.mark.parametrize("count", [0, 1])
def test_a_segment_without_events_asks_nothing(count: int) -> None:
    assert findings(recorder_of(rules=RULES).build(segment_of([b"junk"] * (count + 1)))) == []


def test_the_shipped_rules_say_nothing_of_ordinary_events() -> None:
    rules, _ = read_rules(shipped_rules())
    block = recorder_of(rules=rules).build(segment_of([{}, call("search"), b"junk"]))
    assert dict(block.rule_findings) == {}


def test_ids_are_forgotten_when_there_are_too_many() -> None:
    told = Told(most=2)
    told.tell(["a", "b", "c"], (LOG, 0))
    assert [told.is_new(each, (LOG, 1)) for each in "abc"] == [True, False, False]


def crossings(windows: CorrelationWindows, first: int, count: int, same_call_as: int | None = None) -> int:
    """Return how many there are once some calls of one conversation come next in the log."""
    calls = [event(**call("search", first + number, conversation_id="c")) for number in range(count)]
    events = case_frame([datum_of(each, "audit_event") for each in calls]).with_columns(
        index=pl.col("index") + first, same_call_as=pl.lit(same_call_as, dtype=pl.UInt64)
    )
    matches = {rule.about.name: (rule, rows) for rule, rows in Matcher(RULES.rules.values()).matches(events)}
    return len(list(windows.crossings(LOG, first, first + count, events, matches)))


@pytest.mark.parametrize(("leaves", "found"), [(2, 0), (3, 1)])
def test_what_is_further_back_in_the_log_than_the_window_does_not_count(leaves: int, found: int) -> None:
    before = [*(call("search", number, conversation_id="c") for number in range(2)), {}]
    history = KeptHistory(recorder_of(rules=RULES).build(segment_of(before)))
    started = CorrelationWindows(RULES, history, window_leaves=leaves)
    assert crossings(started, 3, 1) == found


@pytest.mark.parametrize(("leaves", "found"), [(1, 0), (2, 1)])
def test_a_worker_that_was_there_looks_as_far_back_and_no_further(leaves: int, found: int) -> None:
    windows = CorrelationWindows(RULES, KeptHistory(), window_leaves=leaves)
    assert [crossings(windows, number, 1) for number in range(3)] == [0, 0, found]


def test_further_reports_of_a_call_do_not_count() -> None:
    windows = CorrelationWindows(RULES, KeptHistory())
    assert crossings(windows, 0, 5, same_call_as=0) == 0
    assert crossings(windows, 5, 5) == 1
