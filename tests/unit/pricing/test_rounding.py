from __future__ import annotations

import random
from decimal import ROUND_HALF_EVEN, Context, Decimal

import polars as pl
import pytest

from schemas.flatten import frame_of
from tests.support.calls import answers, call
from tests.support.price_books import model, pricer_of, prices

STEP = Decimal("1e-12")


def rounded(quantity: int, unit_price: Decimal) -> Decimal:
    """The rule, in Python's own decimals."""
    return (quantity * unit_price).quantize(STEP, rounding=ROUND_HALF_EVEN, context=Context(prec=80))


@pytest.mark.parametrize(
    ("tokens", "amount"),
    [(1, "0"), (3, "0.000000000002"), (5, "0.000000000002"), (7, "0.000000000004"), (2, "0.000000000001")],
)
def test_a_tie_goes_to_the_even_step(tokens: int, amount: str) -> None:
    pricer = pricer_of(model("m", prices(input_mtok="0.0000005")))  # half a step a token

    (priced,) = answers(pricer.explain(frame_of([call("acme", "m", input_tokens=tokens)]), revision=0))

    assert priced.total == Decimal(amount)


def test_a_total_is_the_sum_of_rounded_lines() -> None:
    pricer = pricer_of(model("m", prices(input_mtok="0.0000014", output_mtok="0.0000014")))

    (priced,) = answers(
        pricer.explain(frame_of([call("acme", "m", input_tokens=1, output_tokens=1)]), revision=0)
    )

    assert [line["list"] for line in priced.lines] == [Decimal("1e-12"), Decimal("1e-12")]
    assert priced.total == Decimal("2e-12")  # 2.8 steps, had the sum been rounded


def test_lines_of_any_price_and_quantity_are_rounded_once() -> None:
    dice = random.Random(7)
    amounts = [Decimal(dice.randint(1, 10**12)).scaleb(-dice.randint(0, 12)) for _ in range(60)]
    models = [model(f"m{place}", prices(input_mtok=str(amount))) for place, amount in enumerate(amounts)]
    calls = [(place, dice.randint(1, 10 ** dice.randint(1, 15))) for place in range(60) for _ in range(10)]
    events = [call("acme", f"m{place}", input_tokens=tokens) for place, tokens in calls]

    priced = pricer_of(*models).price(frame_of(events), revision=0)

    lines = priced.select(pl.col("costs").list.first().struct.unnest())
    for (place, tokens), line in zip(calls, lines.to_dicts(), strict=True):
        assert line["list_unit_price"] == amounts[place] / 1_000_000
        assert line["list"] == rounded(tokens, line["list_unit_price"])
