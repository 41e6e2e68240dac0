"""Free-text search: which words find an event, and that the index does the finding."""

from __future__ import annotations

import pytest

from tests.support.blocks import block_of
from tests.support.stores import ClickHouseStore


def insert_events(store: ClickHouseStore) -> None:
    store.insert(
        block_of(
            rows=4,
            event_type=["ai.tool_call", "ai.inference", "ai.policy.decision", ""],
            tool_name=["browser-search", None, None, None],
            inference_response_model=[None, "gpt-4o-2024-08-06", None, None],
            policy_verdict=[None, None, "deny", None],
            attributes=[{"ticket": "ABC-42"}, {}, {}, {}],
            actor_id=["Müller", "user-7", None, None],
            leaf_kind=[0, 0, 0, 1],
            reject_reason=["", "", "", "undecodable"],
        )
    )


@pytest.mark.parametrize(
    ("words", "leaves"),
    [
        ("browser", [0]),
        ("tool_call", [0]),
        ("ABC-42", [0]),
        ("ticket", [0]),
        ("gpt-4o", [1]),
        ("gpt-4o browser", []),
        ("DENY", [2]),
        ("Müller", [0]),
        ("undecodable", [3]),
        ("nothing", []),
    ],
)
def test_an_event_is_found_by_its_words(store: ClickHouseStore, words: str, leaves: list[int]) -> None:
    insert_events(store)

    found = store.ask(
        "SELECT leaf_index FROM events WHERE hasAllTokens(search_text, {words:String}) ORDER BY leaf_index",
        words=words,
    )

    assert [index for (index,) in found] == leaves


def test_words_find_events_through_the_current_view_too(store: ClickHouseStore) -> None:
    insert_events(store)

    assert store.value("SELECT count() FROM events_current WHERE hasAllTokens(search_text, 'browser')") == 1


def test_the_index_finds_them_before_and_after_parts_merge(store: ClickHouseStore) -> None:
    insert_events(store)
    store.insert(block_of(lo=4, rows=2, tool_name="sql"))
    asked = "SELECT leaf_index FROM events WHERE hasAllTokens(search_text, 'sql') ORDER BY leaf_index"
    plan = "\n".join(line for (line,) in store.ask(f"EXPLAIN indexes = 1 {asked}"))
    before = store.ask(asked)

    store.client.command("OPTIMIZE TABLE events FINAL")

    assert before == store.ask(asked) == [(4,), (5,)]
    assert "Name: search_words" in plan
