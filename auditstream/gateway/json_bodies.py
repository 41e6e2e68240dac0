"""JSON and NDJSON bodies to drafts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

from auditstream.core.errors import DecodeError
from auditstream.gateway.drafts import Draft, Refusal
from auditstream.gateway.problems import RefusedError
from schemas.event_json import datum_in, datums_in
from schemas.strict_json import parse

_SPACE = 0x20

DraftOf = Callable[[int, Mapping[str, Any]], Draft]
"""Makes a draft of a place and a JSON object."""


def plain(index: int, event: Mapping[str, Any]) -> Draft:
    """Return the draft of an AuditEvent's fields."""
    return Draft(index, event)


def of_json(body: bytes, *, events: int, depth: int, draft_of: DraftOf = plain) -> list[Draft]:
    """Return the drafts of one object, or of an array of them.

    Args:
        body: JSON text.
        events: Most events.
        depth: How deep an event may be nested.
        draft_of: What makes a draft of an object.

    Raises:
        RefusedError: The body is not JSON, says where; or has too many events.
    """
    if draft_of is plain and (one := of_one(body)) is not None:
        return [one]
    try:
        value = parse(body, depth=depth + 1)
    except DecodeError as error:
        field = str(error.context["field"])
        detail = f"{field}: {error.message}" if field else f"the body {error.message}"
        raise RefusedError("malformed", detail, field=field) from None
    if not isinstance(value, list):
        return [_draft(0, value, draft_of)]
    if len(value) > events:
        raise too_many(events)
    return [_draft(index, each, draft_of) for index, each in enumerate(value)]


def of_one(body: bytes) -> Draft | None:
    """Return the draft of a body that is one event that keeps the contract; None where `of_json` must say."""
    datum = datum_in(body) if body[:1] == b"{" else None
    return None if datum is None else Draft(0, datum, is_datum=True)


def of_ndjson(body: bytes, *, events: int, depth: int) -> Sequence[Draft]:
    """Return the draft of each line that is not blank; a line that is no event is refused by itself.

    A line is read when its draft is asked for, each time.

    Args:
        body: Lines of JSON text.
        events: Most events.
        depth: How deep an event may be nested.

    Raises:
        RefusedError: The body has too many events.
    """
    if body.count(b"\n") > 2 * events:  # before a list of as many lines is made
        raise too_many(events)
    lines = [line for line in body.split(b"\n") if line and (line[0] > _SPACE or not line.isspace())]
    if len(lines) > events:
        raise too_many(events)
    return _Lines(lines, depth)


class _Lines(Sequence[Draft]):
    """Drafts of lines, read a slice at a time, so that other requests have their turn in between."""

    def __init__(self, lines: Sequence[bytes], depth: int) -> None:
        self._lines = lines
        self._depth = depth

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, place: int) -> Draft: ...

    @overload
    def __getitem__(self, place: slice) -> list[Draft]: ...

    def __getitem__(self, place: int | slice) -> Draft | list[Draft]:
        if isinstance(place, int):
            index = range(len(self._lines))[place]
            return _line(index, self._lines[index], self._depth)
        places, lines = range(len(self._lines))[place], self._lines[place]
        datums = datums_in(lines)
        if datums is None:
            return [_line(index, line, self._depth) for index, line in zip(places, lines, strict=True)]
        return [Draft(index, datum, is_datum=True) for index, datum in zip(places, datums, strict=True)]


def too_many(events: int) -> RefusedError:
    """Return the problem of a request with too many events."""
    return RefusedError("too_many_events", f"the request has more than {events:,} events")


def _line(index: int, line: bytes, depth: int) -> Draft:
    datum = datum_in(line)
    if datum is not None:
        return Draft(index, datum, is_datum=True)
    try:
        value = parse(line, depth=depth)
    except DecodeError as error:
        field = str(error.context["field"])
        detail = f"{field}: {error.message}" if field else f"the line {error.message}"
        return Draft(index, None, Refusal("malformed", field, detail))
    return _draft(index, value, plain)


def _draft(index: int, value: Any, draft_of: DraftOf) -> Draft:
    if not isinstance(value, dict):
        return Draft(index, None, Refusal("not_an_event", "", "an event is a JSON object"))
    return draft_of(index, value)
