"""Events and reference data to measure pricing with: 200 models, 50 tenants, a contract for each of these."""

from __future__ import annotations

import io
import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

import fastavro
import polars as pl
from genai_prices.types import ModelInfo

from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.reference.kinds import KINDS, Entry, frame_of
from auditstream.reference.owners import Tenant
from auditstream.reference.price_import import import_of
from auditstream.reference.rates import Contract
from auditstream.reference.snapshot import Snapshot
from benchmarks.events import SCHEMA_ID, datum
from schemas.framing import prefix
from schemas.packaged import parsed_schema

MODELS, TENANTS = 200, 50
PROVIDERS = ("openai", "anthropic", "google", "mistral", "cohere", "groq", "x-ai", "deepseek", "openrouter")

_ID = slice(1, 37)
_SINCE = datetime(2020, 1, 1, tzinfo=UTC)


@cache
def models() -> tuple[tuple[str, str], ...]:
    """Return providers and models that the catalogue has input and output prices for, round robin.

    It has some that it does not find by their own name, as that of a fine-tuned model without its suffix: to
    record them would measure findings of models without a price.
    """
    catalogue = bundled_catalogue()
    listed = [
        [(name, model.id) for model in catalogue.provider(name).models if _is_priced(name, model)]  # type: ignore[union-attr]  # all are known
        for name in PROVIDERS
    ]
    mixed = itertools.chain.from_iterable(itertools.zip_longest(*listed))
    return tuple(itertools.islice(filter(None, mixed), MODELS))


def values(count: int) -> Iterator[bytes]:
    """Yield framed events over every model and tenant, each id once."""
    templates = [_template(number) for number in range(MODELS * TENANTS)]
    for number in range(count):
        start, end = templates[(number * 7919) % len(templates)]
        event_id = str(uuid.UUID(int=(0x0192_0000_0000_7000 << 64) | (1 << 63) | number)).encode()
        yield start + event_id + end


def snapshot() -> Snapshot:
    """Return the catalogue as imported, and a discount of its own for each tenant at each provider."""
    stated = import_of(bundled_catalogue())
    facts = {
        "price": list(stated.prices),
        "tenant": [
            Tenant(tenant_id=_tenant(number), name="T", valid_from=_SINCE) for number in range(TENANTS)
        ],
        "contract": [
            Contract(
                contract_id=f"{name}-{number}",
                tenant_id=_tenant(number),
                provider=name,
                kind="discount",
                discount_pct=Decimal(number + 1) / 2,
                valid_from=_SINCE,
            )
            for number in range(TENANTS)
            for name in PROVIDERS
        ],
    }
    tables = {
        name: frame_of(
            KINDS[name], [Entry(fact, "bench") for fact in of_kind], revision=1, recorded_at=_SINCE, actor=""
        )
        for name, of_kind in facts.items()
    }
    return Snapshot(1, {name: Snapshot(0).rows(name) for name in KINDS} | tables)


class Facts:
    """A directory of the snapshot; its revision is 1."""

    def __init__(self) -> None:
        self._snapshot = snapshot()

    def intervals(self, kind: str, revision: int) -> pl.DataFrame:
        """Return what holds when; there is one revision."""
        assert revision == 1
        return self._snapshot.intervals(kind)


def _tenant(number: int) -> str:
    return f"tenant-{number:02}"


def _is_priced(provider: str, model: ModelInfo) -> bool:
    stated = (getattr(model.prices, name, None) for name in ("input_mtok", "output_mtok"))
    if any(price is None for price in stated):
        return False
    found = bundled_catalogue().listing(provider, model.id)
    return found is not None and found.model is model


def _template(number: int) -> tuple[bytes, bytes]:
    """Return what comes before and after the id of an event: one for each model and tenant."""
    provider, model = models()[number % MODELS]
    fields = datum("small", number)
    fields["tenant_id"] = _tenant(number // MODELS)
    fields["inference"] = {**fields["inference"], "provider": provider, "request_model": model}
    fields["inference"]["response_model"] = model
    fields["usage"] = {
        "input_tokens": 2_000 + number % 900, "cache_read_tokens": number % 3 * 500,
        "output_tokens": 100 + number % 90, "reasoning_tokens": number % 2 * 50, "source": "PROVIDER",
    }  # fmt: skip
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parsed_schema("audit_event"), fields)
    encoded = stream.getvalue()
    return prefix(SCHEMA_ID) + encoded[: _ID.start], encoded[_ID.stop :]
