"""Rules: what Sigma says, over columns; what is refused, and with which words."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

from auditstream.detection.rules.cases import case_frame, read_cases
from auditstream.detection.rules.matching import Matcher
from auditstream.detection.rules.reading import read_rules
from auditstream.detection.rules.rule import RuleSet
from schemas.intake import datum_of
from tests.support.events import event, full_event

RULE = """
title: A rule
name: test.rule
logsource: {{product: {product}}}
detection:
{detection}
  condition: {condition}
level: high
"""


BOMB = "\n".join(
    f"{name}: &{name} [{of * 99}]" for name, of in (("a", "x,"), ("b", "*a,"), ("c", "*b,"), ("d", "*c,"))
)


def rule(detection: str, condition: str = "a", product: str = "ai_audit") -> str:
    lines = "\n".join(f"  {line}" for line in detection.splitlines())
    return RULE.format(detection=lines, condition=condition, product=product)


def read(text: str) -> RuleSet:
    rules, faults = read_rules({"test.yaml": text})
    assert faults == []
    return rules


def frame(*events: dict[str, Any], **columns: Any) -> pl.DataFrame:
    read_events = case_frame([datum_of(each, "audit_event") for each in events])
    return read_events.with_columns(**columns)


def rows(text: str, *events: dict[str, Any], **columns: Any) -> list[int]:
    """Return the numbers of the events that a rule matches."""
    found = list(Matcher(read(text).rules.values()).matches(frame(*events, **columns)))
    return [int(row) for _, matched in found for row in matched]


def fault(text: str) -> str:
    _, faults = read_rules({"test.yaml": text})
    [only] = faults
    return f"{only} | {only.hint}" if only.hint else str(only)


def calls(*names: str) -> list[dict[str, Any]]:
    return [event(event_type="ai.tool_call", tool={"name": name}) for name in names]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("search", ["search", "SEARCH"]),
        ("search*", ["search", "SEARCH", "search_orders"]),
        ("*orders", ["search_orders"]),
        ("*rch*", ["search", "SEARCH", "search_orders"]),
        ("s*_o?ders", ["search_orders"]),
        ("sear?", []),
        (r"a\*b", ["a*b"]),
        ("a.b", ["a.b"]),
        ("*", ["search", "SEARCH", "search_orders", "a*b", "a.b", "axb"]),
    ],
)
def test_a_text_is_compared_without_regard_to_case_and_with_wildcards(
    pattern: str, matched: list[str]
) -> None:
    names = ["search", "SEARCH", "search_orders", "a*b", "a.b", "axb"]
    found = rows(rule(f"a:\n  tool_name: '{pattern}'"), *calls(*names))
    assert [names[row] for row in found] == matched


@pytest.mark.parametrize(
    ("detection", "matched"),
    [
        ("a: {tool_name|cased: Search}", [1]),
        ("a: {tool_name|re: '^se.*h$'}", [0]),
        ("a: {tool_name|re|i: '^se.*h$'}", [0, 1]),
        ("a: {tool_name|contains|all: [sea, orders]}", [2]),
        ("a: {tool_name|startswith: [x, search_]}", [2]),
        ("a: {tool_name: [search_orders, nothing]}", [2]),
        ("a:\n  - {tool_name: search_orders}\n  - {tool_name|cased: search}", [0, 2]),
    ],
)
def test_modifiers_do_what_sigma_says_of_them(detection: str, matched: list[int]) -> None:
    assert rows(rule(detection), *calls("search", "Search", "search_orders")) == matched


@pytest.mark.parametrize(
    ("detection", "matched"),
    [
        ("a: {http_status|gte: 500}", [1]),
        ("a: {http_status|lt: 500}", [0]),
        ("a: {http_status: 504}", [1]),
        ("a: {http_status: null}", [2]),
        ("a: {http_status|exists: true}", [0, 1]),
        ("a: {http_status|exists: false}", [2]),
        ("a: {policy_action: ''}", [0, 1, 2]),
        ("a: {source: ''}", []),
        ("a: {policy_action|exists: true}", []),
        ("a: {policy_verdict|exists: true}", [2]),
        ("a: {data_classes: PII}", [1]),
        ("a: {data_classes|contains: p}", [1, 2]),
        ("a: {outcome: failure}", [1]),
        ("a: {event_time|hour: 12}", [0, 1]),
        ("a: {event_time|hour|gte: 13}", [2]),
        ("a: {attributes.region: EU}", [0]),
        ("a: {attributes.size|gt: 9}", [1]),
        ("a: {src_ip|cidr: 203.0.112.0/23}", [1]),
        ("a: {inference_stream: true}", [1]),
        ("a: {inference_response_model|fieldref: inference_request_model}", [1]),
    ],
)
def test_a_field_is_compared_as_what_it_is(detection: str, matched: list[int]) -> None:
    inference = {"provider": "openai", "request_model": "a", "response_model": "b"}
    same = {**inference, "response_model": "a", "stream": True}
    events = [
        event(http_status=200, attributes={"region": "eu", "size": "7"}, inference=inference),
        event(
            http_status=504, data_classes=["secret", "pii"], outcome="FAILURE", src_ip="203.0.113.9",
            attributes={"size": "10"}, inference=same,
        ),
        event(
            data_classes=["phi"], src_ip="203.0.114.9", event_time="2026-03-01T13:00:00Z",
            policy={"id": "g", "verdict": "deny"},
        ),
    ]  # fmt: skip
    assert rows(rule(detection), *events) == matched


def test_what_a_field_does_not_have_is_not_equal_and_so_matches_what_is_negated() -> None:
    text = rule("a: {event_type: ai.tool_call}\nb: {tool_mcp_server: known}", "a and not b")
    known = event(event_type="ai.tool_call", tool={"name": "x", "mcp_server": "known"})
    assert rows(text, *calls("x"), known, event()) == [0]


def test_a_rule_about_a_type_is_asked_of_no_other_and_of_no_repeat() -> None:
    text = rule("a: {actor_id: p}").replace("{product: ai_audit}", "{product: ai_audit, service: ai.x}")
    events = [event(event_type="ai.x", actor_id="p"), event(event_type="ai.y", actor_id="p")]
    assert rows(text, *events) == [0]
    assert rows(text, *events, duplicate_of=pl.lit(0, dtype=pl.UInt64)) == []


def test_what_all_events_say_holds_for_all_of_them_but_repeats() -> None:
    events = [event(actor_id="p")] * 3
    assert rows(rule("a: {actor_id: P}"), *events) == [0, 1, 2]
    assert rows(rule("a: {actor_id: q}"), *events) == []
    assert rows(
        rule("a: {actor_id: P}"), *events, duplicate_of=pl.Series([None, 0, None], dtype=pl.UInt64)
    ) == [0, 2]


@pytest.mark.parametrize("others", [1, 1_000])
def test_a_record_of_another_log_is_found_among_events_of_few_and_of_very_many_sources(others: int) -> None:
    text = rule("a: {userIdentity.type: root}", product="aws, service: cloudtrail")
    trail = {"source": "urn:aws:cloudtrail:1:eu", "attributes": {"userIdentity.type": "Root"}}
    assert rows(text, *(event(source=f"svc://{number}") for number in range(others)), event(**trail)) == [
        others
    ]


def test_fields_of_cloudtrail_are_those_of_its_records() -> None:
    text = rule("a: {userIdentity.type: root}", product="aws, service: cloudtrail")
    trail = {"source": "urn:aws:cloudtrail:1:eu", "attributes": {"userIdentity.type": "Root"}}
    assert rows(text, event(**trail), event(**trail | {"source": "svc://other"})) == [0]


def test_fields_of_another_log_are_those_of_its_records_whatever_the_capitals_of_the_first() -> None:
    text = rule(
        "a: {eventtype: user.session.start, debugcontext.debugData.risk: high}", product="okta, service: okta"
    )
    attributes = {"eventType": "user.session.start", "debugContext.debugData.risk": "HIGH"}
    started = {"source": "urn:okta:system:", "attributes": attributes}
    assert rows(text, event(**started), event(**started | {"source": "urn:aws:cloudtrail:1:eu"})) == [0]


def test_a_field_that_another_log_does_not_have_is_refused_with_one_that_is_near() -> None:
    text = rule("a: {evntType: x}", product="okta, service: okta")
    assert "evntType: is no field of a record of Okta's System Log | Did you mean eventType?" in fault(text)


@pytest.mark.parametrize(
    ("detection", "said"),
    [
        ("a: {tool_nme: x}", "tool_nme: is no column of events | Did you mean tool_name?"),
        ("a: {tool.name: x}", "tool.name: is no column of events | Did you mean tool_name?"),
        ("a: {outcome: FAILED}", "outcome: 'FAILED' is none of BLOCKED, FAILURE, PARTIAL, SUCCESS, UNKNOWN"),
        ("a: {http_status: many}", "http_status: is compared with the text 'many', but is Int32"),
        ("a: {tool_name|re: '(?=x)'}", "tool_name: pattern '(?=x)' is not one of ours"),
        ("a: {tool_name|re: '(a)\\1'}", "tool_name: pattern"),
        ("a: {event_time: 3}", "event_time: is a time: compare a part of it"),
        ("a: {costs: x}", "costs: cannot be compared with anything"),
        ("a: {sealed: x}", "sealed: cannot be compared with anything"),
        ("a: [word]", "keyword 'word' names no field"),
        ("a: {tool_name|expand: '%list%'}", "has a placeholder"),
        ("a: {http_status|fieldref: tool_name}", "cannot be compared with tool_name"),
        ("b: {tool_name: x}", "Detection 'a' not defined"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_with_file_rule_field_and_reason(detection: str, said: str) -> None:
    assert said in fault(rule(detection))
    assert fault(rule(detection)).startswith("test.yaml: test.rule: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "test.yaml: file: is not YAML"),
        ("- a", "holds a document that is no mapping"),
        ("title: x", "name: is no slug"),
        (rule("a: {tool_name: x}").replace("level: high", ""), "level: is needed"),
        (rule("a: {tool_name: x}").replace("ai_audit", "windows"), "logsource: 'windows' is none of ours"),
        (rule("a: {tool_name: x}") + "x-atals: [AML.T0012]\n", "x-atals: is none of"),
        (rule("a: {tool_name: x}") + "x-scope: tools\n", "tools: is no column of events"),
        (rule("a: {tool_name: x}") * 2, "not YAML"),
        (rule("a: {tool_name: x}") + "---" + rule("a: {tool_name: y}"), "name: is another rule's too"),
        (BOMB, "too many"),
        ("x" * 300_000, "is larger than 256 KiB"),
    ],
)  # fmt: skip
def test_a_file_that_is_broken_is_refused_and_named(text: str, said: str) -> None:
    assert said in fault(text)


def test_a_pattern_that_backtracking_engines_die_of_takes_no_time() -> None:
    text = rule("a: {tool_name|re: '^(a+)+$'}")
    assert rows(text, *calls("a" * 5_000 + "b", "a" * 5_000)) == [1]


def test_a_rule_with_too_many_values_is_refused() -> None:
    names = ", ".join(f"n{number}" for number in range(1_001))
    assert "compares with more than 1000 values" in fault(rule(f"a: {{tool_name: [{names}]}}"))


def test_a_rule_that_needs_what_a_frame_does_not_have_is_not_asked() -> None:
    [asked] = read(rule("a: {tool_name: x, outcome: SUCCESS}\nb: {policy_id: y}", "a or b")).rules.values()
    assert asked.condition.needs == frozenset()
    [asked] = read(rule("a: {tool_name: x}\nb: {policy_id: y}", "a and not b")).rules.values()
    assert asked.condition.needs == {"tool_name"}


def test_every_column_that_is_not_refused_can_be_compared_with() -> None:
    matches = {"String": "'*'", "List": "'*'", "Boolean": "true"}
    kinds = {name: re.sub(r"\(.*", "", str(dtype)) for name, dtype in frame(event()).schema.items()}
    tried = [name for name, kind in kinds.items() if kind in matches and name != "costs"]
    one_each = (
        rule(f"a: {{{name}: {matches[kinds[name]]}}}").replace("test.rule", f"test.{name}") for name in tried
    )
    found = Matcher(read("---".join(one_each)).rules.values()).matches(frame(full_event()))
    matched = {each.about.name.removeprefix("test.") for each, _ in found}
    added = {"tenant_claim", "attribution_method", "cost_currency", "price_basis", "cost_status"}
    assert len(tried) > 100
    assert set(tried) - matched == added | {"access_mfa"}  # which is false there


def test_a_case_of_a_log_that_is_not_ours_is_refused() -> None:
    case = "- {rule: test.rule, matches: true, log: okta/other, records: [{eventType: x}]}"
    _, [fault] = read_cases({"test.cases.yaml": case})
    assert str(fault).startswith("test.cases.yaml: test.rule: log: is none of aws/cloudtrail, ")
