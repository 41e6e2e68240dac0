"""The SDK's reading of recorded responses, against what their publishers' extractors read from them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditstream_sdk.usage import read_response
from tests.support.recorded_usage import catalogue_counts
from tests.support.shared_data import shared_file

SELECTION = Path(__file__).parents[2] / "data" / "genai-prices" / "usages.jsonl"

OTHER_FORM = (
    "the extractor is of an API whose bodies have another form: it takes what the names have in common"
)
KNOWS_MORE = "the extractor has no row for a part that the body names; what it has is the same"
BILLED = "tokens used against tokens billed: the bill is what an audit of cost needs"
TOTAL_SAYS = "the extractor is xAI's, which adds reasoning; the body's own total says that it is inside"

DIFFERENCES = {KNOWS_MORE: 1_658, OTHER_FORM: 35, BILLED: 6, TOTAL_SAYS: 39}
"""Recorded results that differ from ours, of 9,545, and why ours is right."""

UNRECORDED = {
    ("openai.chat", "cache_read_tokens"): (12, "Mistral's num_cached_tokens, billed at a tenth"),
    ("openai.chat", "input_text_tokens"): (1, "prompt_tokens_details.text_tokens beside audio"),
    ("openai.chat", "output_text_tokens"): (1, "completion_tokens_details.text_tokens"),
    ("gemini.generate_content", "input_text_tokens"): (5, "embedContent spells it promptTokenDetails"),
    ("bedrock.converse", "cache_write_5m_tokens"): (2, "cacheDetails"),
}
"""Counts that we read and that no extractor has recorded, in how many bodies, and what they are."""


def why_different(
    body: Mapping[str, Any], ours: dict[str, int], theirs: dict[str, int], extractor: str
) -> str:
    if theirs.items() <= ours.items():
        return KNOWS_MORE
    if extractor == "cohere/tokens":
        return BILLED
    usage = body.get("usage", {})
    if (
        extractor == "x-ai/chat"
        and usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    ):
        return TOTAL_SAYS
    cached = usage.get("cache_read_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    beside = ours["input_tokens"] - theirs["input_tokens"]
    if extractor.endswith("/responses") and cached == beside > 0:
        return OTHER_FORM
    return f"{extractor}: {theirs} is read as {ours}"


def compared(cases: list[dict[str, Any]]) -> tuple[int, Counter[str]]:
    """Return how many results were compared, and the reasons of those that differ."""
    count, reasons = 0, Counter[str]()
    for case in cases:
        for extracted in case["extracted"]:
            for extractor in extracted["extractors"]:
                provider = extractor["provider_id"]
                ours = catalogue_counts(read_response(case["body"], provider=provider).usage)
                count += 1
                if ours != extracted["usage"]:
                    name = f"{provider}/{extractor['api_flavor']}"
                    reasons[why_different(case["body"], ours, extracted["usage"], name)] += 1
    return count, reasons


def test_the_selection_is_read_as_recorded() -> None:
    cases = [json.loads(line) for line in SELECTION.read_text(encoding="utf-8").splitlines()]

    count, reasons = compared(cases)

    assert count > 150
    assert reasons.keys() <= DIFFERENCES.keys()


def test_the_whole_published_set_is_read_as_recorded_or_for_a_listed_reason() -> None:
    cases = json.loads(shared_file("genai-prices-usages", "usages.json").read_text(encoding="utf-8"))

    count, reasons = compared(cases)

    assert count == 9_545
    assert reasons == DIFFERENCES


def test_what_is_read_without_a_hint_is_what_some_extractor_recorded() -> None:
    cases = json.loads(shared_file("genai-prices-usages", "usages.json").read_text(encoding="utf-8"))
    unrecorded: Counter[tuple[str, str]] = Counter()

    for case in cases:
        facts = read_response(case["body"])
        ours = catalogue_counts(facts.usage)
        recorded = [extracted["usage"] for extracted in case["extracted"]]
        assert any(theirs.items() <= ours.items() for theirs in recorded), case["body"]
        known = {item for theirs in recorded for item in theirs.items()}
        unrecorded.update((facts.dialect, key) for key, _ in ours.items() - known)

    assert unrecorded == {key: count for key, (count, _) in UNRECORDED.items()}


def test_every_recorded_body_is_of_a_form_that_is_known_and_names_its_model() -> None:
    cases = json.loads(shared_file("genai-prices-usages", "usages.json").read_text(encoding="utf-8"))

    facts = [read_response(case["body"]) for case in cases]

    forms = Counter(each.dialect for each in facts)
    assert forms == {
        "openai.chat": 202,
        "openai.responses": 130,
        "anthropic.messages": 108,
        "gemini.generate_content": 230,
        "bedrock.converse": 111,
        "cohere.chat": 8,
    }
    named = [case["body"].get("model") or case["body"].get("modelVersion") for case in cases]
    assert [each.model for each in facts] == named


def test_what_the_totals_leave_out_is_noted() -> None:
    cases = json.loads(shared_file("genai-prices-usages", "usages.json").read_text(encoding="utf-8"))

    notes = Counter(note.partition(":")[0] for case in cases for note in read_response(case["body"]).notes)

    # An adviser of another model, twice; a proxy whose total has thoughts that its parts have not.
    assert notes == {"usage.iterations": 2, "usage.total_tokens": 1}
