"""Correlations: what events of a key make together, however they were cut into segments."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from auditstream.detection.rules.cases import case_frame
from auditstream.detection.rules.matching import Matcher
from auditstream.detection.rules.reading import read_rules
from auditstream.detection.rules.rule import RuleSet
from auditstream.detection.rules.windows import Crossing, crossings, hits_of
from schemas.intake import datum_of
from tests.support.events import event

BASE = """
title: A call of a tool
name: test.call
logsource: {product: ai_audit, service: ai.tool_call}
detection: {a: {tool_name: x}, condition: a}
level: low
---
title: A review
name: test.review
logsource: {product: ai_audit, service: ai.human.review}
detection: {a: {review_decision: APPROVE}, condition: a}
level: low
---
title: Together
name: test.together
level: high
correlation:
"""


def rules(correlation: str) -> RuleSet:
    lines = "\n".join(f"  {line}" for line in correlation.splitlines())
    found, faults = read_rules({"t.yaml": BASE + lines})
    assert faults == []
    return found


def call(at: float, key: str | None = "c", **more: Any) -> dict[str, Any]:
    time = int((1_772_445_600 + at) * 1_000_000)
    return event(event_type="ai.tool_call", event_time=time, conversation_id=key, tool={"name": "x", **more})


def review(at: float) -> dict[str, Any]:
    told = call(at) | {"event_type": "ai.human.review"}
    del told["tool"]
    return told | {"review": {"subject_event_id": "x", "decision": "APPROVE"}}


def frame(events: list[dict[str, Any]], first: int = 0) -> pl.DataFrame:
    read = case_frame([datum_of(each, "audit_event") for each in events])
    return read.with_columns(index=pl.col("index") + first)


def told(rule_set: RuleSet, *segments: list[dict[str, Any]]) -> list[Crossing]:
    """Return what is told of segments that come one after the other."""
    old: dict[str, pl.DataFrame] = {}
    first, found = 0, []
    matcher = Matcher(rule_set.rules.values())
    for events in segments:
        read = frame(events, first)
        matches = {rule.about.name: (rule, rows) for rule, rows in matcher.matches(read)}
        new = hits_of(rule_set.correlations, matches, read)
        found += list(crossings(rule_set.correlations, old, new))
        old |= {name: pl.concat([old[name], hits]) if name in old else hits for name, hits in new.items()}
        first += len(events)
    return found


COUNT = (
    "type: event_count\nrules: [test.call]\ngroup-by: [conversation_id]\ntimespan: 1m\ncondition: {gte: 3}"
)


def test_three_of_a_key_within_a_minute_are_told_once() -> None:
    [found] = told(rules(COUNT), [call(0), call(20), call(59), call(59.5)])
    assert (found.key, found.observed, found.last_us - found.first_us) == (("c",), 3.0, 59_000_000)
    assert len(found.event_ids) == 3


def test_three_in_exactly_a_minute_are_too_far_apart() -> None:
    assert told(rules(COUNT), [call(0), call(20), call(60)]) == []


def test_what_goes_on_in_the_next_minute_is_told_again() -> None:
    found = told(rules(COUNT), [call(at) for at in range(0, 120, 10)])
    assert [each.bucket_us % 120_000_000 for each in found] == [0, 60_000_000]


@pytest.mark.parametrize("cut", range(1, 12))
def test_it_is_the_same_however_the_events_were_cut_into_segments(cut: int) -> None:
    events = [call(at) for at in range(0, 120, 10)]
    whole = told(rules(COUNT), events)
    assert told(rules(COUNT), events[:cut], events[cut:]) == whole


def test_events_of_other_keys_and_of_none_do_not_count() -> None:
    assert told(rules(COUNT), [call(0), call(1, "d"), call(2, None), call(4)]) == []
    assert told(rules(COUNT), [call(at, key) for at in range(5) for key in (None, "")]) == []


def test_events_that_come_late_count_at_their_time() -> None:
    [found] = told(rules(COUNT), [call(0), call(50)], [call(200), call(20)])
    assert found.observed == 3.0


def test_other_tenants_do_not_count() -> None:
    others = [call(number) | {"tenant_id": f"t{number}"} for number in range(5)]
    assert told(rules(COUNT), others) == []


def test_values_are_counted_once_each() -> None:
    text = COUNT.replace("event_count", "value_count").replace("{gte: 3}", "{gte: 3, field: tool_call_id}")
    ids = [call(at, call_id=value) for at, value in enumerate("aabbb")]
    assert told(rules(text), ids) == []
    [found] = told(rules(text), [*ids, call(9, call_id="c"), call(10)])
    assert found.observed == 3.0
    assert told(rules(text), [*ids, call(65, call_id="c")]) == []


def test_sums_are_of_the_span_alone() -> None:
    text = COUNT.replace("event_count", "value_sum").replace(
        "{gte: 3}", "{gte: 100, field: tool_result_bytes}"
    )
    assert told(rules(text), [call(0, result_bytes=60), call(60, result_bytes=60)]) == []
    [found] = told(rules(text), [call(0, result_bytes=60), call(30), call(59, result_bytes=40)])
    assert found.observed == 100.0


ORDER = "type: temporal_ordered\nrules: [test.call, test.review]\ngroup-by: [conversation_id]\ntimespan: 1m"


def test_an_order_is_kept_and_its_parts_may_come_from_two_segments() -> None:
    assert told(rules(ORDER), [review(0), call(1)]) == []
    [found] = told(rules(ORDER), [call(0)], [review(59)])
    assert (found.observed, len(found.event_ids)) == (2.0, 2)
    assert told(rules(ORDER), [call(0)], [review(60)]) == []
    [found] = told(rules(ORDER), [review(59)], [call(0)])  # late
    assert found.first_us < found.last_us


def test_a_rule_that_is_counted_reports_nothing_of_its_own_unless_it_is_asked_to() -> None:
    assert [each.name for each in rules(COUNT).abouts()] == ["test.review", "test.together"]
    asked = rules(COUNT + "\ngenerate: true")
    assert [each.name for each in asked.abouts()] == ["test.call", "test.review", "test.together"]


@pytest.mark.parametrize(
    ("was", "instead", "said"),
    [
        ("[test.call]", "[test.cal]", "correlation.rules: test.cal: no such rule"),
        ("event_count", "temporal", "correlation.type: 'temporal' is none of event_count"),
        ("1m", "2d", "correlation.timespan: is longer than a day"),
        ("1m", "soon", "Timespan 'soon' is invalid"),
        ("conversation_id", "conversation", "conversation: is no column of events"),
        ("conversation_id", "data_classes", "data_classes: is a list, which is no key"),
        ("gte: 3", "lt: 3", "correlation.condition: has no gte or gt"),
        ("event_count", "value_count", "Value count correlation rule without field reference"),
        ("1m", "1m\naliases: {a: {test.call: tool_name}}", "correlation.aliases: are not supported"),
    ],
)
def test_a_correlation_that_cannot_run_is_refused(was: str, instead: str, said: str) -> None:
    lines = "\n".join(f"  {line}" for line in COUNT.replace(was, instead).splitlines())
    _, faults = read_rules({"t.yaml": BASE + lines})
    assert len(faults) == 1
    assert said in str(faults[0])
    assert str(faults[0]).startswith("t.yaml: test.together: ")
