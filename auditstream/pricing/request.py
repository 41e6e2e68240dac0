"""A question for the price of one call, as JSON: checked strictly, as a misread question has a wrong answer.

`{"provider", "model", "usage": {...}, "api_flavor", "at", "tier", "region", "tenant"}`; also
`"response": {...}` in place of `usage` and `model`.

Usage keys are those of an event's `usage`, and the meters of the catalogue; counts that are left out are
zero. `api_flavor` (also `flavor`) is the kind of response: how a response is read. Counts have one meaning
whatever they were read from.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from auditstream.core.errors import RequestError
from auditstream.pricing.book import PriceBook
from auditstream.pricing.catalogue import Catalogue
from auditstream.pricing.responses import Extracted, extract, require_flavor
from auditstream.pricing.tiers import STANDARD, tier_of
from auditstream.pricing.usage import COLUMN_OF, LARGEST_COUNT, modality_meters

_FIELDS = frozenset(
    {"id", "provider", "model", "usage", "response", "flavor", "api_flavor", "at", "tier", "region", "tenant"}
)
_PLAIN_KEYS = (*COLUMN_OF.values(), "by_modality")
_COUNT_FIELDS = frozenset(COLUMN_OF.values())
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PriceRequest:
    """One checked question.

    Attributes:
        provider: Provider, by any of its names.
        served: Model that answered, when a response says so.
        model: Model that was asked for.
        tier: Service tier: as asked, else as the response says; `` for standard.
        at: Event time.
        tenant: Whose price; None for the list price.
        usage: Fields of an event's `usage`.
        region: Region or route; None where it does not matter.
        id: The asker's own name of the question, given back.
    """

    provider: str
    served: str | None
    model: str | None
    tier: str
    at: datetime
    tenant: str | None
    usage: Mapping[str, Any]
    region: str | None = None
    id: Any = None

    def event(self) -> dict[str, Any]:
        """Return the datum of the event that this call would have been."""
        return {
            "event_id": uuid.UUID(int=1),
            "event_type": "ai.inference",
            "event_time": self.at,
            "source": "price",
            "tenant_id": self.tenant or "",
            "inference": {
                "operation": "chat",
                "provider": self.provider,
                "request_model": self.model,
                "response_model": self.served,
                "service_tier": self.tier,
                "region": self.region,
            },
            "usage": self.usage,
        }


def load_object(text: str, field: str) -> dict[str, Any]:
    """Return a JSON object, refusing what JSON leaves open: repeated keys, NaN.

    Raises:
        RequestError: It is not one; names the field.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{field}: is not JSON: {error}", field=field) from error
    if not isinstance(value, dict):
        raise RequestError(f"{field}: is not a JSON object", field=field)
    return value


def parse(
    document: Mapping[str, Any],
    catalogue: Catalogue,
    *,
    now: datetime,
    book: PriceBook | None = None,
    tenants: frozenset[str] | None = None,
) -> PriceRequest:
    """Return the question of a JSON object.

    Args:
        document: The object.
        catalogue: Reads responses.
        now: Event time of a question that has none.
        book: Knows tiers and regions; the catalogue itself when None.
        tenants: Tenants that are known; any goes when None.

    Raises:
        RequestError: A field is unknown, missing or wrong; `context["field"]` names it.
    """
    for name in document:
        if name not in _FIELDS:
            raise _wrong(name, f"is not a field; they are {', '.join(sorted(_FIELDS))}")
    book = book or catalogue
    provider = _text(document, "provider")
    if provider is None:
        raise _wrong("provider", "is missing")
    model, asked = _text(document, "model"), _text(document, "tier")
    extracted = _extracted(document, provider, catalogue)
    counts = _counts(document) if extracted is None else extracted.counts
    if model is None and (extracted is None or extracted.model is None):
        raise _wrong("model", "is missing")
    return PriceRequest(
        provider=provider,
        served=extracted.model if extracted else None,
        model=model,
        tier=_asked_tier(asked, book)
        if asked is not None
        else tier_of(extracted.tier if extracted else None),
        at=_time(_text(document, "at"), now),
        region=_region(_text(document, "region"), book),
        tenant=_tenant(_text(document, "tenant"), tenants),
        usage=_usage(counts, "usage" if extracted is None else "response"),
        id=document.get("id"),
    )


def _extracted(document: Mapping[str, Any], provider: str, book: Catalogue) -> Extracted | None:
    response, flavor, known = document.get("response"), _flavor(document), book.provider(provider)
    if response is None:
        if flavor is not None and known is not None:
            require_flavor(known, flavor)
        return None
    if "usage" in document:
        raise _wrong("usage", "is given beside a response, which has its own")
    if not isinstance(response, Mapping):
        raise _wrong("response", "is not a JSON object")
    if known is None:
        raise _wrong("provider", f"{provider!r} is unknown, so its responses cannot be read")
    return extract(known, response, flavor=flavor)


def _flavor(document: Mapping[str, Any]) -> str | None:
    short, long = _text(document, "flavor"), _text(document, "api_flavor")
    if short is not None and long is not None and short != long:
        raise _wrong("api_flavor", f"{long!r}, but flavor is {short!r}")
    return long or short


def _counts(document: Mapping[str, Any]) -> Mapping[str, Any]:
    counts = document.get("usage")
    if counts is None:
        raise _wrong("usage", "is missing")
    if not isinstance(counts, Mapping):
        raise _wrong("usage", "is not a JSON object")
    # An event without counts does not say what it used; a question without counts asks about nothing.
    return counts or {"input_tokens": 0}


def _usage(counts: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the counts as the fields of an event's `usage`."""
    usage: dict[str, Any] = {"by_modality": {}}
    for path, holder, key, value in _placed(counts, where):
        target = usage["by_modality"] if holder else usage
        if key in target:
            raise _wrong(path, "is given twice")
        target[key] = _count(value, path)
    return usage


def _placed(counts: Mapping[str, Any], where: str) -> Iterator[tuple[str, bool, str, Any]]:
    """Yield each count's path, whether it goes to `by_modality`, its key there, and its value."""
    for key, value in counts.items():
        path = f"{where}.{key}"
        if value is None:
            continue
        if key == "by_modality":
            if not isinstance(value, Mapping):
                raise _wrong(path, "is not a JSON object")
            yield from (
                (f"{path}.{part}", True, _part(part, f"{path}.{part}"), each) for part, each in value.items()
            )
        elif key in _COUNT_FIELDS or key in COLUMN_OF:
            yield path, False, COLUMN_OF.get(key, key), value
        else:
            yield path, True, _part(key, path), value


def _part(key: str, path: str) -> str:
    meters = modality_meters()
    if key not in meters:
        near = get_close_matches(key, [*_COUNT_FIELDS, *meters], n=3)
        known = f"did you mean {' or '.join(near)}?" if near else f"they are {', '.join(_PLAIN_KEYS)}, ..."
        raise _wrong(path, f"is not a usage key; {known}")
    return meters[key]


def _count(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(path, "is not a whole number")
    if not 0 <= value <= LARGEST_COUNT:
        raise _wrong(path, f"is not between 0 and {LARGEST_COUNT}")
    return value


def _asked_tier(word: str, book: PriceBook) -> str:
    tier = tier_of(word)
    if tier != STANDARD and tier not in book.tiers:
        known = ", ".join(sorted({"standard", *book.tiers}))
        raise _wrong("tier", f"{word!r} is not a service tier; they are {known}")
    return tier


def _region(word: str | None, book: PriceBook) -> str | None:
    """Return a region that some price depends on: another one is misspelt, or asked for in vain."""
    if word is not None and word.lower() not in book.regions:
        known = ", ".join(sorted(book.regions)) or "none"
        raise _wrong("region", f"no price depends on {word!r}; those that some price depends on: {known}")
    return word


def _tenant(name: str | None, tenants: frozenset[str] | None) -> str | None:
    if name is not None and tenants is not None and name not in tenants:
        near = get_close_matches(name, tenants, n=3)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise _wrong("tenant", f"no tenant {name!r} is known{meant}")
    return name


def _time(text: str | None, now: datetime) -> datetime:
    if text is None:
        return now
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _wrong("at", f"{text!r} is not a time as in 2026-01-31T12:00:00Z") from error
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if not _EARLIEST <= at < _LATEST:
        raise _wrong("at", f"{text!r} is not of the years 2000 to 2099")
    return at


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise _wrong(name, "is not a text, or an empty one")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(name for name in names if names.count(name) > 1)!r} is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _wrong(field: str, reason: str) -> RequestError:
    return RequestError(f"{field}: {reason}", field=field)
