"""What watched the actions, against counts made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditstream.query.named_periods import Span
from auditstream.query.oversight import Fallback, Outcome, Oversight, Reviews, oversight
from auditstream.query.reader import Reader
from tests.support.blocks import block_of
from tests.support.stores import ClickHouseStore, OpenClient, reading

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAY = Span(NOON - timedelta(hours=12), NOON + timedelta(hours=12))
SECOND = 1_000_000


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    with reading(engine, store) as opened:
        yield opened


def found(reader: Reader, **options: Any) -> Oversight:
    return oversight(reader, DAY, NOON + timedelta(hours=1), **options)


def test_fallbacks_are_counted_by_route_and_reason(store: ClickHouseStore, reader: Reader) -> None:
    store.insert(
        block_of(
            rows=4,
            event_type="ai.routing",
            routing_from_model="a",
            routing_to_model=["b", "b", "c", "b"],
            routing_reason=["fallback", "fallback", "fallback", "cost"],
            routing_attempt=[1, 3, 2, 0],
        )
    )
    assert found(reader).fallbacks == [
        Fallback("acme", "a", "b", "fallback", 2, 3),
        Fallback("acme", "a", "b", "cost", 1, 0),
        Fallback("acme", "a", "c", "fallback", 1, 2),
    ]
    assert found(reader, tenant="globex").fallbacks == []


def test_outcomes_of_guardrails_and_evaluations_have_their_totals(
    store: ClickHouseStore, reader: Reader
) -> None:
    store.insert(
        block_of(
            rows=4,
            event_type="ai.policy.decision",
            policy_id=["g", "g", "g", "p"],
            policy_verdict=["allow", "allow", "deny", "allow"],
            policy_action=["allow", "allow", "block", "allow"],
        )
    )
    store.insert(
        block_of(
            lo=4,
            rows=3,
            event_type="ai.evaluation",
            evaluation_name="grounded",
            evaluation_label=["pass", "pass", "fail"],
            evaluation_score=[0.9, 0.7, None],
        )
    )
    assert found(reader).guardrails == [
        Outcome("acme", "g", "allow, allow", 2, 3),
        Outcome("acme", "g", "deny, block", 1, 3),
        Outcome("acme", "p", "allow, allow", 1, 1),
    ]
    passed, failed = found(reader).evaluations
    assert (passed.outcome, passed.events, passed.total) == ("pass", 2, 3)
    assert passed.score == pytest.approx(0.8)
    assert failed.score is None


def test_a_review_is_counted_once_by_what_was_decided_last(store: ClickHouseStore, reader: Reader) -> None:
    rows: list[tuple[str, str, float, float | None, float | None]] = [
        # subject, decision, minutes after noon, seconds it took, minutes until it expires
        ("s1", "REQUESTED", 0, None, 30), ("s1", "ESCALATE", 1, 60, None), ("s1", "APPROVE", 2, 120, None),
        ("s2", "REQUESTED", 0, None, 90), ("s3", "REQUESTED", 0, None, None),
        ("s4", "REQUESTED", 0, None, 30), ("s5", "REQUESTED", 0, None, 30), ("s5", "EXPIRED", 31, None, None),
        ("s6", "APPROVE", 1, 2.9, None), ("s7", "OVERRIDE", 1, 3, None), ("s8", "REJECT", 1, 1, None),
    ]  # fmt: skip
    subjects, decisions, minutes, seconds, expires = map(list, zip(*rows, strict=True))
    store.insert(
        block_of(
            rows=len(rows),
            event_type="ai.human.review",
            review_subject_event_id=subjects,
            review_decision=decisions,
            event_time=[NOON + timedelta(minutes=float(each or 0)) for each in minutes],
            review_latency_us=[None if each is None else int(float(each) * SECOND) for each in seconds],
            review_expires=[
                None if each is None else NOON + timedelta(minutes=float(each)) for each in expires
            ],
        )
    )
    assert found(reader).reviews == [
        Reviews(
            tenant="acme", subjects=8, pending=2, expired=2, approved=2, rejected=1, overridden=1,
            escalated=0, rubber_stamps=1, median_us=3 * SECOND, p95_us=120 * SECOND,
        )
    ]  # fmt: skip
