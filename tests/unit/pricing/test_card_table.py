"""Cards as arrays: discounts are laid over a list that is there once."""

from __future__ import annotations

import weakref
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.pricing.card_table import card_table
from auditstream.pricing.cards import CardList, PriceCard, Rate, product
from auditstream.pricing.meters import METERS
from tests.support.examples import examples

METER = METERS["input_tokens"]
PRICES = st.decimals("0", "20", places=18)
SHARES = st.decimals("0", "100", places=6)


def listed(*steps: Decimal, contracted: Decimal | None = None) -> PriceCard:
    """A card of one meter, with a step of context length for each price."""
    starts = tuple(1_000 * (place + 1) for place in range(len(steps) - 1))
    return PriceCard(starts, tuple((Rate(METER, "p", price, contracted),) for price in steps))  # type: ignore[arg-type]  # None stands for the list price


def discounted(card: PriceCard, share: Decimal) -> PriceCard:
    return PriceCard(card.starts, card.steps, card.basis, card.currency, (1 - share / 100,))


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(PRICES, min_size=1, max_size=3), st.lists(SHARES, max_size=3))
def test_what_a_discount_leaves_is_rounded_as_one_price_at_a_time(
    steps: list[Decimal], shares: list[Decimal]
) -> None:
    card = listed(*steps)

    table = card_table(CardList((card, *(discounted(card, share) for share in shares))))

    factors = [Decimal(1), *(1 - share / 100 for share in shares)]
    expected = [product(price, factor) for factor in factors for price in steps]
    assert [Decimal(int(each)).scaleb(-18) for each in table.contracted_units] == expected


def test_prices_of_many_tenants_are_listed_once() -> None:
    card = listed(Decimal("0.000002"), Decimal("0.000004"))
    first = CardList(tuple(discounted(card, Decimal(share)) for share in range(1, 50)))
    later = CardList((*first.cards, card, discounted(card, Decimal(50))), weakref.ref(first))

    table = card_table(later)

    assert table.said.height == 2
    assert len(table.listed_of) == 51 * 2
    assert table.said["list_unit_price"].to_list() == [Decimal("0.000002"), Decimal("0.000004")]


def test_each_call_reaches_the_step_of_its_total() -> None:
    one, three = listed(Decimal(1)), listed(Decimal(2), Decimal(3), Decimal(4))
    table = card_table(CardList((one, three)))
    totals = [5_000, 1_000, 1_001, 2_001]

    steps = table.steps(np.array([0, 1, 1, 1]), np.array(totals))

    prices = table.said["list_unit_price"].gather(table.listed_of[steps.rate])
    assert prices.to_list() == [1, 2, 3, 4]
    assert table.steps(np.array([1]), None).rate.tolist() == [1]


def test_a_rate_of_its_own_stands_beside_discounts() -> None:
    own = listed(Decimal(2), contracted=Decimal("12.5"))
    plain = listed(Decimal(4))

    table = card_table(CardList((own, discounted(plain, Decimal(25)), plain)))

    assert [Decimal(int(each)).scaleb(-18) for each in table.contracted_units] == [Decimal("12.5"), 3, 4]
