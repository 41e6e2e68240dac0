"""What users of other systems complain about, as far as it is about prices: none of it happens here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import polars as pl
import pytest

from auditstream.detection.severities import Severity
from auditstream.detection.spend_surge import SpendSurge
from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.pricing.line_fields import LINE_FIELDS
from auditstream.pricing.quotes import quotes
from auditstream.pricing.request import parse
from schemas.flatten import frame_of
from schemas.records.vocabulary import FindingStatus
from streams.detecting.delta import Delta
from streams.detecting.partition import PartitionDetection
from tests.support.calls import AT, call, price, price_one, pricer
from tests.support.usage_logs import DAWN, delta, line

MILLION = 1_000_000
CHEAPER = datetime(2025, 6, 10, tzinfo=UTC)
"""Since when o3 costs a fifth."""


def test_a_closed_week_does_not_change_when_prices_do() -> None:
    """Re-priced at today's price, a closed week of somebody's went from 1,923.92 to 2,472.81 USD."""
    usage = {"input_tokens": MILLION, "output_tokens": MILLION}

    before, after = price(
        call("openai", "o3", at=CHEAPER.replace(day=9), **usage), call("openai", "o3", at=AT, **usage)
    )

    assert (before.total, after.total) == (50, 10)
    assert before.row["price_basis"] == "dated"


@pytest.mark.parametrize(
    ("provider", "model", "read", "written"),
    [
        ("openai", "gpt-4o", 900_000, 0),
        ("anthropic", "claude-sonnet-4-5", 60_000, 30_000),
        ("google", "gemini-2.5-pro", 90_000, 0),
        ("deepseek", "deepseek-chat", 900_000, 0),
    ],
)
def test_a_cached_token_is_charged_once_at_the_price_of_cached_ones(
    provider: str, model: str, read: int, written: int
) -> None:
    """Bills of cached tokens were off by 8 % to 42 times: charged again as input, or at its price."""
    usage = {"input_tokens": read + written + 5_000, "cache_read_tokens": read, "cache_write_tokens": written}

    found = price_one(call(provider, model, **usage))

    library = genai_prices.calc_price(
        genai_prices.Usage(**usage), model, provider_id=provider, genai_request_timestamp=AT
    )
    assert found.total == library.total_price
    # Each token is in one line, so the tokens of the lines are the tokens of the call.
    assert sum(line["quantity"] for line in found.lines) == usage["input_tokens"]
    plain = price_one(call(provider, model, input_tokens=usage["input_tokens"]))
    assert found.total < plain.total


def test_tokens_written_to_the_cache_for_an_hour_cost_more_than_for_five_minutes() -> None:
    totals = [
        price_one(
            call(
                "anthropic",
                "claude-sonnet-4-5",
                input_tokens=100_000,
                cache_write_tokens=100_000,
                by_modality={f"cache_write_{kept}_tokens": 100_000},
            )
        ).total
        for kept in ("5m", "1h")
    ]

    assert totals == [Decimal("0.375"), Decimal("0.6")]


@pytest.mark.parametrize(("tier", "share"), [("batch", "0.5"), ("flex", "0.5"), ("priority", "2")])
def test_a_tier_is_not_charged_at_the_standard_price(tier: str, share: str) -> None:
    usage = {"input_tokens": 10_000, "output_tokens": 10_000}

    standard, served = price(call("openai", "gpt-5", **usage), call("openai", "gpt-5", tier=tier, **usage))

    assert served.total == standard.total * Decimal(share)


def test_a_batch_call_is_charged_as_one_however_the_event_says_so() -> None:
    usage = {"input_tokens": 10_000}
    standard, *said = price(
        call("anthropic", "claude-sonnet-4-5", **usage),
        call("anthropic", "claude-sonnet-4-5", batch=True, **usage),
        call("anthropic", "claude-sonnet-4-5", tier="batch", **usage),
    )

    assert [each.total for each in said] == [standard.total / 2] * 2


def test_the_served_tier_wins_over_the_one_that_was_asked_for() -> None:
    """An event has the tier of the answer; a response that names one says more than the question."""
    body = {
        "model": "gpt-5",
        "service_tier": "default",
        "usage": {"prompt_tokens": 10_000, "completion_tokens": 1},
    }
    request = parse({"provider": "openai", "response": body}, bundled_catalogue(), now=AT)
    flexible = parse(
        {"provider": "openai", "response": body | {"service_tier": "flex"}}, bundled_catalogue(), now=AT
    )

    standard, flex = quotes(pricer(), [request, flexible])

    assert Decimal(flex["total"]) * 2 == Decimal(standard["total"])


def test_a_misspelt_tier_is_not_charged_at_the_standard_price() -> None:
    found = price_one(call("openai", "gpt-5", tier="prioritty", input_tokens=10))

    assert (found.status, found.total, found.refusal) == ("unpriced", None, "unknown_tier")


def test_a_model_without_a_price_costs_an_unknown_amount_and_not_zero() -> None:
    """Shown as 0, unpriced models made 1.16 USD out of some 185 USD in a week."""
    priced = pricer().price(
        frame_of([call(input_tokens=MILLION), call(model="gpt-next", input_tokens=MILLION)])
    )

    assert priced["cost_billed"].to_list() == [Decimal("2.5"), None]
    assert priced["unpriced_reason"].to_list() == ["", "unknown_model"]
    assert priced["cost_status"].to_list() == ["priced", "unpriced"]


def test_what_has_no_price_of_its_own_makes_the_whole_call_unpriced() -> None:
    found = price_one(call("openai", "gpt-4o", input_tokens=10, by_modality={"input_document_pages": 3}))

    assert (found.total, found.row["unpriced_meter"]) == (None, "input_document_pages")


def test_a_call_is_not_charged_again_by_the_span_of_the_agent_that_made_it() -> None:
    """One call was counted as two: the span of an agent repeats the tokens of the calls inside it."""
    usage = {"input_tokens": MILLION, "output_tokens": MILLION}

    inside, around = price(call(**usage), call(event_type="ai.agent.action", **usage))

    assert (inside.status, inside.total) == ("priced", Decimal("12.5"))
    assert (around.status, around.total, around.lines) == ("none", None, [])


def test_no_amount_is_ever_a_float() -> None:
    priced = pricer().price(frame_of([call(input_tokens=3, output_tokens=7)]))

    amounts = [kind for name, kind in priced.schema.items() if name.startswith(("cost_", "computed_c"))]
    decimals = {kind for kind in (*amounts, *LINE_FIELDS.values()) if isinstance(kind, pl.Decimal)}
    assert decimals == {pl.Decimal(38, 12), pl.Decimal(38, 18), pl.Decimal(38, 9)}
    assert not any(kind.is_float() for kind in (*amounts, *LINE_FIELDS.values()))
    # 0.1 + 0.2 of a USD, a million times: floats would be off.
    tenths = pricer().price(frame_of([call(input_tokens=40_000, output_tokens=20_000)] * 1_000))
    assert tenths["cost_billed"].sum() == Decimal(300)
    answer = quotes(
        pricer(),
        [
            parse(
                {"provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 3}},
                bundled_catalogue(),
                now=AT,
            )
        ],
    )
    assert answer[0]["total"] == "0.0000075"


DAY = 1_440
EVERY = 20
"""Minutes from one run of an agent to its next."""

CALLS_A_RUN = (15, 8)
"""Calls of each run, by day; the last day has the burst."""

BURST = range(10 * 60, 10 * 60 + 30)
"""Minutes of the last day in which the agent runs without a pause, and twice as long."""


def calls_in(day: int, minute: int) -> int:
    if day == len(CALLS_A_RUN) - 1 and minute in BURST:
        return 2 * CALLS_A_RUN[day]
    return CALLS_A_RUN[day] if minute % EVERY == 0 else 0


def recorded_usage(price_of_a_call: Decimal) -> Iterator[tuple[int, Delta]]:
    """Yield the minutes in which something was recorded, and what."""
    active = (
        (day * DAY + minute, calls)
        for day in range(len(CALLS_A_RUN))
        for minute in range(DAY)
        if (calls := calls_in(day, minute))
    )
    for index, (minute, calls) in enumerate(active):
        spent = line(DAWN + minute, credential_id="key-1", events=calls, spend=calls * price_of_a_call)
        yield minute, delta("audit.events.v1/0/0a1b2c3d", index, [spent], at_s=60 * minute + 59)


def test_half_an_hour_of_a_surge_is_told_of_while_it_lasts() -> None:
    """Averages of days miss a burst of half an hour: its day costs less than the one before."""
    a_call = price_one(call("openai", "gpt-4o", input_tokens=40_000)).total
    days = [sum(calls_in(day, minute) for minute in range(DAY)) for day in range(len(CALLS_A_RUN))]
    assert days[1] < days[0]
    detection = PartitionDetection([SpendSurge()])
    begins = (len(CALLS_A_RUN) - 1) * DAY + BURST.start

    told = [
        (minute - begins, finding)
        for minute, usage in recorded_usage(a_call)
        for finding in detection.apply(usage)
        if finding.scope == "credential=key-1"
    ]

    after, first = told[0]
    assert (first.rule_id, first.status) == ("spend.surge", FindingStatus.NEW)
    assert 0 < after < len(BURST)
    assert first.window_start.timestamp() >= 60 * (DAWN + begins)
    # Once it is about money somebody is called, before the half hour is over.
    assert any(finding.severity >= Severity.MEDIUM for after, finding in told if after < len(BURST))
    assert told[-1][1].status is FindingStatus.RESOLVED
