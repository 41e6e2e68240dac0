"""Recorded responses of providers, with prices that their publishers checked by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest

from auditstream.cli import price
from auditstream.core.errors import RequestError
from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.pricing.quotes import quotes
from auditstream.pricing.request import PriceRequest, parse
from tests.support.calls import pricer
from tests.support.command_line import command_line, rows_of
from tests.support.shared_data import shared_file

SELECTION = Path(__file__).parents[2] / "data" / "genai-prices" / "usages.jsonl"
PRICED_AT = datetime(2025, 11, 6, 12, tzinfo=UTC)

EXPECTED_WRONGLY = {
    ("google", "claude-sonnet-4-5-20250929", "2.426628"): (
        "401,468 input tokens are more than 200,000, above which it costs 6 and 22.5 USD "
        "a million (0.401468 x 6 + 0.000792 x 22.5 = 2.426628); the expectation took 3 and 15 "
        "(1.204404 + 0.01188 = 1.216284), as the catalogue of its day had no price of long contexts there"
    ),
    ("cerebras", "qwen-3-coder-480b", None): (
        "the catalogue lists the model without any price, then and now; the 0 adds up no prices, and "
        "what nobody has a price for is not free"
    ),
}
"""Results whose expectation is wrong, by provider, model and our total, each with the proof."""


def asked(document: dict[str, Any]) -> PriceRequest:
    return parse(document, bundled_catalogue(), now=PRICED_AT)


def expectations(cases: Iterable[dict[str, Any]]) -> list[tuple[PriceRequest, dict[str, Any]]]:
    """Return each usage that has an expected price, as a question and the expectation."""
    found = []
    for case in cases:
        for extracted in case["extracted"]:
            for expected in extracted["extractors"]:
                if "input_price" in expected:
                    model = case["body"].get("model") or case["body"].get("modelVersion") or case["model"]
                    counts = {"input_tokens": 0} | extracted["usage"]  # zeros are left out there
                    document = {"provider": expected["provider_id"], "model": model, "usage": counts}
                    found.append((asked(document), expected))
    return found


def expected_total(expected: dict[str, Any]) -> Decimal:
    parts = Decimal(expected["input_price"]) + Decimal(expected["output_price"])
    return Decimal(expected.get("total_price") or parts)


def differences(cases: Iterable[dict[str, Any]]) -> tuple[int, set[tuple[str, str, str | None]]]:
    found = expectations(cases)
    differing = set()
    for answer, (_, expected) in zip(quotes(pricer(), [request for request, _ in found]), found, strict=True):
        total = answer.get("total")
        if total is None or Decimal(total) != expected_total(expected):
            differing.add((expected["provider_id"], expected["api_flavor"], total))
    return len(found), differing


def test_the_selection_has_the_expected_prices() -> None:
    cases = [json.loads(line) for line in SELECTION.read_text(encoding="utf-8").splitlines()]

    count, differing = differences(cases)

    assert count > 150
    assert differing == set()


def test_the_whole_published_set_has_the_expected_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = json.loads(shared_file("genai-prices-usages", "usages.json").read_text(encoding="utf-8"))
    asked_for = [
        (
            question(
                case["body"].get("model") or case["body"].get("modelVersion") or case["model"],
                extracted["usage"],
                each,
            ),
            each,
        )
        for case in cases
        for extracted in case["extracted"]
        for each in extracted["extractors"]
        if "input_price" in each
    ]
    batch = tmp_path / "batch.jsonl"
    batch.write_text("".join(f"{json.dumps(line)}\n" for line, _ in asked_for), encoding="utf-8")

    code = command_line(monkeypatch, price)("price", "--batch", batch, "--data-dir", tmp_path)

    answers = rows_of(capsys.readouterr().out)
    differing = {
        (each["provider_id"], answer["model"], answer.get("total"))
        for answer, (_, each) in zip(answers, asked_for, strict=True)
        if answer.get("total") is None or Decimal(answer["total"]) != expected_total(each)
    }
    assert (code, len(answers)) == (0, 1_731)
    assert differing == EXPECTED_WRONGLY.keys()
    for answer in answers:
        if "lines" in answer:
            assert sum((Decimal(line["billed"]) for line in answer["lines"]), Decimal(0)) == Decimal(
                answer["total"]
            )


def test_the_price_above_200_000_tokens_that_an_expectation_lacks_is_the_librarys_own() -> None:
    usage = genai_prices.Usage(input_tokens=401_468, output_tokens=792)

    library = genai_prices.calc_price(
        usage, "claude-sonnet-4-5-20250929", provider_id="google", genai_request_timestamp=PRICED_AT
    )

    assert library.total_price == Decimal("2.426628")
    assert Decimal(401_468) * 6 / 10**6 + Decimal(792) * Decimal("22.5") / 10**6 == library.total_price


def question(model: str, usage: dict[str, int], expected: dict[str, Any]) -> dict[str, Any]:
    """Return a line of `price --batch` for a result, at the time of the published prices."""
    return {
        "provider": expected["provider_id"], "model": model, "usage": usage,
        "api_flavor": expected["api_flavor"], "at": PRICED_AT.isoformat(),
    }  # fmt: skip


def test_counts_read_from_a_response_are_those_that_the_library_reads() -> None:
    cases = [json.loads(line) for line in SELECTION.read_text(encoding="utf-8").splitlines()]
    requests, totals = [], []
    for case in cases:
        for expected in (each for extracted in case["extracted"] for each in extracted["extractors"]):
            provider, flavor = expected["provider_id"], expected["api_flavor"]
            document = {"provider": provider, "flavor": flavor, "response": case["body"], "tier": "standard"}
            requests.append(asked(document))
            library = genai_prices.extract_usage(case["body"], provider_id=provider, api_flavor=flavor)
            totals.append(library.calc_price(genai_request_timestamp=PRICED_AT).total_price)

    answers = quotes(pricer(), requests)

    assert len(answers) > 150
    assert [Decimal(answer["total"]) for answer in answers] == totals


def test_the_flavour_of_a_response_is_found_out() -> None:
    body = {"model": "gpt-4o", "usage": {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}}

    found = asked({"provider": "openai", "response": body})

    assert (found.usage["input_tokens"], found.usage["output_tokens"]) == (100, 20)


def test_a_response_that_no_extractor_understands_is_refused() -> None:
    with pytest.raises(RequestError, match=r"^response: has no usage"):
        asked({"provider": "openai", "response": {"model": "gpt-4o"}})
