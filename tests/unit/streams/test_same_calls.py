"""One call, one cost: further reports of a provider's response stay in the log and cost nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.ports import Block
from tests.support.call_reports import call
from tests.support.examples import examples
from tests.support.recorders import messages_to, record_in, recorder_of, segment_of


def built(*values: Any, earlier: tuple[Block, ...] = (), lo: int = 0) -> Block:
    return recorder_of(*earlier).build(segment_of(values, lo=lo))


def marks(block: Block) -> list[int | None]:
    return block.frame.get_column("same_call_as").to_list()


def costs(block: Block) -> list[Decimal | None]:
    return block.frame.get_column("cost_billed").to_list()


def test_a_second_report_of_a_call_points_at_the_first_and_costs_nothing() -> None:
    block = built(call(), call(), call("resp-2"))
    assert marks(block) == [None, 0, None]
    assert block.frame.get_column("duplicate_of").to_list() == [None, None, None]
    assert block.frame.get_column("cost_status").to_list() == ["priced", "none", "priced"]
    assert block.frame.get_column("cost_currency").to_list() == ["USD", "", "USD"]
    first, second, _ = costs(block)
    assert first is not None
    assert first > 0
    assert second is None
    assert block.frame.get_column("costs").list.len().to_list()[1] == 0
    assert block.same_calls == 1
    assert block.duplicates == 0


def test_tokens_stay_in_the_row_as_reported() -> None:
    assert built(call(), call()).frame.get_column("input_tokens").to_list() == [1000, 1000]


def test_a_call_is_counted_once_in_the_usage_that_is_published() -> None:
    block = built(call(), call())
    (message,) = messages_to("audit.usage.v1", block)
    (line,) = record_in(message, "usage_delta")["lines"]
    assert (line["events"], line["input_tokens"], line["unpriced"]) == (1, 1000, 0)


@pytest.mark.parametrize(
    "other",
    [
        call("resp-2"),
        call(None),
        call(""),
        call(provider="anthropic"),
        call(tenant_id="globex"),
        call(event_type="ai.agent.action"),
    ],
)
def test_another_response_provider_tenant_or_kind_is_another_call(other: dict[str, Any]) -> None:
    assert marks(built(call(), other)) == [None, None]


def test_events_without_a_response_id_are_never_one_call() -> None:
    assert marks(built(call(None), call(None), call(""), call(""))) == [None] * 4


def test_an_embedding_is_a_call_too() -> None:
    assert marks(built(call(event_type="ai.embedding"), call())) == [None, 0]


def test_a_report_that_counts_nothing_is_never_the_first() -> None:
    block = built(call(usage=None), call(), call(usage=None), call())
    assert marks(block) == [None, None, 1, 1]
    assert [cost is not None for cost in costs(block)] == [False, True, False, False]


def test_a_repeat_of_the_first_report_is_a_duplicate_and_no_second_call() -> None:
    segment = segment_of([call(), call()])
    repeated = segment_of([segment.values[0], segment.values[0], segment.values[1]])
    block = recorder_of().build(repeated)
    assert block.frame.get_column("duplicate_of").to_list() == [None, 0, None]
    assert marks(block) == [None, None, 0]


def test_a_report_in_a_later_segment_points_at_the_first_in_the_log() -> None:
    first = segment_of([call(), call("resp-2")])
    recorder = recorder_of(recorder_of().build(first))  # a hit in memory is confirmed in the store
    recorder.build(first)
    assert marks(recorder.build(segment_of([call("resp-2"), call()], lo=2))) == [1, 0]


def test_a_recorder_that_was_not_there_marks_the_same_from_the_store() -> None:
    earlier = built(call(), call(), call(usage=None, response_id="resp-3"))
    later = [call(), call("resp-3"), call("resp-3")]
    assert marks(built(*later, earlier=(earlier,), lo=3)) == [0, None, 4]


_REPORTS = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=examples(25), deadline=None)  # each builds three blocks
@given(_REPORTS, st.integers(1, 11))
def test_where_a_log_is_cut_into_segments_changes_nothing(reports: list[tuple[str, bool]], cut: int) -> None:
    values = [call(name) if counted else call(name, usage=None) for name, counted in reports]
    whole = built(*values).frame
    first = built(*values[:cut])
    parts = [first.frame]
    if values[cut:]:
        parts.append(built(*values[cut:], earlier=(first,), lo=cut).frame)
    columns = ["same_call_as", "cost_status", "cost_billed"]
    assert pl.concat([part.select(columns) for part in parts]).equals(whole.select(columns))
    counted = whole.filter(pl.col("cost_status") == "priced").height
    assert counted == len({name for name, counts in reports if counts})
