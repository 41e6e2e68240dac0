"""Pages of a provider's cost API, as they were saved: one page a file, or a list of them; buckets in each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from auditstream.billing.bill import Bill
from auditstream.core.errors import RequestError

ReadTime = Callable[["Place", Mapping[str, Any], str], datetime]
"""Reads a field of an object at a place as a time (UTC); raises `RequestError` where it is none."""

_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is, for the message of an error."""

    text: str

    def __truediv__(self, name: str | int) -> Place:
        return Place(f"{self.text}[{name}]" if isinstance(name, int) else f"{self.text}.{name}")

    def wrong(self, reason: str) -> RequestError:
        """Return the error that names the place."""
        hint = "Save the answers of the provider's cost API as they are, a page a file."
        return RequestError(f"{self.text}: {reason}", hint=hint)


def buckets(files: Sequence[tuple[str, bytes]]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Yield the buckets of all pages, with their places; numbers with a point are decimals.

    Args:
        files: Name and content of each.

    Raises:
        RequestError: A file is no page, or the last page is not among them.
    """
    more = []
    for name, content in files:
        for place, page in _pages(name, content):
            more.append(bool(page.get("has_more")))
            yield from each_object(place, page, "data")
    if more and all(more):
        last = files[-1][0]
        raise RequestError(
            f"{last}: has_more: every page says that there are more",
            hint="Fetch with next_page until has_more is false, and name all pages.",
        )


def dated_buckets(
    files: Sequence[tuple[str, bytes]], bill: Bill, provider: str, times: tuple[str, str], read: ReadTime
) -> Iterator[tuple[Place, Mapping[str, Any], date]]:
    """Yield the buckets of all pages with the day that they begin on; their days are added to the bill.

    Args:
        files: Name and content of each.
        bill: What the days are added to.
        provider: Whose bill it is.
        times: Names of the fields with a bucket's start and end.
        read: Reads such a field.

    Raises:
        RequestError: As `buckets`, or a bucket does not end after its start.
    """
    for place, bucket in buckets(files):
        start, end = (read(place, bucket, name) for name in times)
        if end <= start:
            raise (place / times[1]).wrong(f"is not after {times[0]}")
        bill.add_days(provider, start.date(), end.date())
        yield place, bucket, start.date()


def each_object(
    place: Place, holder: Mapping[str, Any], name: str
) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Yield the objects of a list field, with their places.

    Raises:
        RequestError: It is no list of objects.
    """
    found = holder.get(name)
    if not isinstance(found, list):
        raise (place / name).wrong("is not a list")
    for number, each in enumerate(found):
        at = place / name / number
        if not isinstance(each, dict):
            raise at.wrong("is not an object")
        yield at, each


def text_of(place: Place, holder: Mapping[str, Any], name: str) -> str:
    """Return a text field, '' for null or nothing.

    Raises:
        RequestError: It is something else.
    """
    found = holder.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise (place / name).wrong("is not text")
    return found.strip()


def amount_of(place: Place, holder: Mapping[str, Any], name: str) -> Decimal:
    """Return an amount: a number, or a number as text.

    Raises:
        RequestError: It is none.
    """
    found = holder.get(name)
    if isinstance(found, bool) or not isinstance(found, str | int | Decimal):
        raise (place / name).wrong("is not a number")
    try:
        amount = Decimal(found)
    except InvalidOperation:
        raise (place / name).wrong(f"{found!r:.40} is not a number") from None
    if not amount.is_finite() or (amount and not -40 < amount.adjusted() < 20):
        raise (place / name).wrong(f"{found!r:.40} is out of range")
    return amount


def currency_of(place: Place, holder: Mapping[str, Any], name: str) -> str:
    """Return an ISO 4217 code in capitals.

    Raises:
        RequestError: It is none.
    """
    found = text_of(place, holder, name).upper()
    if not (len(found) == 3 and found.isascii() and found.isalpha()):
        raise (place / name).wrong("is not a currency of three letters")
    return found


def _pages(name: str, content: bytes) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    place = Place(name)
    if len(content) > _MOST_BYTES:
        raise place.wrong(f"is larger than {_MOST_BYTES} bytes")
    try:
        found = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise place.wrong(f"is not JSON: {error}") from error
    for number, page in enumerate(found if isinstance(found, list) else [found]):
        at = place / number if isinstance(found, list) else place
        if not isinstance(page, dict):
            raise at.wrong("is not a page of costs")
        yield at, page
