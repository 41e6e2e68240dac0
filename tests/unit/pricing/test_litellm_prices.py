"""The cross-check against LiteLLM's list: what differs is told by provider, model and meter."""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.core.errors import RequestError
from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.pricing.litellm_prices import CrossCheck, cross_check, read_prices
from tests.support.price_books import book, model, prices, tiered, variant

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ACME = book(
    model(
        "m",
        prices(input_mtok=tiered("1", (200_000, "2")), output_mtok="4", cache_read_mtok="0.1"),
        variant({"processing": "batch"}, prices(input_mtok="0.5")),
    )
)


def checked(tolerance: str = "1", **entry: Any) -> CrossCheck:
    listed = json.dumps({"acme/m": {"litellm_provider": "acme"} | entry})
    return cross_check(read_prices(listed), ACME, ACME, at=NOW, tolerance_pct=Decimal(tolerance))


def test_the_same_prices_are_no_difference() -> None:
    found = checked(
        input_cost_per_token=1e-06,
        input_cost_per_token_above_200k_tokens=2e-06,
        input_cost_per_token_batches=5e-07,
        output_cost_per_token=4e-06,
        cache_read_input_token_cost=1e-07,
        max_tokens=8192,
    )

    assert (found.compared, found.models, found.unknown, found.disagreements) == (5, 1, 0, [])


def test_a_difference_is_told_with_both_prices_and_what_it_is_about() -> None:
    (each,) = checked(output_cost_per_token=4e-06, input_cost_per_token_above_200k_tokens=3e-06).disagreements

    assert (each.provider, each.model, each.meter, each.tier, each.context_from) == (
        "acme", "m", "input_tokens", "", 200_001,
    )  # fmt: skip
    assert (each.ours, each.theirs, each.difference_pct) == (
        Decimal("0.000002"), Decimal("0.000003"), Decimal("33.33"),
    )  # fmt: skip


@pytest.mark.parametrize(("theirs", "count"), [(4.04e-06, 0), (4.05e-06, 1), (0, 1)])
def test_one_percent_is_none_and_more_is(theirs: float, count: int) -> None:
    assert len(checked(output_cost_per_token=theirs).disagreements) == count


def test_a_tier_of_theirs_is_compared_with_ours() -> None:
    (each,) = checked(input_cost_per_token_batches=1e-06).disagreements

    assert (each.tier, each.ours) == ("batch", Decimal("0.0000005"))


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 1}', '{"a": {"b": 1}}'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"^litellm: "):
        read_prices(text)


def test_the_catalogue_and_litellm_agree_on_the_standard_prices_of_most_models() -> None:
    package = importlib.util.find_spec("litellm")
    assert package is not None
    assert package.origin is not None
    file = Path(package.origin).with_name("model_prices_and_context_window_backup.json")

    found = cross_check(
        read_prices(file.read_text(encoding="utf-8")), bundled_catalogue(), bundled_catalogue(), at=NOW
    )

    standard = [
        each
        for each in found.disagreements
        if each.provider in {"openai", "anthropic", "cohere", "groq"}
        and each.meter in {"input_tokens", "output_tokens"}
        and not each.tier
        and not each.context_from
    ]
    assert found.compared > 4_000
    # Both packages are pinned: a price that comes to differ is seen here.
    assert [(each.provider, each.model, each.meter) for each in standard] == [
        ("openai", "gpt-4o-mini-tts", "output_tokens")
    ]
