"""How counts are shared out over meters, seen through whole events."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from auditstream.pricing.meters import METERS, parts_of
from auditstream.pricing.usage import LARGEST_COUNT, modality_meters
from schemas.flatten import frame_of
from tests.support.calls import Priced, answers, call, price_one
from tests.support.price_books import model, pricer_of, prices, tiered

TEXT = {"input_mtok": "2", "output_mtok": "8"}
CACHE = TEXT | {"cache_read_mtok": "1", "cache_write_mtok": "3"}
AUDIO = CACHE | {
    "input_audio_mtok": "20", "cache_audio_read_mtok": "10", "cache_audio_write_mtok": "30",
    "output_audio_mtok": "40",
}  # fmt: skip


def charged(amounts: dict[str, Any], **usage: Any) -> Priced:
    """Return what a call costs at given prices."""
    events = frame_of([call("acme", "m", **usage)])
    return answers(pricer_of(model("m", prices(**amounts))).explain(events, revision=0))[0]


def test_cached_input_is_not_charged_as_input_too() -> None:
    priced = charged(
        CACHE, input_tokens=1000, cache_read_tokens=600, cache_write_tokens=100, output_tokens=50
    )

    assert priced.quantities == {"input": 300, "cache_read": 600, "cache_write": 100, "output": 50}
    assert priced.total == Decimal("0.0019")


def test_cached_input_costs_what_input_costs_where_it_has_no_price() -> None:
    priced = charged(TEXT, input_tokens=1000, cache_read_tokens=600, cache_write_tokens=100, output_tokens=50)

    assert priced.quantities == {"input": 1000, "output": 50}


def test_reasoning_is_part_of_output_unless_priced_apart() -> None:
    usage = {"input_tokens": 10, "output_tokens": 500, "reasoning_tokens": 400}

    assert charged(TEXT, **usage).quantities == {"input": 10, "output": 500}
    apart = charged(TEXT | {"output_reasoning_mtok": "3"}, **usage)
    assert apart.quantities == {"input": 10, "output": 100, "output_reasoning": 400}


def test_audio_is_charged_apart_where_the_event_says_so() -> None:
    split = {"audio.input": 300, "audio.cache_read": 50, "audio.output": 20}
    priced = charged(AUDIO, input_tokens=1000, cache_read_tokens=250, output_tokens=60, by_modality=split)

    assert priced.quantities == {
        "input": 500, "input_audio": 250, "cache_read": 200, "cache_audio_read": 50,
        "output": 40, "output_audio": 20,
    }  # fmt: skip
    assert {line["meter"] for line in priced.lines} == {"text", "audio"}


def test_a_modality_without_a_price_costs_what_its_whole_costs() -> None:
    assert charged(TEXT, input_tokens=100, by_modality={"image.input": 40}).quantities == {"input": 100}


def test_a_key_that_no_price_depends_on_changes_nothing() -> None:
    assert charged(TEXT, input_tokens=100, by_modality={"pdf.input": 90}).quantities == {"input": 100}


def test_a_call_that_counts_no_meter_at_all_has_no_price() -> None:
    assert charged(TEXT, by_modality={"pdf.input": 90}).refusal == "incomplete_usage"
    beside = frame_of([call("acme", "m", by_modality={"pdf.input": 9}), call("acme", "m", input_tokens=5)])
    statuses = pricer_of(model("m", prices(**TEXT))).price(beside, revision=0)["cost_status"]
    assert statuses.to_list() == ["unpriced", "priced"]


def test_meters_of_the_catalogue_may_stand_in_by_modality() -> None:
    counts = {"cache_write_1h_tokens": 40, "web_searches": 3}
    amounts = CACHE | {"cache_write_1h_mtok": "6", "web_searches_kcount": "10"}

    priced = charged(amounts, input_tokens=100, cache_write_tokens=60, by_modality=counts)

    assert priced.quantities == {"input": 40, "cache_write": 20, "cache_write_1h": 40, "web_searches": 3}
    assert [line["unit"] for line in priced.lines] == ["tokens", "tokens", "tokens", "calls"]


def test_every_call_is_one_request() -> None:
    assert charged(TEXT | {"requests_kcount": "5"}, input_tokens=0).quantities == {"requests": 1}


@pytest.mark.parametrize(
    ("total", "step"), [(200, "input"), (201, "input>200"), (500, "input>200"), (501, "input>500")]
)
def test_a_context_length_counts_for_all_tokens_once_it_is_passed(total: int, step: str) -> None:
    priced = charged({"input_mtok": tiered("1", (200, "2"), (500, "3"))}, input_tokens=total)

    assert priced.quantities == {step: total}


def test_the_whole_input_decides_the_context_length() -> None:
    amounts = {"input_mtok": tiered("1", (200, "2")), "cache_read_mtok": tiered("0.1", (200, "0.2"))}

    assert charged(amounts, input_tokens=300, cache_read_tokens=250).quantities == {
        "input>200": 50, "cache_read>200": 250,
    }  # fmt: skip


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 10, "cache_read_tokens": 11},
        {"input_tokens": 10, "cache_read_tokens": 6, "cache_write_tokens": 5},
        {"input_tokens": 10, "output_tokens": LARGEST_COUNT + 1},
        {"input_tokens": 2**63 - 1},
        {"input_tokens": 10, "output_tokens": -1},
        {"input_tokens": 10, "by_modality": {"audio.input": 11}},
        {
            "input_tokens": 10,
            "cache_read_tokens": 5,
            "by_modality": {"audio.input": 9, "audio.cache_read": 0},
        },
    ],
)
def test_counts_that_cannot_be_have_no_price(usage: dict[str, Any]) -> None:
    priced = charged(AUDIO, **usage)

    assert (priced.status, priced.refusal, priced.total, priced.lines) == (
        "unpriced",
        "impossible_usage",
        None,
        [],
    )


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 10, "cache_read_tokens": 11},
        {"input_tokens": 10, "cache_read_tokens": 6, "cache_write_tokens": 5},
        {"input_tokens": 10, "by_modality": {"text.input": 6, "audio.input": 5}},
        {"input_tokens": 10, "output_tokens": 5, "reasoning_tokens": 6},
    ],
)
def test_counts_that_cannot_be_have_no_price_even_where_no_price_depends_on_them(
    usage: dict[str, Any],
) -> None:
    assert charged(TEXT, **usage).refusal == "impossible_usage"


def test_parts_that_overlap_may_add_up_to_more_than_their_whole() -> None:
    overlapping = {"by_modality": {"text.input": 10, "audio.input": 0}}

    assert charged(TEXT, input_tokens=10, cache_read_tokens=8, **overlapping).status == "priced"


@pytest.mark.parametrize(
    "usage",
    [
        {"cache_read_tokens": 5},
        {"output_tokens": 5, "by_modality": {"audio.input": 3}},
        {"input_tokens": 10, "cache_read_tokens": 5, "by_modality": {"audio.input": 3}},
    ],
)
def test_counts_that_leave_a_price_open_have_none(usage: dict[str, Any]) -> None:
    priced = charged(AUDIO, **usage)

    assert (priced.status, priced.refusal, priced.total) == ("unpriced", "incomplete_usage", None)


def test_the_largest_count_is_priced_exactly() -> None:
    priced = charged({"input_mtok": "0.123456789012"}, input_tokens=LARGEST_COUNT)

    assert priced.total == LARGEST_COUNT * Decimal("0.123456789012") / 1_000_000


def test_a_count_that_no_price_covers_makes_the_call_unpriced() -> None:
    assert charged({"input_mtok": "2"}, input_tokens=10, output_tokens=5).refusal == "no_price_for_meter"
    assert charged({"input_mtok": "2"}, input_tokens=10, output_tokens=0).total == Decimal("0.00002")


def test_short_audio_is_charged_for_its_least_length() -> None:
    def seconds(count: int) -> Decimal | None:
        return price_one(call("groq", "whisper-large-v3", by_modality={"audio_seconds": count})).total

    assert seconds(3) == seconds(10)
    assert seconds(0) == 0
    assert seconds(20) is not None
    assert seconds(20) > seconds(10)  # type: ignore[operator]


def test_each_modality_key_names_a_meter() -> None:
    assert set(modality_meters().values()) <= METERS.keys()
    assert modality_meters()["audio.cache_read.input"] == "cache_audio_read_tokens"
    assert "cache_write_1h_tokens" in parts_of("input_tokens")
