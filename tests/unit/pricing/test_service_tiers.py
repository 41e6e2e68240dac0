from __future__ import annotations

import pytest

from auditstream.pricing.tiers import context_of, tier_of
from tests.support.price_books import model, prices, variant


@pytest.mark.parametrize("word", [None, "", "default", "Standard", "auto", "ON_DEMAND", "on-demand"])
def test_words_for_the_standard_tier_name_no_tier(word: str | None) -> None:
    assert tier_of(word) == ""


@pytest.mark.parametrize(
    ("word", "batch", "tier"),
    [
        ("flex", False, "flex"),
        ("Priority", False, "priority"),
        ("batch", False, "batch"),
        ("batch", True, "batch"),
        (None, True, "batch"),
        ("default", True, "batch"),
        ("flex", True, "batch+flex"),
        ("bach", False, "bach"),
        ("flex", None, "flex"),
    ],
)
def test_a_tier_has_one_spelling(word: str | None, batch: bool | None, tier: str) -> None:
    assert tier_of(word, batch=batch) == tier


def test_a_tier_is_found_under_the_key_that_the_model_has() -> None:
    stated = prices(input_mtok="1")
    one, other = {"speed": "fast"}, {"service_tier": "fast"}

    assert context_of(model("a", stated, variant(one, stated)), "fast") == one
    assert context_of(model("b", stated, variant(other, stated)), "fast") == other


def test_a_context_that_is_not_only_a_tier_is_none() -> None:
    stated = prices(input_mtok="1")
    search = variant({"search_type": "fast"}, stated)
    routed = variant({"processing": "batch", "route": "eu"}, stated)

    assert context_of(model("m", stated, search, routed), "fast") is None
    assert context_of(model("m", stated, search, routed), "batch") is None
