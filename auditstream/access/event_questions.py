"""Questions about events: searches, counts over time and by value, one event, one trace, what arrives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.core.errors import NotFoundError
from auditstream.query import events, facets, histograms, traces
from auditstream.query.arrivals import Arrivals, Position
from auditstream.query.events import Search
from auditstream.query.facets import Facet
from auditstream.query.grammar import Term
from auditstream.query.histograms import Histogram
from auditstream.query.reader import Table
from auditstream.query.scopes import ScopedReader
from auditstream.query.traces import Trace

CONTENTS = ("raw", "sealed")
"""Columns of an event that only those see who may see contents."""


def search(desk: Desk, who: Principal, text: str, wanted: Search, caller: Caller) -> Table:
    """Return a page of the events that a search finds; raises as `Desk.ask` and `events.search`.

    Args:
        desk: Asks the record.
        who: Who asks.
        text: The search as it was written.
        wanted: The same, read.
        caller: From where.
    """
    question = Question("search", text, (events.FOUND_IN,), wanted.tenant or "", caller=caller)
    return events.search(desk.ask(who, question, may="events"), wanted)


def histogram(
    desk: Desk,
    who: Principal,
    text: str,
    wanted: Search,
    caller: Caller,
    *,
    spans: int,
    until: datetime | None = None,
) -> Histogram:
    """Return how many events a search finds by time; raises as `Desk.ask` and `histograms.histogram`."""
    question = Question("histogram", text, (events.FOUND_IN,), wanted.tenant or "", caller=caller)
    return histograms.histogram(desk.ask(who, question, may="events"), wanted, spans=spans, until=until)


def count_values(
    desk: Desk,
    who: Principal,
    text: str,
    wanted: Search,
    caller: Caller,
    *,
    fields: Sequence[str] = facets.SUGGESTED,
    values: int = 10,
) -> list[Facet]:
    """Return the most frequent values of fields; raises as `Desk.ask` and `facets.facets`."""
    question = Question("facets", text, (events.FOUND_IN,), wanted.tenant or "", caller=caller)
    return facets.facets(desk.ask(who, question, may="events"), wanted, fields, values=values)


def count_values_in_one_pass(
    desk: Desk,
    who: Principal,
    text: str,
    wanted: Search,
    caller: Caller,
    *,
    fields: Sequence[str],
    values: int = 10,
) -> list[Facet] | None:
    """Return the most frequent values of fields, None when not in time; raises as `count_values`."""
    question = Question("facets", text, (events.FOUND_IN,), wanted.tenant or "", caller=caller)
    return facets.facets_in_one_pass(desk.ask(who, question, may="events"), wanted, fields, values=values)


def show(desk: Desk, who: Principal, event_id: str, caller: Caller) -> list[dict[str, Any]]:
    """Return every row of an event; without its contents for whom they are not. Raises as `events.show`."""
    reader = desk.ask(who, Question("show", event_id, (events.SHOWN_FROM,), caller=caller), may="events")
    rows = rows_of(reader, event_id)[0]
    if who.may("contents"):
        return rows
    return [{name: value for name, value in row.items() if name not in CONTENTS} for row in rows]


def rows_of(reader: ScopedReader, event_id: str) -> tuple[list[dict[str, Any]], ScopedReader]:
    """Return the rows of an event, and a reader that sees them.

    One that was attributed to the reader's tenants later was recorded for another: its row is theirs now.

    Raises:
        RequestError: The id is none.
        NotFoundError: There is nothing that the reader may see.
        RetryableError: No answer.
    """
    try:
        return events.show(reader, event_id), reader
    except NotFoundError:
        leaves = events.leaves_of(reader, event_id)
        if not leaves:
            raise
    seeing = reader.seeing(leaves)
    return events.show(seeing, event_id), seeing


def trace(desk: Desk, who: Principal, trace_id: str, caller: Caller) -> Trace:
    """Return the events of a trace as a tree; raises as `Desk.ask` and `traces.trace`."""
    question = Question("trace", trace_id, (events.FOUND_IN,), caller=caller)
    return traces.trace(desk.ask(who, question, may="events"), trace_id)


def arrivals(
    desk: Desk,
    who: Principal,
    text: str,
    terms: Sequence[Term],
    caller: Caller,
    *,
    tenant: str = "",
    after: Position | None = None,
) -> Arrivals:
    """Return what looks for events as they are recorded; one event tells of all its looks.

    Args:
        desk: Asks the record.
        who: Who asks.
        text: The search as it was written.
        terms: The same, read.
        caller: From where.
        tenant: Only this one's.
        after: Where an earlier one ended; None to begin at now.

    Raises:
        NotAllowedError: As `Desk.ask`.
        RetryableError: No answer.
    """
    question = Question("tail", text, (events.FOUND_IN,), tenant, is_whole=True, caller=caller)
    return Arrivals(desk.ask(who, question, may="events"), terms, after=after)
