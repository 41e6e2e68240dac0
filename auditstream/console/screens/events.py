"""Events: a search with its histogram, its values and the panel beside it; and the page of one event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import event_questions
from auditstream.console import bars, columns, filters
from auditstream.console.columns import Line
from auditstream.console.facet_places import CLOSED, OPEN, places
from auditstream.console.filters import Fault
from auditstream.console.formats import span_words
from auditstream.console.kinds import OUTCOMES
from auditstream.console.links import Link, link_of
from auditstream.console.problems import Problem, problem_of
from auditstream.console.ranges import Range, iso, range_of
from auditstream.console.screens.event import panel
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, RequestError
from auditstream.query.cursors import read_cursor
from auditstream.query.events import Search, next_page
from auditstream.query.fields import FIELDS
from auditstream.query.grammar import QueryError, Term, parse
from auditstream.query.histograms import Histogram
from auditstream.query.periods import Period
from auditstream.query.reader import Table

ROWS = 50
"""Events of a page: two screens full, so that a page is scrolled once."""

_STATE = ("q", "since", "from", "to", "columns")
_SPANS = 90  # bars: each some ten points wide beside the values

GRAMMAR = (
    ("model:gpt-4o", "a field has a value"),
    ("-outcome:success", "it has not"),
    ("input_tokens>1000", "more than; also >= < <="),
    ('user:"ada lovelace"', "a value with spaces"),
    ("attributes.ticket:ABC-42", "an entry of a map"),
    ("refund policy", "words, anywhere in the text"),
    ('"refund policy"', "words that stand together"),
)
"""Examples of the grammar, one a form."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a page asks for.

    Attributes:
        query: The query as typed.
        terms: The same, read; none when it cannot be read.
        range: The range of time.
        fault: Why the query cannot be read, and where.
        problem: Why the range or the page cannot be.
    """

    query: str
    terms: Sequence[Term]
    range: Range
    fault: Fault | None = None
    problem: Problem | None = None

    @property
    def search(self) -> Search:
        """The search, of the whole range."""
        return Search(self.terms, self.range.period, limit=ROWS)


def asked(visit: Visit) -> Asked:
    """Return what an address asks for; what cannot be read is said and not raised."""
    query = visit.parameter("q")
    problem = None
    try:
        found = range_of(visit.request.query_params, visit.now)
    except RequestError as error:
        problem, found = problem_of(error), range_of({}, visit.now)
    try:
        return Asked(query, parse(query), found, problem=problem)
    except QueryError as error:
        return Asked(
            query, (), found, filters.fault(query, error.position, error.message, error.hint), problem
        )


def strictly_asked(visit: Visit) -> Asked:
    """Return what an address asks for.

    Raises:
        RequestError: It cannot be read.
    """
    query = visit.parameter("q")
    return Asked(query, parse(query), range_of(visit.request.query_params, visit.now))


def events(request: Request) -> Response:
    """Answer with the page of a search."""
    visit = visit_of(request)
    wanted = asked(visit)
    page = state_link(visit)
    names = request.query_params.getlist("columns")
    shown = columns.chosen(names)
    problem, fault, search = wanted.problem, wanted.fault, wanted.search
    if fault is None and problem is None:
        try:
            search.conditions()  # a value that is not one of its field's kind is known before it is asked
            search = _paged(visit, wanted)
        except QueryError as error:
            fault = filters.fault(wanted.query, error.position, error.message, error.hint)
        except RequestError as error:
            problem = problem_of(error)
    peek_id = visit.parameter("peek")
    return visit.streamed(
        "events.html",
        status=400 if fault or problem else 200,
        query=wanted.query,
        period=wanted.range,
        page=page,
        permalink=page.with_(**{"since": None, "from": None, "to": None, **wanted.range.pinned}),
        save=visit.link.at("/searches", *_STATE),
        export=visit.link.at("/exports", *_STATE) if visit.who.may("exports") else None,
        fault=fault,
        problem=problem,
        pills=filters.pills(wanted.query, wanted.terms, page),
        grammar=GRAMMAR,
        field_names=sorted(FIELDS),
        find=lambda: _found(visit, wanted.query, search, shown, page),
        columns=shown,
        all_columns=columns.COLUMNS,
        shown_names={each.name for each in shown},
        after=visit.parameter("after"),
        open_facets=places(page, visit, OPEN),
        open_url=page.at("/parts/facets", *_STATE),
        facets=places(page, visit, CLOSED),
        histogram_url=page.at("/parts/histogram", *_STATE),
        peek_id=peek_id,
        # A template's own text, which has escaped what it printed.
        peek=lambda: Markup(panel(visit, peek_id, "/events")) if peek_id else "",  # noqa: S704
    )


def lines(found: Table, shown: Sequence[columns.Column], visit: Visit, page: Link) -> list[Line]:
    """Return the rows of a list, each with its page and its panel."""
    state = page.at("/parts/event", *_STATE)
    made = []
    for record in found.records():
        id_ = str(record["event_id"])
        peek = state.with_(id=id_, of=page.path)
        made.append(
            Line(id_, str(link_of(visit.root, f"/events/{id_}")), str(peek), columns.cells(shown, record))
        )
    return made


def state_link(visit: Visit) -> Link:
    """Return the address of a page with its state alone: what it does not know is left out."""
    return visit.link.at(visit.path, *_STATE, "after", "peek")


def histogram(request: Request) -> Response:
    """Answer with the bars of a search."""
    visit = visit_of(request)
    wanted = strictly_asked(visit)
    counted = event_questions.histogram(
        visit.desk,
        visit.who,
        wanted.query,
        wanted.search,
        visit.caller,
        spans=_SPANS,
        until=None if wanted.range.since == "all" else visit.now,
    )
    return visit.part("histogram.html", **_drawn(counted, wanted, visit))


def _found(
    visit: Visit, query: str, search: Search, shown: Sequence[columns.Column], page: Link
) -> dict[str, Any]:
    """Return the rows of a search and where the older ones are; what goes wrong is said in their place."""
    try:
        found = event_questions.search(visit.desk, visit.who, query, search, visit.caller)
    except AuditStreamError as error:
        return {"rows": [], "older": None, "problem": problem_of(error)}
    older = next_page(found, search)
    return {
        "rows": lines(found, shown, visit, page),
        "older": page.with_(after=older.text(), peek=None) if older else None,
        "problem": None,
    }


def _paged(visit: Visit, wanted: Asked) -> Search:
    after = visit.parameter("after")
    return replace(wanted.search, after=read_cursor(after) if after else None)


def _drawn(counted: Histogram, wanted: Asked, visit: Visit) -> dict[str, Any]:
    drawn = bars.bars(counted)
    page = visit.link.at("/events", *_STATE).with_(**{"since": None, "from": None, "to": None})
    period = counted.period
    start = drawn[0].start if drawn else (period.start or visit.now)
    end = drawn[-1].end if drawn else (period.end or visit.now)
    totals = {
        outcome: sum(bars.events_of(span.outcomes, outcome) for span in counted.spans) for outcome in OUTCOMES
    }
    return {
        "histogram": counted,
        "bars": drawn,
        "ticks": bars.ticks(drawn),
        "drawing": (bars.WIDTH, bars.HEIGHT),
        "outcomes": [(name, count) for name, count in totals.items() if count],
        "most": max((bar.events for bar in drawn), default=0),
        "words": wanted.range.words,
        "width": span_words(counted.width),
        "told": _told(counted, drawn),
        "zoom": page,
        "start_ms": int(start.timestamp() * 1000),
        "end_ms": int(end.timestamp() * 1000),
        **_steps(page, Period(period.start or start, period.end or end)),
    }


def _told(counted: Histogram, drawn: Sequence[bars.Bar]) -> str:
    if not drawn:
        return "No events"
    highest = max(drawn, key=lambda bar: bar.events)
    return f"{counted.events:,} events over time; the highest bar: {highest.told}"


def _steps(page: Link, period: Period) -> dict[str, Link]:
    """Return where the range can be moved to, and how it can be made wider and narrower."""
    start, end = period.start or datetime.now(UTC), period.end or datetime.now(UTC)
    length = max(end - start, timedelta(seconds=1))

    def between(first: datetime, last: datetime) -> Link:
        return page.with_(**{"from": iso(first), "to": iso(last)})

    def moved(at: datetime, by: timedelta) -> datetime:
        try:
            return at + by
        except OverflowError:
            return at

    return {
        "earlier": between(moved(start, -length / 2), moved(end, -length / 2)),
        "later": between(moved(start, length / 2), moved(end, length / 2)),
        "wider": between(moved(start, -length / 2), moved(end, length / 2)),
        "closer": between(moved(start, length / 4), moved(end, -length / 4)),
    }


ROUTES = (
    Route("/events", events),
    Route("/parts/histogram", histogram),
)
