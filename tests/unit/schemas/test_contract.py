"""The contract names the first broken clause, the same for one event and for a block of them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
import pytest

from auditstream.core.errors import ContractError
from schemas.contract import Violation, check, violation, violations_in
from schemas.flatten import frame_of
from tests.support.events import COST_LINE, event, full_event


def _inference(**fields: Any) -> dict[str, Any]:
    return {"inference": {"provider": "openai"} | fields}


def _cost(**fields: Any) -> dict[str, Any]:
    return {"costs": [COST_LINE, COST_LINE | fields]}


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"event_id": UUID(int=0)}, "event_id: is the nil UUID"),
    ({"event_type": ""}, "event_type: is not 1 to 128 printable characters without spaces"),
    ({"event_type": "ai inference"}, "event_type: is not 1 to 128 printable characters without spaces"),
    ({"event_type": "ai.inference\n"}, "event_type: is not 1 to 128 printable characters without spaces"),
    ({"event_type": "x" * 129}, "event_type: is not 1 to 128 printable characters without spaces"),
    ({"event_time": datetime(1970, 1, 21, tzinfo=UTC)}, "event_time: is not a time from 2000 to 2099"),
    ({"event_time": datetime(2100, 1, 1, tzinfo=UTC)}, "event_time: is not a time from 2000 to 2099"),
    ({"observed_time": datetime(1999, 1, 1, tzinfo=UTC)}, "observed_time: is not a time from 2000 to 2099"),
    ({"source": ""}, "source: is empty"),
    ({"duration_us": -1}, "duration_us: is negative"),
    ({"tenant_id": "a\x00b"}, "tenant_id: is longer than 128 characters or has control characters"),
    ({"actor_hash": "ABCD"}, "actor_hash: is not lower-case hex"),
    ({"actor_hash": "abc"}, "actor_hash: is not lower-case hex"),
    ({"content_hmac": ""}, "content_hmac: is not lower-case hex"),
    ({"src_asn": 2**32}, "src_asn: is not an autonomous system number"),
    ({"src_country": "Germany"}, "src_country: is not an ISO 3166 code of two letters"),
    ({"trace_id": "4bf92f3577b34da6"}, "trace_id: is not 32 lower-case hex digits"),
    ({"span_id": "00F067AA0BA902B7"}, "span_id: is not 16 lower-case hex digits"),
    ({"parent_span_id": "1"}, "parent_span_id: is not 16 lower-case hex digits"),
    ({"http_status": 42}, "http_status: is not an HTTP status"),
    ({"severity": 7}, "severity: is not 0 to 6"),
    ({"severity": -1}, "severity: is not 0 to 6"),
    (_inference(provider=""), "inference.provider: is empty"),
    (_inference(max_tokens=-1), "inference.max_tokens: is negative"),
    (_inference(temperature=math.nan), "inference.temperature: is not a finite number"),
    (_inference(top_p=math.inf), "inference.top_p: is not a finite number"),
    (_inference(system_hash="xyz"), "inference.system_hash: is not lower-case hex"),
    ({"usage": {"input_tokens": -1}}, "usage.input_tokens: is negative"),
    ({"usage": {"by_modality": {"a": 1, "b": -1}}}, "usage.by_modality: has a value that is negative"),
    (
        {"usage": {"cache_read_tokens": 1}},
        "usage.cache_read_tokens: is given without input_tokens, which includes it",
    ),
    (
        {"usage": {"input_tokens": 1, "cache_write_tokens": 2}},
        "usage.cache_write_tokens: is more than input_tokens, which includes it",
    ),
    (
        {"usage": {"output_tokens": 1, "reasoning_tokens": 2}},
        "usage.reasoning_tokens: is more than output_tokens, which includes it",
    ),
    (
        {"usage": {"input_tokens": 9, "cache_read_tokens": 5, "cache_write_tokens": 5}},
        "usage.input_tokens: is less than cache_read_tokens and cache_write_tokens together",
    ),
    (
        {"usage": {"input_tokens": 2**63 - 1, "cache_read_tokens": 2**63 - 1, "cache_write_tokens": 1}},
        "usage.input_tokens: is more than 1,000,000,000,000",
    ),
    ({"sealed": {"prompt": b"x"}}, "seal_key_id: is missing beside `sealed`"),
    ({"policy": {"id": "p", "verdict": "deny", "risk_score": 1.5}}, "policy.risk_score: is not 0 to 1"),
    ({"policy": {"id": "p", "verdict": "deny", "risk_score": math.nan}}, "policy.risk_score: is not 0 to 1"),
    ({"tool": {"name": ""}}, "tool.name: is empty"),
    ({"agent_step": {"index": -1}}, "agent_step.index: is negative"),
    (
        {"access": {"subject_id": "k", "activity": "grant", "expires": datetime(9999, 1, 1, tzinfo=UTC)}},
        "access.expires: is not a time from 1900 to 2299",
    ),
    (
        {"budget": {"id": "b", "limit": Decimal(1), "spent": Decimal(1), "currency": "usd"}},
        "budget.currency: is not an ISO 4217 code",
    ),
    ({"finding": {"rule_id": "r", "title": "t", "confidence": 101}}, "finding.confidence: is not 0 to 100"),
    (_cost(currency="$"), "costs[].currency: is not an ISO 4217 code"),
    (
        {"budget": {"id": "b", "limit": Decimal(10) ** 15 + 1, "spent": Decimal(1), "currency": "USD"}},
        "budget.limit: is further from zero than 1,000,000,000,000,000",
    ),
    (
        _cost(effective=Decimal(10) ** 15 + Decimal("0.000000000001")),
        "costs[].effective: is further from zero than 1,000,000,000,000,000",
    ),
    (_cost(quantity=Decimal(-(10**16))), "costs[].quantity: is further from zero than 1,000,000,000,000,000"),
    (
        _cost(list_unit_price=Decimal("1000000000000000.000000000000000001")),
        "costs[].list_unit_price: is further from zero than 1,000,000,000,000,000",
    ),
    (_cost(meter=""), "costs[].meter: is empty"),
    (
        _cost(period_start=datetime(2026, 2, 1, tzinfo=UTC), period_end=datetime(2026, 1, 1, tzinfo=UTC)),
        "costs[].period_end: is before period_start",
    ),
    (
        _cost(period_start=datetime(1, 1, 1, tzinfo=UTC)),
        "costs[].period_start: is not a time from 1900 to 2299",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_a_broken_clause_is_named_in_a_single_event(changes: dict[str, Any], message: str) -> None:
    assert str(violation(event(**changes))) == message
    with pytest.raises(ContractError) as caught:
        check(event(**changes))
    assert caught.value.message == message
    assert caught.value.context["field"] == message.split(":")[0]


def test_a_block_names_the_same_clauses_row_by_row() -> None:
    rows = [event(**changes) for changes, _ in BROKEN]
    good = [full_event(), event()]

    found = violations_in(frame_of([good[0], *rows, good[1]]))

    assert [str(found.get(row)) for row in range(1, len(rows) + 1)] == [message for _, message in BROKEN]
    assert 0 not in found
    assert len(rows) + 1 not in found


@pytest.mark.parametrize("good", [event(), full_event()], ids=["smallest", "full"])
def test_a_good_event_keeps_the_contract(good: dict[str, Any]) -> None:
    assert violation(good) is None
    check(good)
    assert violations_in(frame_of([good])) == {}


def test_the_first_clause_in_field_order_is_named() -> None:
    bad = event(severity=9, duration_us=-1)

    assert violation(bad) == Violation("duration_us", "is negative")
    assert violations_in(frame_of([bad])) == {0: Violation("duration_us", "is negative")}


def test_a_decimal_that_the_columns_cannot_hold_is_a_violation() -> None:
    too_large = COST_LINE | {"list": Decimal(10) ** 26}

    assert (
        str(violation(event(costs=[too_large])))
        == "costs[].list: has more than 38 digits at 12 decimal places"
    )


def test_a_block_of_an_older_writer_is_judged_by_the_columns_it_has() -> None:
    bad = event(duration_us=-1, usage={"input_tokens": 1})
    frame = frame_of([bad]).select("event_id", "duration_us", "input_tokens")

    assert violations_in(frame) == {0: Violation("duration_us", "is negative")}
    assert violations_in(frame.head(0)) == {}


def test_a_seed_may_be_negative_and_amounts_too() -> None:
    credit = COST_LINE | {"billed": Decimal(-5), "quantity": Decimal(-1), "list": -(Decimal(10) ** 15)}

    good = event(costs=[credit], **_inference(seed=-(2**62)))
    assert violation(good) is None
    assert violations_in(frame_of([good])) == {}


def test_null_columns_keep_the_contract() -> None:
    frame = frame_of([event()]).with_columns(pl.lit(None, pl.Map(pl.String, pl.Binary)).alias("sealed"))

    assert violations_in(frame) == {}
