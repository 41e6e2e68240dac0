"""The palette: somebody types where to go or what to do; a page of its own, and what its dialog shows."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.console.palette import LONGEST, offered
from auditstream.console.visits import visit_of

_FIND = "find"


def palette(request: Request) -> Response:
    """Answer with the page: a form, and links to what is meant."""
    visit = visit_of(request)
    text = visit.parameter(_FIND)
    return visit.page("palette.html", title="Go to", text=text, offer=offered(visit, text), longest=LONGEST)


def options(request: Request) -> Response:
    """Answer with the options of the dialog."""
    visit = visit_of(request)
    return visit.page("palette_options.html", offer=offered(visit, visit.parameter(_FIND)))


ROUTES = (Route("/palette", palette), Route("/parts/palette", options))
