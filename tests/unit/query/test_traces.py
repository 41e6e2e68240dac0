"""Rows of a trace as a tree: each once, below what led to it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditstream.query.traces import Trace, tree

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def row(number: int, span: str = "", parent: str = "", **more: Any) -> dict[str, Any]:
    return {
        "event_id": uuid.UUID(int=number), "event_time": NOON + timedelta(seconds=number), "duration_us": 0,
        "span_id": span, "parent_span_id": parent, "policy_subject_event_id": None,
        "review_subject_event_id": None, "evaluation_subject_event_id": None, "causation_id": None,
        "input_tokens": None, "output_tokens": None, "cost_effective": None, "cost_currency": "",
        "cost_status": "none",
    } | more  # fmt: skip


def drawn(trace: Trace) -> list[tuple[int, int]]:
    """Return depth and number of each step, as a page shows them."""
    return [(depth, step.event["event_id"].int) for depth, step in trace.walk()]


def test_a_span_hangs_from_the_span_that_it_names() -> None:
    rows = [row(1, "a"), row(2, "b", "a"), row(3, "c", "b"), row(4, "d", "a")]
    assert drawn(tree("t", rows)) == [(0, 1), (1, 2), (2, 3), (1, 4)]


def test_a_child_that_began_before_its_parent_hangs_from_it_all_the_same() -> None:
    assert drawn(tree("t", [row(1, "b", "a"), row(2, "a")])) == [(0, 2), (1, 1)]


def test_what_speaks_about_an_event_hangs_from_it() -> None:
    call = uuid.UUID(int=1)
    rows = [
        row(1, "a"),
        row(2, policy_subject_event_id=call),
        row(3, review_subject_event_id=str(call)),
        row(4, evaluation_subject_event_id=call),
    ]
    assert drawn(tree("t", rows)) == [(0, 1), (1, 2), (1, 3), (1, 4)]


def test_a_second_event_of_a_span_hangs_from_the_first() -> None:
    assert drawn(tree("t", [row(1, "a"), row(2, "a"), row(3, "b", "a")])) == [(0, 1), (1, 2), (1, 3)]


def test_a_parent_that_was_not_recorded_leaves_a_root() -> None:
    assert drawn(tree("t", [row(1, "a", "gone"), row(2, "b", "gone")])) == [(0, 1), (0, 2)]


def test_steps_that_name_each_other_in_a_circle_are_shown_from_the_earliest() -> None:
    rows = [row(1, "a", "c"), row(2, "b", "a"), row(3, "c", "b"), row(4, "d", "d")]
    assert drawn(tree("t", rows)) == [(0, 1), (1, 2), (2, 3), (0, 4)]


@given(st.lists(st.tuples(st.sampled_from("abcde "), st.sampled_from("abcde ")), max_size=12))
def test_every_row_is_in_the_tree_once(spans: list[tuple[str, str]]) -> None:
    rows = [row(number, span.strip(), parent.strip()) for number, (span, parent) in enumerate(spans)]
    assert sorted(number for _, number in drawn(tree("t", rows))) == list(range(len(rows)))


def test_a_chain_of_five_thousand_is_drawn_without_recursion() -> None:
    rows = [row(number, f"s{number}", f"s{number - 1}") for number in range(5_000)]
    assert drawn(tree("t", rows))[-1] == (4_999, 4_999)


def test_sums_are_of_all_steps_and_by_currency() -> None:
    rows = [
        row(1, "a", input_tokens=10, output_tokens=2, cost_effective=Decimal("0.1"), cost_currency="USD"),
        row(2, "b", "a", input_tokens=5, cost_effective=Decimal("0.2"), cost_currency="USD"),
        row(3, "c", "a", cost_effective=Decimal(1), cost_currency="EUR", duration_us=9_000_000),
        row(4, "d", cost_status="unpriced"),
    ]
    trace = tree("t", rows)
    assert (trace.tokens("input_tokens"), trace.tokens("output_tokens"), trace.unpriced) == (15, 2, 1)
    assert trace.costs == {"USD": Decimal("0.3"), "EUR": Decimal(1)}
    assert (trace.start, trace.end) == (NOON + timedelta(seconds=1), NOON + timedelta(seconds=12))
