"""A question for the price of one call, as JSON: checked strictly, as a misread question has a wrong answer.

`{"provider", "model", "usage": {...}, "at", "tier", "tenant"}`, or `"response": {...}` (and `"flavor"`) in
place of `usage` and `model`. Usage keys are those of an event's `usage`, and the meters of the catalogue.
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
from auditstream.pricing.catalogue import Catalogue
from auditstream.pricing.responses import Extracted, extract
from auditstream.pricing.tiers import STANDARD, tier_of
from auditstream.pricing.usage import COLUMN_OF, LARGEST_COUNT, modality_meters

_FIELDS = frozenset({"id", "provider", "model", "usage", "response", "flavor", "at", "tier", "tenant"})
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
        id: The asker's own name of the question, given back.
    """

    provider: str
    served: str | None
    model: str | None
    tier: str
    at: datetime
    tenant: str | None
    usage: Mapping[str, Any]
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


def parse(document: Mapping[str, Any], book: Catalogue, *, now: datetime) -> PriceRequest:
    """Return the question of a JSON object.

    Args:
        document: The object.
        book: Catalogue that knows the tiers and reads responses.
        now: Event time of a question that has none.

    Raises:
        RequestError: A field is unknown, missing or wrong; `context["field"]` names it.
    """
    for name in document:
        if name not in _FIELDS:
            raise _wrong(name, f"is not a field; they are {', '.join(sorted(_FIELDS))}")
    provider = _text(document, "provider")
    if provider is None:
        raise _wrong("provider", "is missing")
    model, asked = _text(document, "model"), _text(document, "tier")
    extracted = _extracted(document, provider, book)
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
        tenant=_text(document, "tenant"),
        usage=_usage(counts, "usage" if extracted is None else "response"),
        id=document.get("id"),
    )


def _extracted(document: Mapping[str, Any], provider: str, book: Catalogue) -> Extracted | None:
    response, flavor = document.get("response"), _text(document, "flavor")
    if response is None:
        if flavor is not None:
            raise _wrong("flavor", "is only for a response")
        return None
    if "usage" in document:
        raise _wrong("usage", "is given beside a response, which has its own")
    if not isinstance(response, Mapping):
        raise _wrong("response", "is not a JSON object")
    known = book.provider(provider)
    if known is None:
        raise _wrong("provider", f"{provider!r} is unknown, so its responses cannot be read")
    return extract(known, response, flavor=flavor)


def _counts(document: Mapping[str, Any]) -> Mapping[str, Any]:
    counts = document.get("usage")
    if counts is None:
        raise _wrong("usage", "is missing")
    if not isinstance(counts, Mapping):
        raise _wrong("usage", "is not a JSON object")
    return counts


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


def _asked_tier(word: str, book: Catalogue) -> str:
    tier = tier_of(word)
    if tier != STANDARD and tier not in book.tiers:
        known = ", ".join(sorted({"standard", *book.tiers}))
        raise _wrong("tier", f"{word!r} is not a service tier; they are {known}")
    return tier


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
