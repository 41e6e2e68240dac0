"""The values of fields beside the events: those open from the start in one answer, any other alone."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import event_questions
from auditstream.console import filters
from auditstream.console.facet_places import OPEN, STATE, places
from auditstream.console.kinds import kind_of
from auditstream.console.screens.events import Asked, strictly_asked
from auditstream.console.visits import Visit, visit_of
from auditstream.query.facets import Facet
from auditstream.query.fields import FIELDS

_VALUES = 8


def open_facets(request: Request) -> Response:
    """Answer with the values of the fields that are open from the start, counted in one pass.

    Where that takes too long each field is left to be asked alone, and given up by itself.
    """
    visit = visit_of(request)
    wanted = strictly_asked(visit)
    there = places(visit.link, visit, OPEN)
    counted = event_questions.count_values_in_one_pass(
        visit.desk,
        visit.who,
        wanted.query,
        wanted.search,
        visit.caller,
        fields=[each.field for each in there],
        values=_VALUES,
    )
    shown = [_counted(each, wanted, visit) for each in counted or ()]
    return visit.part("facets_open.html", places=there, counted=shown)


def facet(request: Request) -> Response:
    """Answer with the values of one field and their counts."""
    visit = visit_of(request)
    wanted = strictly_asked(visit)
    field = visit.parameter("field")
    (counted,) = event_questions.count_values(
        visit.desk, visit.who, wanted.query, wanted.search, visit.caller, fields=(field,), values=_VALUES
    )
    return visit.part("facet.html", **_counted(counted, wanted, visit))


def _counted(counted: Facet, wanted: Asked, visit: Visit) -> dict[str, Any]:
    """Return what is shown of a field's values."""
    page, field = visit.link.at("/events", *STATE), counted.field
    values = [
        {
            "text": value.text,
            "shown": _in_words(field, value.text),
            "events": value.events,
            "only": filters.narrowed(page, wanted.query, field, value.text),
            "without": filters.narrowed(page, wanted.query, field, value.text, negated=True),
            "chosen": filters.term(field, value.text) in wanted.query.split(),
        }
        for value in counted.values
    ]
    most = max((value.events for value in counted.values), default=0)
    return {"facet": counted, "values": values, "most": most}


def _in_words(field: str, text: str) -> str:
    """Return how a value is shown."""
    if field == "type":
        return kind_of(text).words
    return text.lower() if FIELDS[field].kind == "enum" else text


ROUTES = (Route("/parts/facets", open_facets), Route("/parts/facet", facet))
