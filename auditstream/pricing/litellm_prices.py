"""A cross-check of a price book against LiteLLM's list of prices, taken as data.

The list is a JSON object of models: a name, `litellm_provider`, and prices of one token (or character) as
numbers under names like `input_cost_per_token_above_200k_tokens_batches`. A difference is told, and never
averaged away: one of the two is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from auditstream.core.errors import RequestError
from auditstream.pricing.book import PriceBook, Route, Schedule
from auditstream.pricing.cards import PriceCard
from auditstream.pricing.catalogue import Catalogue

_METERS = {
    "input_cost_per_token": "input_tokens",
    "output_cost_per_token": "output_tokens",
    "cache_read_input_token_cost": "cache_read_tokens",
    "cache_creation_input_token_cost": "cache_write_tokens",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_tokens",
    "input_cost_per_audio_token": "input_audio_tokens",
    "output_cost_per_audio_token": "output_audio_tokens",
    "cache_read_input_audio_token_cost": "cache_audio_read_tokens",
    "input_cost_per_image_token": "input_image_tokens",
    "output_cost_per_image_token": "output_image_tokens",
    "cache_read_input_image_token_cost": "cache_image_read_tokens",
    "input_cost_per_video_token": "input_video_tokens",
    "output_cost_per_video_token": "output_video_tokens",
    "output_cost_per_reasoning_token": "output_reasoning_tokens",
    "input_cost_per_character": "input_characters",
}
"""Meter of each kind of price; others are of a whole image, a second or a session."""

_TIERS = {"batches": "batch", "priority": "priority", "flex": "flex"}
_FIELD = re.compile(
    r"(?P<kind>.+?)(?:_above_(?P<thousands>\d+)k_tokens)?(?:_(?P<tier>batches|priority|flex))?"
)

_PROVIDERS = {
    "cohere_chat": "cohere", "fireworks_ai": "fireworks", "gemini": "google", "moonshot": "moonshotai",
    "together_ai": "together", "voyage": "voyageai", "xai": "x-ai",
    "bedrock": "aws", "bedrock_converse": "aws",
    "vertex_ai-language-models": "google", "vertex_ai-anthropic_models": "google",
}  # fmt: skip
"""Providers that the catalogue has another id for, or would not recognise."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A price that differs.

    Attributes:
        provider: Provider, by the catalogue's id.
        model: Model as LiteLLM names it.
        meter: Meter.
        tier: Service tier, empty for the standard one.
        context_from: Input tokens from which on both prices hold.
        ours: Our price of one unit.
        theirs: LiteLLM's.
    """

    provider: str
    model: str
    meter: str
    tier: str
    context_from: int
    ours: Decimal
    theirs: Decimal

    @property
    def difference_pct(self) -> Decimal:
        """How far they are apart, in percent of the larger one, with two places."""
        larger = max(abs(self.ours), abs(self.theirs))
        return (abs(self.ours - self.theirs) / larger * 100).quantize(Decimal("0.01"))


@dataclass(slots=True)
class CrossCheck:
    """What came of a comparison.

    Attributes:
        disagreements: Prices that differ by more than the tolerance.
        compared: How many prices were compared.
        models: How many of LiteLLM's models had a price that was.
        unknown: How many of its models the book does not have.
    """

    disagreements: list[Disagreement] = field(default_factory=list)
    compared: int = 0
    models: int = 0
    unknown: int = 0


def read_prices(text: str) -> dict[str, Any]:
    """Return LiteLLM's list, its numbers as exact decimals.

    Raises:
        RequestError: It is not a JSON object of models.
    """
    try:
        listed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"litellm: is not JSON: {error}", field="litellm") from error
    if not isinstance(listed, dict) or not all(isinstance(entry, dict) for entry in listed.values()):
        raise RequestError("litellm: is not a JSON object with an object a model", field="litellm")
    if not any("litellm_provider" in entry for entry in listed.values()):
        raise RequestError("litellm: no model has litellm_provider: is it LiteLLM's list?", field="litellm")
    return listed


def cross_check(
    listed: Mapping[str, Any],
    book: PriceBook,
    catalogue: Catalogue,
    *,
    at: datetime,
    tolerance_pct: Decimal = Decimal(1),
) -> CrossCheck:
    """Return where a book's prices differ from LiteLLM's, by provider, model and meter.

    Args:
        listed: LiteLLM's list from `read_prices`.
        book: Prices to check.
        catalogue: Knows providers by their names.
        at: Time of the prices.
        tolerance_pct: Largest difference that is none, in percent.
    """
    found = CrossCheck()
    for name, entry in listed.items():
        provider = _provider(entry.get("litellm_provider"), catalogue)
        if provider is None or name == "sample_spec":
            continue
        compared = list(_compared(provider, name, entry, book, at))
        found.compared += len(compared)
        found.models += bool(compared)
        found.unknown += not compared
        found.disagreements += [
            each for each in compared if each.ours != each.theirs and each.difference_pct > tolerance_pct
        ]
    return found


def _provider(name: object, catalogue: Catalogue) -> str | None:
    if not isinstance(name, str):
        return None
    known = catalogue.provider(_PROVIDERS.get(name, name))
    return None if known is None else known.id


def _compared(
    provider: str, name: str, entry: Mapping[str, Any], book: PriceBook, at: datetime
) -> Iterator[Disagreement]:
    # `openai/gpt-4o` names its provider; `azure/eu/gpt-4o` also a region, and is no model's general price.
    prefix, _, rest = name.partition("/")
    model = rest if rest and prefix in {provider, entry.get("litellm_provider")} else name
    for key, theirs in entry.items():
        match = _FIELD.fullmatch(key)
        if match is None or match["kind"] not in _METERS or not isinstance(theirs, Decimal):
            continue
        tier = _TIERS.get(match["tier"] or "", "")
        context_from = int(match["thousands"]) * 1000 + 1 if match["thousands"] else 0
        meter = _METERS[match["kind"]]
        ours = _price(book, Route(provider, (model,), tier), meter, context_from, at)
        if ours is not None:
            yield Disagreement(provider, model, meter, tier, context_from, ours, theirs)


def _price(book: PriceBook, route: Route, meter: str, context_from: int, at: datetime) -> Decimal | None:
    schedule = book.schedule(route)
    if not isinstance(schedule, Schedule):
        return None
    card = schedule.at(at)
    if not isinstance(card, PriceCard):
        return None
    step = sum(1 for start in card.starts if start < context_from)
    return next((rate.unit_price for rate in card.steps[step] if rate.meter.key == meter), None)
