"""Columns of a list."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from auditstream.console.columns import COLUMNS, USUAL, cells, chosen
from auditstream.query.events import LIST_COLUMNS

RECORD: dict[str, Any] = dict.fromkeys(LIST_COLUMNS, "") | {
    "event_time": datetime(2026, 3, 1, 12, tzinfo=UTC), "event_id": "e-1", "event_type": "ai.tool_call",
    "actor_id": "u<1>", "agent_id": "planner", "tool_name": "search", "outcome": "FAILURE",
    "input_tokens": None, "output_tokens": 1200, "cost_effective": Decimal("0.1"), "cost_currency": "USD",
}  # fmt: skip


def test_a_list_that_names_no_column_shows_the_usual_ones() -> None:
    assert tuple(each.name for each in chosen([])) == USUAL
    assert tuple(each.name for each in chosen(["no such column"])) == USUAL


def test_a_list_shows_what_is_chosen_in_its_own_order_and_the_time_first() -> None:
    assert [each.name for each in chosen(["cost", "type"])] == ["time", "type", "cost"]


def test_every_column_can_be_shown_of_a_row_of_a_search() -> None:
    shown = dict(zip((each.name for each in COLUMNS), cells(COLUMNS, RECORD), strict=True))

    assert "planner" in shown["who"].html
    assert "u&lt;1&gt;" in shown["who"].html
    assert "<1>" not in "".join(str(cell.html) for cell in shown.values())
    assert shown["what"].html == "search"
    assert shown["output_tokens"].html == "1,200"
    assert (shown["type"].icon, shown["outcome"].class_) == ("wrench", "")
