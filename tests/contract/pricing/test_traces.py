"""Real hours of traffic: every call costs what Python's own decimals say, and so does their sum."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

import polars as pl
import pytest

from schemas.flatten import frame_of
from tests.support.calls import call, pricer
from tests.support.shared_data import shared_file

EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
STEP = Decimal("1e-12")

# What OpenAI charged for gpt-4o, and for o3 before and from 2025-06-10 on: USD for a million tokens.
GPT_4O = (Decimal("2.50"), Decimal(10))
O3_BEFORE, O3_AFTER = (Decimal(10), Decimal(40)), (Decimal(2), Decimal(8))


def azure() -> Iterator[tuple[int, int]]:
    path = shared_file("azure-llm-2023", "AzureLLMInferenceTrace_conv.csv.gz")
    with gzip.open(path, "rt", newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield int(row["ContextTokens"]), int(row["GeneratedTokens"])


def mooncake() -> Iterator[tuple[int, int]]:
    path = shared_file("mooncake", "conversation_trace.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["input_length"], row["output_length"]


def cost(counts: tuple[int, int], prices: tuple[Decimal, Decimal]) -> Decimal:
    """Tokens times price, a line each, rounded once to 12 places."""
    with localcontext(EXACT):
        lines = (tokens * price / 1_000_000 for tokens, price in zip(counts, prices, strict=True))
        return sum((line.quantize(STEP) for line in lines), Decimal(0))


@pytest.mark.parametrize(
    ("trace", "tokens"),
    [(azure, (22_361_870, 4_088_665)), (mooncake, (144_793_823, 4_122_048))],
    ids=["azure", "mooncake"],
)
def test_every_call_of_a_trace_costs_its_tokens_times_the_price(trace, tokens: tuple[int, int]) -> None:
    counts = list(trace())
    events = [call("openai", "gpt-4o", input_tokens=read, output_tokens=written) for read, written in counts]

    priced = pricer().price(frame_of(events))

    assert (priced["input_tokens"].sum(), priced["output_tokens"].sum()) == tokens
    expected = [cost(each, GPT_4O) for each in counts]
    assert priced["cost_billed"].to_list() == expected
    whole = (tokens[0] * GPT_4O[0] + tokens[1] * GPT_4O[1]) / 1_000_000
    assert abs(sum(expected, Decimal(0)) - whole) <= STEP
    lines = priced.select(pl.col("costs").list.explode().struct.field("list"))
    assert abs(sum(lines.to_series().to_list(), Decimal(0)) - whole) <= STEP
    assert priced["cost_status"].unique().to_list() == ["priced"]


def test_a_price_change_in_the_middle_of_a_trace_prices_both_sides_right() -> None:
    counts, change = list(azure()), datetime(2025, 6, 10, tzinfo=UTC)
    half = len(counts) // 2
    times = [change + timedelta(seconds=number - half) for number in range(len(counts))]
    events = [
        call("openai", "o3", at=at, input_tokens=read, output_tokens=written)
        for at, (read, written) in zip(times, counts, strict=True)
    ]

    priced = pricer().price(frame_of(events))

    assert priced["cost_billed"].to_list() == [
        cost(each, O3_BEFORE if at < change else O3_AFTER) for at, each in zip(times, counts, strict=True)
    ]
    assert priced["price_basis"].unique().to_list() == ["dated"]
