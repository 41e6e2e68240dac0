"""Cards that differ only in meters that nobody counts are charged in one go, and as they would be alone."""

from __future__ import annotations

import weakref
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.pricing.cards import CardList, PriceCard, Rate, Shape
from auditstream.pricing.counts import Counts
from auditstream.pricing.lines import charge
from auditstream.pricing.meters import METERS
from auditstream.pricing.usage import quantity, split_of
from auditstream.pricing.ways import ways_of
from tests.support.examples import examples

KEYS = sorted(METERS)
COUNTED = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens",
    "input_audio_tokens", "cache_audio_read_tokens", "web_searches",
)  # fmt: skip


def card(*keys: str, least: int = 0) -> PriceCard:
    rates = (
        Rate(METERS[key], f"p/{key}", Decimal(place + 1).scaleb(-6), least=least)
        for place, key in enumerate(keys)
    )
    return PriceCard((), (tuple(rates),))


def shape(*keys: str, least: int = 0) -> Shape:
    return card(*keys, least=least).shape


def test_a_meter_that_no_call_counts_makes_no_way_of_its_own() -> None:
    shapes = (
        shape("input_tokens", "output_tokens"),
        shape("web_searches", "input_tokens", "output_tokens"),
        shape("input_tokens", "cache_read_tokens", "output_tokens"),
    )

    ways = ways_of(shapes, ("input_tokens", "output_tokens"))

    assert ways.of_shape.tolist() == [0, 0, 0]
    assert ways.places.tolist() == [[0, 1], [1, 2], [0, 2]]


@pytest.mark.parametrize("least", [0, 5])
def test_a_least_quantity_is_part_of_the_way(least: int) -> None:
    shapes = (shape("input_tokens"), shape("input_tokens", least=least))

    assert ways_of(shapes, ("input_tokens",)).of_shape.tolist() == [0, 1 if least else 0]


def test_a_price_that_is_no_count_of_anybodys_still_refuses_counts_that_leave_it_open() -> None:
    cards = CardList((card("input_tokens"), card("input_tokens", "input_audio_tokens")))
    rows = pl.DataFrame(
        {"row": [0, 1], "card": [0, 1], "input_tokens": [9, 9], "cache_audio_read_tokens": [5, 5]},
        schema_overrides={"row": pl.UInt32, "card": pl.UInt32},
    )

    charges = charge(rows, cards, revision="r")

    assert charges.lines.get_column("row").to_list() == [0]
    assert charges.refused.rows() == [(1, "incomplete_usage", None)]


@settings(max_examples=examples(100), deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(KEYS), min_size=1, max_size=8, unique=True), min_size=1, max_size=5),
    st.sets(st.sampled_from(COUNTED), min_size=1).map(lambda keys: tuple(k for k in COUNTED if k in keys)),
    st.data(),
)
def test_every_call_is_charged_as_by_its_card_alone(
    priced: list[list[str]], counted: tuple[str, ...], data: st.DataObject
) -> None:
    amounts = st.one_of(st.none(), st.integers(-1, 20))
    counts = {key: data.draw(st.lists(amounts, min_size=6, max_size=6)) for key in counted}
    frame = pl.DataFrame(counts, schema=dict.fromkeys(counted, pl.Int64))
    cards = CardList(tuple(card(*keys) for keys in priced))
    rows = pl.concat([frame.with_columns(card=pl.lit(number, pl.UInt32)) for number in range(len(priced))])
    rows = rows.with_row_index("row")

    charges = charge(rows, cards, revision="r")

    found = {(row, price): quantity for row, price, quantity in charges.lines.select(
        "row", "price_id", pl.col("quantity").cast(pl.Int64)).iter_rows()}  # fmt: skip
    refused = dict(charges.refused.select("row", "refusal").iter_rows())
    for number, keys in enumerate(priced):
        split = split_of(tuple(keys), counted)
        own = Counts.of(frame.get_columns(), frame.height)
        said = {f"q{place}": quantity(own, share).tolist() for place, share in split.quantities}
        for rank, (_, test) in enumerate(split.refusals):
            holds = test(own)
            said[f"r{rank}"] = [False] * frame.height if holds is None else holds.tolist()
        rows_said = [dict(zip(said, each, strict=True)) for each in zip(*said.values(), strict=True)]
        for call, row in enumerate(rows_said, number * frame.height):
            why = next((str(w) for rank, (w, _) in enumerate(split.refusals) if row[f"r{rank}"]), None)
            assert refused.get(call) == why
            if why is None:
                ours = {key: row[f"q{place}"] for place, key in enumerate(keys) if f"q{place}" in row}
                lines = {f"p/{key}": quantity for key, quantity in ours.items() if quantity > 0}
                assert lines == {price: quantity for (at, price), quantity in found.items() if at == call}


@pytest.mark.parametrize("known", [0, 1, 2, 4])
def test_cards_that_are_added_to_a_list_charge_as_if_all_had_been_there(known: int) -> None:
    cards = (
        card("input_tokens"),
        card("input_tokens", least=5),
        card("output_tokens", "input_tokens"),
        card("web_searches"),
    )
    counts = {"input_tokens": 3, "output_tokens": 7, "web_searches": 2}
    rows = pl.DataFrame([{"row": number, "card": number, **counts} for number in range(len(cards))]).cast(
        {"row": pl.UInt32, "card": pl.UInt32}
    )
    first = CardList(cards[:known])
    charge(rows.head(known), first, revision="r")

    grown = charge(rows, CardList(cards, weakref.ref(first)), revision="r")

    whole = charge(rows, CardList(cards), revision="r")
    assert grown.lines.equals(whole.lines)
    assert grown.refused.equals(whole.refused)
