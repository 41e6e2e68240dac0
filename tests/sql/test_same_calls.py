"""One call, one cost, in the store: what counts, what is shown, and what a successor remembers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from auditstream.core.ids import call_key
from tests.support.blocks import LOG, block_of
from tests.support.call_reports import call
from tests.support.recorders import KeptHistory, recorder_of, segment_of
from tests.support.stores import ClickHouseStore

REPORTS: list[Any] = [
    call("a"),
    call("a"),
    call("b", usage=None),
    call("b"),
    call(None),
    call("c", event_type="ai.agent.action"),
    call("d", tenant_id="globex"),
    call("d", provider="ünïcode"),
]
"""Five calls with a response id that count: a, b, two of d; and one without an id."""


@pytest.fixture
def recorded(store: ClickHouseStore) -> ClickHouseStore:
    """The reports, recorded."""
    store.client.command("TRUNCATE TABLE cost_adjustments")
    store.insert(recorder_of().build(segment_of(REPORTS)))
    return store


def test_a_further_report_points_at_the_first_and_has_no_cost(recorded: ClickHouseStore) -> None:
    assert recorded.values("same_call_as") == [None, 0, None, None, None, None, None, None]
    shown = (
        "SELECT leaf_index, input_tokens, cost_status, cost_billed > 0 FROM {} "
        "WHERE leaf_index < 2 ORDER BY leaf_index"
    )
    assert recorded.ask(shown.format("events")) == [(0, 1000, "priced", True), (1, 1000, "none", None)]
    assert recorded.ask(shown.format("events_current")) == [
        (0, 1000, "priced", True),
        (1, None, "none", None),
    ]
    assert recorded.value("SELECT count() FROM events_current") == len(REPORTS)


@pytest.mark.parametrize("table", ["usage_1m", "usage_1h", "costs_current", "outcomes_1m"])
def test_a_call_counts_once_in_every_sum(recorded: ClickHouseStore, table: str) -> None:
    query = f"SELECT sum(events) FROM {table} WHERE inference_provider = 'openai' AND tenant_id = 'acme'"
    if table == "outcomes_1m":
        query += " AND event_type = 'ai.inference'"
    # a, both reports of b (the first counted nothing and so is no call), the one without an id; and an action
    assert recorded.value(query) == (4 if table == "outcomes_1m" else 5)


def test_tokens_and_costs_are_those_of_one_report_a_call(recorded: ClickHouseStore) -> None:
    own = "event_type = 'ai.inference' AND tenant_id = 'acme' AND inference_provider = 'openai'"
    assert recorded.value(f"SELECT sum(input_tokens) FROM usage_1h WHERE {own}") == 3000
    assert recorded.value(f"SELECT sum(input_tokens) FROM events_current WHERE {own}") == 3000
    one = recorded.value("SELECT cost_billed FROM events WHERE leaf_index = 0")
    assert recorded.value(f"SELECT sum(cost_billed) FROM usage_1h WHERE {own}") == 3 * one > Decimal(0)


def test_a_successor_reads_the_same_first_reports_as_it_would_have_kept(recorded: ClickHouseStore) -> None:
    block = recorder_of().build(segment_of(REPORTS))
    kept = KeptHistory(block).first_calls(LOG, 0, len(REPORTS)).sort("leaf_index")
    read = recorded.sink.history().first_calls(LOG, 0, len(REPORTS)).sort("leaf_index")
    assert read.rows() == kept.rows()
    assert read.get_column("leaf_index").to_list() == [0, 3, 6, 7]
    assert read.get_column("call_key").to_list()[3] == call_key("acme", "ünïcode", "d")
    assert recorded.sink.history().first_calls(LOG, 1, 7).height == 2


def test_a_hit_is_confirmed_by_the_recorded_names(recorded: ClickHouseStore) -> None:
    assert recorded.sink.history().calls_at(LOG, [1, 6]) == {
        1: call_key("acme", "openai", "a"),
        6: call_key("globex", "openai", "d"),
    }


def test_what_an_adjusted_report_counts_is_still_none(recorded: ClickHouseStore) -> None:
    columns = (
        "adjustment_id, kind, log_id, leaf_index, event_id, event_time, tenant_id, stands, reason, "
        "recorded_at, actor"
    )
    recorded.client.command(
        f"INSERT INTO cost_adjustments ({columns}) SELECT generateUUIDv7(), 'attribution', log_id, "
        "leaf_index, event_id, event_time, tenant_id, true, 'test', now64(6), 'test' "
        "FROM events WHERE leaf_index = 1"
    )
    assert recorded.ask("SELECT input_tokens, cost_billed FROM events_current WHERE leaf_index = 1") == [
        (None, None)
    ]


def test_a_block_without_calls_leaves_the_column_empty(store: ClickHouseStore) -> None:
    store.insert(block_of())
    assert store.values("same_call_as") == [None, None, None]
