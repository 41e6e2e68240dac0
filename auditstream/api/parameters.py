"""Parameters that routes share: which events, of which time, of which tenant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query

from auditstream.api.parts import PartsOf
from auditstream.core.errors import RequestError
from auditstream.query import grammar, periods
from auditstream.query.cursors import Cursor, read_cursor
from auditstream.query.events import Search
from auditstream.query.named_periods import Span, named_span
from auditstream.query.periods import Period

_OPTION = re.compile(r"--(since|from|to)\b")

LONGEST_QUERY = 4_096
"""Characters of a search: fifty terms of eighty."""

TenantParameter = Annotated[
    str, Query(max_length=128, description="Only this tenant's rows; those that you may not see are none.")
]
QueryParameter = Annotated[
    str,
    Query(
        max_length=LONGEST_QUERY,
        description="The search: field:value, -field:value, field>n, field<n, words, quoted words.",
    ),
]
MomentText = Annotated[str | None, Query(max_length=64)]


@contextmanager
def about(field: str) -> Iterator[None]:
    """Have an error of the block name a parameter; one of a search is about `q`."""
    try:
        yield
    except grammar.QueryError:
        raise
    except RequestError as error:
        error.context.setdefault("field", field)
        raise


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events.

    Attributes:
        text: The search as it was written.
        search: The same, read.
    """

    text: str
    search: Search


def asked(
    *,
    parts: PartsOf,
    q: QueryParameter = "",
    since: Annotated[str | None, Query(max_length=16, description="Only the last 15m, 2h, 7d.")] = None,
    start: Annotated[
        str | None, Query(alias="from", max_length=64, description="First moment, ISO 8601.")
    ] = None,
    end: Annotated[
        str | None, Query(alias="to", max_length=64, description="First moment after, ISO 8601.")
    ] = None,
    tenant: TenantParameter = "",
) -> Asked:
    """Return which events a request is about.

    Raises:
        QueryError: The search is none.
        RequestError: The period is none.
    """
    terms = grammar.parse(q)
    return Asked(q, Search(terms, period_of(since, start, end, parts.desk.now), tenant or None))


AskedFor = Annotated[Asked, Depends(asked)]


def cursor_of(text: str | None) -> Cursor | None:
    """Return the cursor that a parameter holds.

    Raises:
        CursorError: It is none.
    """
    with about("cursor"):
        return read_cursor(text) if text else None


def span_of(text: str, now: datetime) -> Span:
    """Return the range that parameter `period` names.

    Raises:
        RequestError: It names none.
    """
    try:
        return named_span(text, now)
    except RequestError as error:
        message = error.message.removeprefix("--")
        raise RequestError(message, hint=error.hint, field="period") from error


def moment_of(text: str | None, field: str) -> datetime | None:
    """Return the moment that a parameter holds.

    Raises:
        RequestError: It is none.
    """
    with about(field):
        return periods.moment(text) if text else None


def period_of(since: str | None, start: str | None, end: str | None, now: datetime) -> Period:
    """Return the period of three parameters.

    Raises:
        RequestError: It is none.
    """
    moment_of(start, "from")
    moment_of(end, "to")
    try:
        return periods.period(now, since=since, start=start, end=end)
    except RequestError as error:  # it names options of the command line
        message = _OPTION.sub(r"\1", error.message)
        raise RequestError(message, hint=error.hint, field="since" if since else "from") from error
