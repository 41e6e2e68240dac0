"""Traces as lines with bars on one axis."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from auditstream.console import waterfall
from auditstream.query.traces import tree

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def row(number: int, span: str = "", parent: str = "", **more: Any) -> dict[str, Any]:
    return {
        "event_id": uuid.UUID(int=number), "event_time": NOON + timedelta(seconds=number),
        "duration_us": None,
        "event_type": "ai.tool_call", "source": "svc", "agent_id": "", "model": "",
        "tool_name": f"tool-{number}",
        "span_id": span, "parent_span_id": parent, "policy_subject_event_id": None,
        "review_subject_event_id": None, "evaluation_subject_event_id": None, "causation_id": None,
        "input_tokens": None, "output_tokens": None, "cost_effective": None, "cost_currency": "",
        "cost_status": "none", "outcome": "SUCCESS", "error_type": "", "policy_verdict": "",
    } | more  # fmt: skip


def drawn(*rows: dict[str, Any]) -> list[waterfall.Line]:
    return waterfall.lines(tree("t", rows), lambda id_: f"/events/{id_}", lambda id_: f"/peek/{id_}")


def test_guides_lead_from_each_step_to_what_it_led_to() -> None:
    lines = drawn(row(1, "a"), row(2, "b", "a"), row(3, "c", "b"), row(4, "d", "a"))

    assert [line.guides for line in lines] == [(), ("branch",), ("line", "last"), ("last",)]


def test_bars_lie_on_one_axis_from_the_first_beginning_to_the_last_end() -> None:
    first, second = drawn(row(0, "a", duration_us=10_000_000), row(5, "b", "a", duration_us=2_500_000))

    assert (first.x, first.width) == (0, 100)
    assert (second.x, second.width) == (50, 25)
    assert second.begins == "5.00 s"


def test_a_moment_is_seen_and_stays_on_the_axis() -> None:
    _, last = drawn(row(0, "a"), row(10, "b", "a"))

    assert last.took is None
    assert last.width > 0
    assert last.x + last.width <= 100


def test_a_run_of_one_moment_is_drawn() -> None:
    (only,) = drawn(row(0))

    assert (only.x, only.begins) == (0, "0 µs")


def test_the_axis_is_labelled_from_start_to_end() -> None:
    trace = tree("t", [row(0, duration_us=8_000_000)])

    assert waterfall.axis(trace) == ["0", "2.00 s", "4.00 s", "6.00 s", "8.00 s"]


def test_a_step_tells_what_it_did_and_how_it_ended() -> None:
    failed, denied = drawn(
        row(1, outcome="FAILURE", error_type="timeout"),
        row(2, event_type="ai.policy.decision", tool_name="", agent_id="planner", policy_verdict="DENY"),
    )

    assert (failed.name, failed.error, failed.tone) == ("Tool call: tool-1", "timeout", "failure")
    assert (denied.name, denied.verdict) == ("Policy decision: planner", "deny")
