from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from genai_prices.types import ConditionalPrice, TimeOfDateConstraint

from auditstream.pricing.pricer import CataloguePricer
from schemas.flatten import FRAME_SCHEMA, frame_of
from sinks.columns import spelt_out
from tests.support.calls import AT, answers, call, price, price_one
from tests.support.events import event, full_cost
from tests.support.price_books import model, pricer_of, prices, since, variant

ADDED = {
    "cost_currency": pl.String(),
    "cost_list": pl.Decimal(38, 12),
    "cost_contracted": pl.Decimal(38, 12),
    "cost_effective": pl.Decimal(38, 12),
    "cost_billed": pl.Decimal(38, 12),
    "price_basis": pl.String(),
    "cost_status": pl.String(),
    "price_book_revision": pl.String(),
    "computed_cost": pl.Decimal(38, 12),
    "computed_currency": pl.String(),
    "cost_difference": pl.Decimal(38, 12),
    "unpriced_reason": pl.String(),
    "unpriced_meter": pl.String(),
}
AMOUNTS = ("cost_list", "cost_contracted", "cost_effective", "cost_billed")
TEXT = prices(input_mtok="2", output_mtok="8")


@pytest.fixture
def pricer() -> CataloguePricer:
    return pricer_of(model("m", TEXT), model("n", prices(input_mtok="1")))


def mixed() -> list[dict[str, Any]]:
    """Events of every kind of cost, in an order that no grouping has."""
    return [
        call("acme", "n", input_tokens=5),
        event(event_type="ai.tool_call"),
        call("acme", "m", input_tokens=5, output_tokens=1),
        call("acme", "other", input_tokens=5),
        event(event_type="ai.cost.operational", costs=[full_cost() | {"billed": Decimal(3)}, full_cost()]),
        call("acme", "n", input_tokens=7),
        call("acme", "m", input_tokens=7, cache_read_tokens=8),
        call("acme", "m"),
    ]


def test_rows_keep_their_order_and_their_other_columns(pricer: CataloguePricer) -> None:
    events = frame_of(mixed())

    priced = pricer.price(events, revision=3)

    assert dict(priced.schema) == FRAME_SCHEMA | ADDED
    assert priced.drop("costs", *ADDED).equals(events.drop("costs"))
    assert priced["cost_status"].to_list() == [
        "priced", "none", "priced", "unpriced", "priced", "priced", "unpriced", "unpriced",
    ]  # fmt: skip
    assert priced["cost_billed"].to_list() == [
        Decimal("0.000005"), None, Decimal("0.000018"), None,
        Decimal("2.9973"), Decimal("0.000007"), None, None,
    ]  # fmt: skip


def test_the_same_frame_gives_the_same_bytes(pricer: CataloguePricer) -> None:
    events = frame_of(mixed())
    first, second = (pricer.price(events, revision=3).write_ipc(None).getvalue() for _ in range(2))

    assert first == second


def test_lines_have_their_texts_by_number_and_an_explanation_spells_them_out() -> None:
    pricer, events = pricer_of(model("m", TEXT)), frame_of([call("acme", "m", input_tokens=3)])
    priced, explained = pricer.price(events, revision=0), pricer.explain(events, revision=0)

    kinds = {field.name: field.dtype for field in priced.schema["costs"].inner.fields}  # type: ignore[attr-defined]
    assert all(
        isinstance(kinds[name], pl.Enum) for name in ("meter", "unit", "price_id", "currency", "source")
    )
    assert explained.schema["costs"] == FRAME_SCHEMA["costs"]
    assert spelt_out(priced)["costs"].to_list() == explained["costs"].to_list() == priced["costs"].to_list()


def test_a_part_of_a_frame_costs_what_it_costs_in_the_whole(pricer: CataloguePricer) -> None:
    events = frame_of(mixed())
    whole = spelt_out(pricer.price(events, revision=3))

    parts = [spelt_out(pricer.price(events[row : row + 1], revision=3)) for row in range(events.height)]

    assert pl.concat(parts).equals(whole)


def test_a_frame_without_rows_has_the_columns_all_the_same(pricer: CataloguePricer) -> None:
    empty = pl.DataFrame(schema=FRAME_SCHEMA)

    assert dict(spelt_out(pricer.price(empty, revision=0)).schema) == FRAME_SCHEMA | ADDED


def test_a_line_says_what_was_counted_and_at_which_price(pricer: CataloguePricer) -> None:
    priced = answers(pricer.explain(frame_of([call("acme", "m", input_tokens=5)]), revision=0))[0]

    amounts = dict.fromkeys(("list", "contracted", "effective", "billed"), Decimal("0.00001"))
    assert priced.lines == [
        amounts
        | {
            "category": "inference",
            "resource_id": None,
            "period_start": None,
            "period_end": None,
            "meter": "text",
            "direction": "input",
            "cache_action": None,
            "quantity": Decimal(5),
            "unit": "tokens",
            "price_id": "acme/m/input",
            "price_book_rev": "book-1",
            "list_unit_price": Decimal("0.000002"),
            "currency": "USD",
            "source": "LOCAL",
        }
    ]
    assert {priced.row[name] for name in AMOUNTS} == {Decimal("0.00001")}
    assert (priced.row["cost_currency"], priced.row["price_book_revision"]) == ("USD", "book-1")


def test_an_unpriced_event_has_no_amounts_and_no_lines(pricer: CataloguePricer) -> None:
    priced = answers(pricer.explain(frame_of([call("acme", "other", input_tokens=5)]), revision=0))[0]

    assert [priced.row[name] for name in AMOUNTS] == [None] * 4
    assert (priced.lines, priced.row["cost_currency"], priced.row["price_basis"]) == ([], "", "")
    assert (priced.refusal, priced.row["price_book_revision"]) == ("unknown_model", "book-1")


def test_a_call_of_nothing_costs_zero_and_has_no_lines(pricer: CataloguePricer) -> None:
    priced = answers(pricer.explain(frame_of([call("acme", "m", input_tokens=0)]), revision=0))[0]

    assert (priced.status, priced.total, priced.lines) == ("priced", 0, [])


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, "unpriced"),
        ({"outcome": "PARTIAL"}, "unpriced"),
        ({"outcome": "FAILURE"}, "none"),
        ({"outcome": "BLOCKED"}, "none"),
        ({"outcome": "FAILURE", "input_tokens": 9}, "priced"),
        ({"event_type": "ai.agent.action", "input_tokens": 9}, "none"),
        ({"event_type": "ai.agent.action"}, "none"),
        ({"event_type": "ai.embedding", "input_tokens": 9}, "priced"),
        ({"event_type": "com.acme.answer", "input_tokens": 9}, "priced"),
    ],
)
def test_which_calls_cost(pricer: CataloguePricer, given: dict[str, Any], status: str) -> None:
    assert pricer.price(frame_of([call("acme", "m", **given)]), revision=0)["cost_status"].item() == status


def test_counts_without_a_model_are_unpriced(pricer: CataloguePricer) -> None:
    priced = answers(pricer.explain(frame_of([event(usage={"input_tokens": 5})]), revision=0))[0]

    assert (priced.status, priced.refusal) == ("unpriced", "unknown_provider")


def test_the_served_model_wins_where_the_book_knows_it(pricer: CataloguePricer) -> None:
    served = [call("acme", "m", served=name, input_tokens=1_000_000) for name in ("n", "deployment-7", None)]

    assert pricer.price(frame_of(served), revision=0)["cost_billed"].to_list() == [1, 2, 2]


def test_the_price_is_that_of_the_event_time() -> None:
    day = date(2026, 6, 10)
    timed = model("m", [ConditionalPrice(prices=prices(input_mtok="2")), since(day, prices(input_mtok="1"))])
    midnight = datetime(2026, 6, 10, tzinfo=AT.tzinfo)
    times = [midnight - timedelta(microseconds=1), midnight, AT]

    priced = pricer_of(timed).price(
        frame_of([call("acme", "m", at=at, input_tokens=1_000_000) for at in times]), revision=0
    )

    assert priced["cost_billed"].to_list() == [2, 1, 1]
    assert priced["price_basis"].to_list() == ["dated"] * 3


def test_a_time_of_day_that_passes_midnight_is_one_interval() -> None:
    midnight = datetime(2026, 6, 10, tzinfo=AT.tzinfo)
    night = TimeOfDateConstraint(
        (midnight + timedelta(hours=22)).timetz(), (midnight + timedelta(hours=4)).timetz()
    )
    stated = [
        ConditionalPrice(prices=prices(input_mtok="2")),
        ConditionalPrice(night, prices=prices(input_mtok="1")),
    ]
    hours = (0, 3.9999, 4, 21.9999, 22, 23.9999)

    priced = pricer_of(model("m", stated)).price(
        frame_of(
            [call("acme", "m", at=midnight + timedelta(hours=hour), input_tokens=1_000_000) for hour in hours]
        ),
        revision=0,
    )

    assert priced["cost_billed"].to_list() == [1, 1, 2, 2, 1, 1]


def test_the_tier_decides_and_an_unknown_one_is_not_the_standard_tier() -> None:
    pricer = pricer_of(
        model("m", prices(input_mtok="2"), variant({"processing": "batch"}, prices(input_mtok="1")))
    )
    calls = [
        call("acme", "m", input_tokens=1_000_000, tier=tier, batch=batch)
        for tier, batch in [(None, False), ("batch", False), (None, True), ("default", True), ("bach", False)]
    ]

    priced = pricer.explain(frame_of(calls), revision=0)

    assert priced["cost_billed"].to_list() == [2, 1, 1, 1, None]
    assert priced["refusal"].to_list() == [None] * 4 + ["unknown_tier"]


def test_the_book_is_asked_once_a_route() -> None:
    asked = []
    inner = pricer_of(model("m", TEXT)).book

    class Counting:
        revision = "book-1"
        regions = tenants = frozenset()

        def schedules(self, route: Any, tenants: Any, /) -> Any:
            asked.append(route)
            return inner.schedules(route, tenants)

    calls = [
        call("acme", "m", tier=tier, input_tokens=count) for count in range(20) for tier in (None, "flex")
    ]

    counting = CataloguePricer(Counting())
    for _ in range(2):
        counting.price(frame_of(calls), revision=0)

    assert len(asked) == 2


def test_names_of_providers_in_events_are_those_of_the_conventions() -> None:
    models = {
        "openai": "gpt-4o", "azure.ai.openai": "gpt-4o", "azure.ai.inference": "gpt-4o",
        "anthropic": "claude-sonnet-4-5",
        "aws.bedrock": "anthropic.claude-3-haiku-20240307-v1:0", "gcp.vertex_ai": "gemini-2.5-pro",
        "gcp.gemini": "gemini-2.5-pro", "gcp.gen_ai": "gemini-2.5-pro", "mistral_ai": "mistral-large-latest",
        "x_ai": "grok-3", "deepseek": "deepseek-chat", "groq": "llama-3.3-70b-versatile",
        "litellm": "openai/gpt-4o",
    }  # fmt: skip
    priced = price(*(call(name, each, input_tokens=10) for name, each in models.items()))

    assert [
        (name, answer.refusal) for name, answer in zip(models, priced, strict=True) if answer.refusal
    ] == []


def test_a_provider_of_our_own_is_not_priced_as_the_maker_of_its_model() -> None:
    assert price_one(call("vllm", "gpt-4o", input_tokens=10)).refusal == "unknown_provider"


def test_the_pricer_follows_a_provider_that_lists_no_price_of_its_own() -> None:
    assert price_one(call("azure", "gpt-4o", input_tokens=10)).lines[0]["price_id"] == "openai/gpt-4o/input"
