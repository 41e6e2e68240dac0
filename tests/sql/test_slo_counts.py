"""What objectives count, against counts made by hand: of every indicator, by rollup and by event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from auditstream.core.clock import ManualClock
from auditstream.core.ids import uuid7
from auditstream.query.reader import Reader
from auditstream.query.slo_counts import SloCounts
from auditstream.query.slo_rows import SETTLED
from auditstream.reference.objectives import Objective
from sinks.clients import ClientPool
from tests.support.blocks import LOG as BLOCK_LOG
from tests.support.blocks import block_of, event_id_at
from tests.support.stores import ClickHouseStore, OpenClient

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
END = START + timedelta(hours=1)
DAY = START.date()
SECOND = 1_000_000


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    asks = Reader(ClientPool(lambda: engine(str(store.client.database))))
    yield asks
    asks.close()


@pytest.fixture
def counts(reader: Reader) -> SloCounts:
    """Counts as of an hour from now: what a test inserts was recorded long before."""
    return counts_at(reader, datetime.now(UTC) + timedelta(hours=1))


def counts_at(reader: Reader, now: datetime) -> SloCounts:
    return SloCounts(reader, ManualClock(now.timestamp()))


def objective(indicator: str, **fields: Any) -> Objective:
    stated = {
        "slo_id": "o",
        "tenant_id": "acme",
        "indicator": indicator,
        "objective": "0.99",
        "valid_from": START,
    }
    return Objective.model_validate(stated | fields)


def insert(store: ClickHouseStore, *rows: dict[str, Any], day: date = DAY) -> None:
    """Insert events of a day of the log; a row says how many seconds after the start it happened, as `s`."""
    full = [{"event_time": START + timedelta(seconds=row["s"]), **row} for row in rows]
    names = sorted(({name for row in full for name in row} | {"outcome"}) - {"s"})
    columns: dict[str, Any] = {name: [row.get(name, _NOTHING.get(name)) for row in full] for name in names}
    store.insert(block_of(rows=len(rows), day=day, segment_id=str(uuid7()), **columns))


_NOTHING = {
    "outcome": "SUCCESS", "event_type": "ai.inference", "tenant_id": "acme", "trace_id": "", "feature_id": "",
    "source_instance": "", "inference_request_model": "", "cost_status": "none", "routing_reason": "",
    "policy_target": "", "policy_subject_event_id": "", "review_decision": "", "review_subject_event_id": "",
    "evaluation_subject_event_id": "",
}  # fmt: skip


def told(counts: SloCounts, asked: Objective, step_s: int = 60) -> list[tuple[int, int, int]]:
    """Return minutes after the start, bad and valid."""
    first = int(START.timestamp())
    return [
        ((start - first) // 60, bad, valid) for start, bad, valid in counts.counts(asked, START, END, step_s)
    ]


OUTCOMES = [
    {"s": 1, "outcome": "SUCCESS"},
    {"s": 2, "outcome": "FAILURE", "http_status": 500},
    {"s": 3, "outcome": "FAILURE", "http_status": 429},
    {"s": 4, "outcome": "FAILURE", "http_status": 400},
    {"s": 5, "outcome": "BLOCKED"},
    {"s": 6, "outcome": "PARTIAL"},
    {"s": 7, "outcome": "FAILURE"},
    {"s": 70, "outcome": "SUCCESS"},
    {"s": 71, "outcome": "SUCCESS", "event_type": "ai.tool_call"},
    {"s": 72, "outcome": "FAILURE", "tenant_id": "globex"},
]


@pytest.mark.parametrize("scope", [{}, {"feature_id": "advice"}], ids=["rollup", "events"])
def test_a_service_is_away_when_a_call_fails_for_other_reasons_than_the_clients(
    store: ClickHouseStore, counts: SloCounts, scope: dict[str, str]
) -> None:
    insert(store, *({**row, "feature_id": "advice"} for row in OUTCOMES))

    assert told(counts, objective("availability", scope=scope)) == [(0, 4, 5), (1, 0, 1)]
    assert told(counts, objective("error_rate", scope=scope)) == [(0, 4, 6), (1, 0, 1)]
    assert told(counts, objective("availability", scope=scope), step_s=3_600) == [(0, 4, 6)]


def test_a_scope_and_a_range_bound_what_counts(store: ClickHouseStore, counts: SloCounts) -> None:
    insert(
        store,
        {"s": -1, "inference_request_model": "m", "outcome": "FAILURE"},
        {"s": 0, "inference_request_model": "m", "outcome": "FAILURE"},
        {"s": 3_599, "inference_request_model": "m"},
        {"s": 3_600, "inference_request_model": "m"},
        {"s": 5, "inference_request_model": "other"},
        {"s": 6, "event_type": "ai.tool_call", "outcome": "FAILURE"},
        {"s": 7, "tenant_id": "globex", "outcome": "FAILURE"},
    )

    assert told(counts, objective("availability", scope={"model": "m"})) == [(0, 1, 1), (59, 0, 1)]
    assert told(counts, objective("availability", scope={"event_type": "ai.tool_call"})) == [(0, 1, 1)]
    assert told(counts, objective("availability", tenant_id=""), step_s=3_600) == [(0, 2, 4)]


def test_latencies_are_of_calls_that_were_answered_and_measured(
    store: ClickHouseStore, counts: SloCounts
) -> None:
    insert(
        store,
        {"s": 1, "inference_ttft_us": 2 * SECOND, "duration_us": 31 * SECOND},
        {"s": 2, "inference_ttft_us": 2 * SECOND + 1, "duration_us": 30 * SECOND},
        {"s": 3, "inference_ttft_us": None, "duration_us": SECOND},
        {"s": 4, "inference_ttft_us": 9 * SECOND, "duration_us": 90 * SECOND, "outcome": "FAILURE"},
    )

    assert told(counts, objective("latency_ttft")) == [(0, 1, 2)]
    assert told(counts, objective("latency_total")) == [(0, 1, 3)]
    assert told(counts, objective("latency_total", threshold_us=SECOND - 1)) == [(0, 3, 3)]


def test_fallbacks_are_decisions_of_the_router_against_answered_calls(
    store: ClickHouseStore, counts: SloCounts
) -> None:
    insert(
        store,
        {"s": 1},
        {"s": 2, "outcome": "FAILURE"},
        {"s": 3, "event_type": "ai.routing", "routing_reason": "fallback"},
        {"s": 4},
        {"s": 5, "event_type": "ai.routing", "routing_reason": "retry"},
        {"s": 6, "routing_reason": "fallback"},  # a gateway that says it with the call itself
    )

    assert told(counts, objective("fallback")) == [(0, 2, 3)]


def test_the_priced_share_is_of_events_that_need_a_price(store: ClickHouseStore, counts: SloCounts) -> None:
    insert(
        store, *({"s": n, "cost_status": s} for n, s in enumerate(["priced", "unpriced", "none", "priced"]))
    )

    assert told(counts, objective("priced_share")) == [(0, 1, 3)]


def test_freshness_is_from_the_broker_to_the_store(store: ClickHouseStore, counts: SloCounts) -> None:
    """The store says itself when a row came: now."""
    now = datetime.now(UTC)
    waits = [1, 50, 70, 900]
    rows = ({"s": -9_999, "kafka_timestamp": now - timedelta(seconds=wait)} for wait in waits)
    insert(store, *rows, day=now.date())

    around = (now - timedelta(minutes=1), now + timedelta(hours=1))
    assert [each[1:] for each in counts.counts(objective("audit_freshness"), *around, 86_400 * 7)] == [(2, 4)]


def test_numbers_that_do_not_come_within_ten_minutes_are_missed(
    store: ClickHouseStore, counts: SloCounts
) -> None:
    """Of one instance 1, 2, 5 came and a heartbeat that says 7; of another all of 1 to 3, out of order."""
    a, b = {"source_instance": "a"}, {"source_instance": "b"}
    insert(
        store,
        {"s": 0, **a, "source_seq": 1},
        {"s": 1, **a, "source_seq": 2},
        {"s": 60, **a, "source_seq": 5},
        {"s": 120, **a, "event_type": "ai.source.heartbeat", "heartbeat_last_seq": 7},
        {"s": 2, **b, "source_seq": 3},
        {"s": 3, **b, "source_seq": 1},
        {"s": 4, **b, "source_seq": 2, "tenant_id": "globex"},
        {"s": 5, "event_type": "ai.source.heartbeat", "heartbeat_last_seq": 0, "source_instance": "c"},
    )

    # Minutes 0, 1 and 2 count ten minutes later.
    assert told(counts, objective("audit_completeness")) == [(10, 0, 4), (11, 2, 3), (12, 2, 2)]
    assert told(counts, objective("audit_completeness", tenant_id="globex")) == [(10, 0, 1)]


def recorded_apart(store: ClickHouseStore, first: dict[str, Any], second: dict[str, Any]) -> datetime:
    """Insert two events one after the other, and return a moment between."""
    insert(store, first)
    ((at,),) = store.client.query("SELECT max(inserted_at) FROM events").result_rows
    between: datetime = at.replace(tzinfo=UTC) + timedelta(milliseconds=1)
    while store.client.query("SELECT now64(3)").result_rows[0][0].replace(tzinfo=UTC) < between:
        pass  # a thousandth of a second
    insert(store, second)
    return between


def test_a_number_that_was_recorded_just_now_tells_of_none_that_is_missing(
    store: ClickHouseStore, reader: Reader
) -> None:
    """Partitions are recorded each at its own pace: 2 is still on its way while 3 is there."""
    insert(store, {"s": 0, "source_seq": 1})
    between = recorded_apart(store, {"s": 60, "source_seq": 3}, {"s": 120, "source_seq": 5})
    asked = objective("audit_completeness")

    assert told(counts_at(reader, between), asked) == []
    # A minute on, 3 tells of 2; and 4 may be on its way still.
    assert told(counts_at(reader, between + SETTLED), asked) == [(10, 0, 1), (11, 1, 2)]
    insert(store, {"s": 30, "source_seq": 2})
    assert told(counts_at(reader, between + SETTLED), asked) == [(10, 0, 1), (11, 0, 1)]


def test_a_number_that_comes_late_is_there(store: ClickHouseStore, counts: SloCounts) -> None:
    insert(store, {"s": 0, "source_seq": 1}, {"s": 1, "source_seq": 3}, {"s": 300, "source_seq": 2})

    assert told(counts, objective("audit_completeness"), step_s=3_600) == [(0, 0, 3)]


def test_a_gap_over_the_start_of_the_range_is_seen(store: ClickHouseStore, counts: SloCounts) -> None:
    insert(store, {"s": -7_200, "source_seq": 1}, {"s": 60, "source_seq": 4})

    assert told(counts, objective("audit_completeness")) == [(11, 2, 3)]


def output(number: int) -> str:
    """Return the id of the event that is inserted as row `number`."""
    return str(event_id_at(BLOCK_LOG, number))


def test_an_output_is_verified_by_a_check_that_names_it_or_follows_it_in_its_trace(
    store: ClickHouseStore, counts: SloCounts
) -> None:
    policy, evaluation, review = "ai.policy.decision", "ai.evaluation", "ai.human.review"
    insert(
        store,
        {"s": 0},  # 0: a policy judged it
        {"s": 1},  # 1: it was evaluated, too late
        {"s": 2},  # 2: a review was asked for, and came to nothing
        {"s": 3, "trace_id": "t"},  # 3: judged in its trace
        {"s": 4, "trace_id": "u"},  # 4: its trace has a check of the input alone
        {"s": 5},  # 5: rejected by a person
        {"s": 6, "outcome": "FAILURE"},  # no output
        {"s": 10, "event_type": policy, "policy_subject_event_id": output(0).upper()},
        {"s": 1_900, "event_type": evaluation, "evaluation_subject_event_id": output(1)},
        {"s": 11, "event_type": review, "review_decision": "REQUESTED", "review_subject_event_id": output(2)},
        {"s": 12, "event_type": policy, "policy_target": "output", "trace_id": "t"},
        {"s": 13, "event_type": policy, "policy_target": "input", "trace_id": "u"},
        {"s": 14, "event_type": review, "review_decision": "REJECT", "review_subject_event_id": output(5)},
        {"s": 15, "event_type": evaluation, "evaluation_subject_event_id": output(4), "tenant_id": "globex"},
    )

    asked = objective("verification_coverage", threshold_us=1_800 * SECOND)
    assert told(counts, asked) == [(30, 3, 6)]
    # In two hours even the late one; of those only what is over by the end of the range counts.
    late = objective("verification_coverage", threshold_us=3_601 * SECOND)
    assert counts.counts(late, START + timedelta(hours=1), END + timedelta(hours=1), 3_600)[0][1:] == (2, 6)


def test_an_output_that_was_recorded_just_now_waits_for_the_checks_that_came_with_it(
    store: ClickHouseStore, reader: Reader
) -> None:
    check = {"s": 1, "event_type": "ai.policy.decision", "policy_subject_event_id": output(0)}
    between = recorded_apart(store, {"s": 0}, check)
    asked = objective("verification_coverage", threshold_us=60 * SECOND)

    assert told(counts_at(reader, between), asked) == []
    assert told(counts_at(reader, between + SETTLED), asked) == [(1, 0, 1)]


def test_a_check_before_an_output_in_its_trace_is_none_of_it(
    store: ClickHouseStore, counts: SloCounts
) -> None:
    check = {"event_type": "ai.policy.decision", "policy_target": "output", "trace_id": "t"}
    insert(store, {"s": 0, "trace_id": "t"}, {"s": 5, **check}, {"s": 10, "trace_id": "t"})

    assert told(counts, objective("verification_coverage", threshold_us=60 * SECOND)) == [(1, 1, 2)]
