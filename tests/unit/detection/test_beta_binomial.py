"""Tails of the beta-binomial against exact sums of fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.detection.beta_binomial import tail_digits


def exact_tail(k: int, n: int, mean: float, weight: float) -> Fraction:
    """Return P(at least k) by Polya's urn: C(n, j) a^(j) b^(n - j) / (a + b)^(n), with rising factorials."""
    a, b = Fraction(mean * weight), Fraction((1 - mean) * weight)

    def rising(start: Fraction, times: int) -> Fraction:
        return math.prod((start + step for step in range(times)), start=Fraction(1))

    return sum(
        (math.comb(n, j) * rising(a, j) * rising(b, n - j) / rising(a + b, n) for j in range(k, n + 1)),
        start=Fraction(0),
    )


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 60),
    share=st.floats(0, 1),
    mean=st.floats(0.001, 0.7),
    weight=st.floats(10, 5_000),
)
def test_the_tail_is_the_exact_sum(n: int, share: float, mean: float, weight: float) -> None:
    k = round(share * n)

    [digits] = tail_digits(np.array([float(k)]), np.array([float(n)]), np.array([mean]), np.array([weight]))

    assert digits == pytest.approx(-math.log10(exact_tail(k, n, mean, weight)), rel=1e-7, abs=1e-9)


def test_a_uniform_share_makes_every_number_as_likely() -> None:
    # a = b = 1: each of 0 to n has the chance 1 / (n + 1).
    k = np.array([0.0, 1, 500, 1_000, 70_000])
    n = np.array([1_000.0, 1_000, 1_000, 1_000, 99_999])

    digits = tail_digits(k, n, np.full(5, 0.5), np.full(5, 2.0))

    assert digits == pytest.approx([0, *(-np.log10(1 - k[1:] / (n[1:] + 1)))], rel=1e-9)


def test_with_much_weight_it_is_the_binomial() -> None:
    # P(X >= 8), X ~ B(10, 1/2) = 56 / 1024.
    [digits] = tail_digits(np.array([8.0]), np.array([10.0]), np.array([0.5]), np.array([1e6]))

    assert digits == pytest.approx(-math.log10(56 / 1024), rel=1e-4)


def test_a_tail_of_many_terms_ends_where_the_others_are_known_to_vanish() -> None:
    together = tail_digits(
        np.array([3.0, 20_000.0]), np.array([10.0, 200_000.0]), np.array([0.1, 0.05]), np.array([10.0, 300.0])
    )

    assert together[0] == pytest.approx(-math.log10(exact_tail(3, 10, 0.1, 10.0)), rel=1e-9)
    # Shares vary like Beta(15, 285); P(p >= 0.1) of that is I_0.9(285, 15) = 6.1e-4.
    assert 10 ** -together[1] == pytest.approx(float(_beta_tail(15, 285, 0.1)), rel=2e-2)


def _beta_tail(a: int, b: int, share: float) -> Fraction:
    """Return P(p >= share) of a Beta with whole parameters: that a binomial has fewer than a successes."""
    p, n = Fraction(share), a + b - 1
    return sum((math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(a)), start=Fraction(0))
