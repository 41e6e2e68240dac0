"""A real hour of traffic: the total is tokens times price, to the last decimal."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal

import polars as pl

from schemas.flatten import frame_of
from tests.support.calls import call, pricer
from tests.support.shared_data import shared_file


def test_the_azure_conversation_trace_costs_its_tokens_times_the_price() -> None:
    path = shared_file("azure-llm-2023", "AzureLLMInferenceTrace_conv.csv.gz")
    with gzip.open(path, "rt", newline="", encoding="utf-8") as lines:
        counts = [(int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(lines)]
    events = [call("openai", "gpt-4o", input_tokens=read, output_tokens=written) for read, written in counts]

    priced = pricer().price(frame_of(events), revision=0)

    assert (priced["input_tokens"].sum(), priced["output_tokens"].sum()) == (22_361_870, 4_088_665)
    expected = (22_361_870 * Decimal("2.50") + 4_088_665 * Decimal("10.00")) / 1_000_000
    assert sum(priced["cost_billed"]) == expected
    lines = priced.select(pl.col("costs").list.explode().struct.field("list"))
    assert sum(lines.to_series()) == expected
    assert priced["cost_status"].unique().to_list() == ["priced"]
