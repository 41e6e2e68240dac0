"""Whole numbers of a decimal's last place, against Python's own decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from auditstream.pricing.fixed_point import Factors, as_decimals, sums, units_of
from tests.support.examples import examples

AMOUNT = pl.Decimal(38, 12)
_WIDE = Context(prec=120)

# Of every size around the borders of 64 bits, and ends that are ties.
UNITS = st.one_of(
    st.integers(-(2**100), 2**100),
    st.integers(-(2**70), 2**70),
    st.integers(-(10**13), 10**13),
    st.integers(-100, 100).map(lambda half: half * 500_000),
)
COUNTS = st.one_of(st.integers(0, 100), st.integers(0, 10**15))


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(UNITS, COUNTS), max_size=6), st.sampled_from([1, 10**6, 10**8]))
@example([(10**18, 9), (1, 10**15)], 10**6)
@example([(10**28 + 1, 1)], 1)
@example([(9_223_372_036_854_775_807, 1)], 10**6)
@example([(2**70, 10_125_947)], 1)
@example([(2**90 + 1, 10**14), (1_500_001, 10**14)], 10**6)
@example([(2 * 500_000 + 500_000, 1), (500_000, 1), (-500_000, 1)], 10**6)
def test_a_product_is_rounded_half_even_whatever_its_size(pairs: list[tuple[int, int]], step: int) -> None:
    prices = units_of([Decimal(price) for price, _ in pairs], 0)
    counts = np.array([count for _, count in pairs], np.int64)

    found = Factors.of(prices, step).times(counts)

    assert [int(each) for each in found] == [
        int(_WIDE.divide(_WIDE.multiply(price, count), step).quantize(Decimal(1), ROUND_HALF_EVEN, _WIDE))
        for price, count in ((Decimal(price), Decimal(count)) for price, count in pairs)
    ]


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), max_size=4))
@example([[2**62, 2**62], [-(2**63)]])
def test_sums_are_exact_where_64_bits_do_not_hold_them(lists: list[list[int]]) -> None:
    sizes = np.array([len(each) for each in lists], np.int64)
    ends = sizes.cumsum()

    found = sums(np.array([each for of_row in lists for each in of_row], np.int64), (ends - sizes, ends))

    assert [int(each) for each in found] == [sum(each) for each in lists]


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.one_of(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(-5, 5)), max_size=5))
def test_units_become_the_decimals_that_they_are_units_of(units: list[int]) -> None:
    exact = units_of([Decimal(each) for each in units], 0)

    found = as_decimals(exact, AMOUNT)

    assert found.dtype == AMOUNT
    assert found.to_list() == [Decimal(each).scaleb(-12, _WIDE) for each in units]


def test_a_decimal_with_more_places_is_not_cut() -> None:
    with pytest.raises(Inexact):
        units_of([Decimal("0.1234567")], 6)


def test_more_digits_than_a_decimal_holds_are_refused() -> None:
    with pytest.raises(OverflowError, match="more digits than"):
        as_decimals(np.array([10**38], object), AMOUNT)
