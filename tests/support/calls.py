"""Frames of model calls to price, and what the pricer says of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.pricing.pricer import CataloguePricer
from schemas.flatten import frame_of
from tests.support.events import event

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)

_COUNTS = {"input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"}


def call(
    provider: str = "openai", model: str | None = "gpt-4o", *, at: datetime = AT, **changes: Any
) -> dict[str, Any]:
    """Return an event of a model call.

    Keywords that are token counts, or meters of the catalogue by `by_modality`, go to its usage; `served`,
    `tier` and `batch` to its inference; all others are fields of the event.
    """
    inference = {"operation": "chat", "provider": provider, "request_model": model}
    for name, field in (("served", "response_model"), ("tier", "service_tier"), ("batch", "batch")):
        if name in changes:
            inference[field] = changes.pop(name)
    usage = {name: changes.pop(name) for name in (*_COUNTS, "by_modality") if name in changes}
    families: dict[str, Any] = {"inference": inference} | ({"usage": usage} if usage else {})
    return event(event_id=uuid.uuid4(), event_time=at, **families | changes)


@dataclass(frozen=True, slots=True)
class Priced:
    """One row of the pricer's answer."""

    status: str
    refusal: str | None
    total: Decimal | None
    lines: list[dict[str, Any]]
    row: dict[str, Any]

    @property
    def quantities(self) -> dict[str, Decimal]:
        """Quantity by the meter's name in the price id."""
        return {line["price_id"].rsplit("/", 1)[-1]: line["quantity"] for line in self.lines}


def pricer() -> CataloguePricer:
    """Return the pricer over the installed catalogue."""
    return CataloguePricer(bundled_catalogue())


def price(*events: dict[str, Any]) -> list[Priced]:
    """Return what each event costs, priced as one frame."""
    return answers(pricer().explain(frame_of(list(events)), revision=0))


def price_one(event_: dict[str, Any]) -> Priced:
    """Return what one event costs."""
    return price(event_)[0]


def answers(priced: pl.DataFrame) -> list[Priced]:
    """Return the rows of a priced frame."""
    return [
        Priced(row["cost_status"], row["refusal"], row["cost_billed"], row["costs"], row)
        for row in priced.to_dicts()
    ]


def line_sums(lines: Sequence[dict[str, Any]]) -> Decimal:
    """Return the sum of the lines' list amounts."""
    return sum((line["list"] for line in lines), Decimal(0))
