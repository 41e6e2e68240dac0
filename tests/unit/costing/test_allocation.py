"""Allocation: parts add up to the whole, the same inputs give the same parts, what nobody pays is named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.costing.allocation import (
    NO_RULE,
    NO_WEIGHTS,
    Charge,
    Residual,
    Rule,
    Share,
    Weights,
    allocated,
    spread,
)
from auditstream.costing.exact import total
from tests.support.examples import examples

DAY = date(2026, 11, 3)
NOBODY = "unattributed"
USED = Weights(
    tokens={"acme": 300, "globex": 100, NOBODY: 50},
    requests={"acme": 1, "globex": 1, "initech": 1},
    time={"globex": 5},
)
THIRDS = {"acme": "0.333333333334", "globex": "0.333333333333", "initech": "0.333333333333"}
AMOUNTS = st.decimals(min_value=-(10**20), max_value=10**20, places=12, allow_nan=False)
WEIGHTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.decimals(min_value=0, max_value=10**15, places=6, allow_nan=False),
    min_size=1,
    max_size=30,
).filter(lambda weights: any(weights.values()))


@settings(max_examples=examples(100), deadline=None)
@given(AMOUNTS, WEIGHTS)
def test_parts_add_up_to_the_whole_to_the_last_decimal(amount: Decimal, weights: dict[str, Decimal]) -> None:
    parts = spread(amount, weights)

    assert total(parts.values()) == amount
    assert parts.keys() == {name for name, weight in weights.items() if weight}


@settings(max_examples=examples(100), deadline=None)
@given(AMOUNTS, WEIGHTS)
def test_no_part_is_further_from_its_share_than_one_step(
    amount: Decimal, weights: dict[str, Decimal]
) -> None:
    whole = sum(map(Fraction, weights.values()))

    for name, part in spread(amount, weights).items():
        assert abs(Fraction(part) - Fraction(amount) * Fraction(weights[name]) / whole) < Fraction(1, 10**12)


@settings(max_examples=examples(100), deadline=None)
@given(AMOUNTS, WEIGHTS)
def test_the_order_of_the_weights_does_not_matter(amount: Decimal, weights: dict[str, Decimal]) -> None:
    backwards = dict(reversed(weights.items()))

    assert list(spread(amount, weights).items()) == list(spread(amount, backwards).items())


def test_what_is_left_goes_to_the_largest_remainders_then_by_name() -> None:
    weights = dict.fromkeys("abc", Decimal(1))

    assert spread(Decimal("0.02"), weights, 2) == {
        "a": Decimal("0.01"),
        "b": Decimal("0.01"),
        "c": Decimal(0),
    }
    assert spread(Decimal(1), {"a": Decimal(1), "b": Decimal(2)}, 0) == {"a": Decimal(0), "b": Decimal(1)}


def test_digits_beyond_the_decimals_are_not_lost() -> None:
    parts = spread(Decimal("1.005"), {"a": Decimal(1), "b": Decimal(3)}, 2)

    assert parts == {"a": Decimal("0.25"), "b": Decimal("0.755")}


def charge(amount: str = "1", *, tenant: str = NOBODY, category: str = "gpu", service: str = "EC2") -> Charge:
    return Charge(tenant, category, service, "USD", DAY, Decimal(amount))


def shared(rule: Rule, one: Charge | None = None) -> tuple[dict[str, Decimal], list[Residual]]:
    shares, left = allocated([one or charge()], lambda _: [rule], USED, nobody=NOBODY)
    return {share.tenant: share.amount for share in shares}, left


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("r", NOBODY, "tokens"), {"acme": "0.75", "globex": "0.25"}),
        (Rule("r", NOBODY, "requests"), THIRDS),
        (Rule("r", NOBODY, "time"), {"globex": "1"}),
        (Rule("r", NOBODY, "even", tenants=("acme", "umbrella")), {"acme": "0.5", "umbrella": "0.5"}),
        (Rule("r", NOBODY, "even"), THIRDS),
        (Rule("r", NOBODY, "tokens", tenants=("globex", "initech")), {"globex": "1"}),
        (
            Rule("r", NOBODY, "fixed", shares={"acme": Decimal(1), "globex": Decimal(4)}),
            {"acme": "0.2", "globex": "0.8"},
        ),
    ],
)
def test_a_method_spreads_by_what_it_says(rule: Rule, expected: dict[str, str]) -> None:
    parts, left = shared(rule)

    assert parts == {name: Decimal(amount) for name, amount in expected.items()}
    assert left == []


def test_what_no_rule_covers_is_named() -> None:
    parts, left = shared(Rule("r", NOBODY, "tokens", category="storage"))

    assert parts == {}
    assert [(each.part, each.rule, each.reason) for each in left] == [("gpu", "", NO_RULE)]


def test_what_has_nothing_to_be_spread_by_is_named() -> None:
    _, left = shared(Rule("r", NOBODY, "time", part="capacity", tenants=("initech",)))

    assert [(each.part, each.rule, each.reason) for each in left] == [("capacity", "r", NO_WEIGHTS)]


def test_a_cost_of_a_tenant_that_no_rule_covers_is_its_own() -> None:
    shares, left = allocated(
        [charge(tenant="acme")], lambda _: [Rule("r", NOBODY, "even")], USED, nobody=NOBODY
    )

    assert shares == [Share("acme", "gpu", "USD", Decimal(1), "")]
    assert left == []


def test_costs_of_a_platform_are_spread_when_a_rule_says_so() -> None:
    parts, _ = shared(Rule("r", "platform", "tokens"), charge(tenant="platform"))

    assert parts == {"acme": Decimal("0.75"), "globex": Decimal("0.25")}


def test_a_rule_may_only_say_what_a_cost_counts_as() -> None:
    rule = Rule("r", "", "own", service="pine*", part="vector_store")

    shares, left = allocated(
        [charge(tenant="acme", service="Pinecone"), charge(service="Pinecone")],
        lambda _: [rule],
        USED,
        nobody=NOBODY,
    )

    assert shares == [Share("acme", "vector_store", "USD", Decimal(1), "")]
    assert [each.part for each in left] == ["vector_store"]


def test_of_several_rules_the_one_with_the_lowest_priority_counts_then_the_first_by_id() -> None:
    rules = [
        Rule("b", NOBODY, "time", priority=5),
        Rule("a", NOBODY, "even", priority=7, tenants=("acme",)),
        Rule("c", NOBODY, "even", priority=5, tenants=("initech",)),
    ]

    shares, _ = allocated([charge()], lambda _: rules, USED, nobody=NOBODY)

    assert {share.rule for share in shares} == {"b"}


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.tuples(AMOUNTS, st.sampled_from(["gpu", "storage", "people"])), max_size=20))
def test_shares_and_residuals_add_up_to_all_charges(charges: list[tuple[Decimal, str]]) -> None:
    rules = [
        Rule("r", NOBODY, "tokens", category="gpu"),
        Rule("s", NOBODY, "time", category="people", tenants=("x",)),
    ]
    asked = [charge(str(amount), category=category) for amount, category in charges]

    first = allocated(asked, lambda _: rules, USED, nobody=NOBODY)
    shares, left = first

    told = [*(share.amount for share in shares), *(each.charge.amount for each in left)]
    assert total(told) == total(each.amount for each in asked)
    assert allocated(asked, lambda _: rules, USED, nobody=NOBODY) == first
