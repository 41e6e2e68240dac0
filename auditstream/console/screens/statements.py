"""The completeness statement of a day: what it says, and the signed note as a file."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import statement_questions
from auditstream.access.statement_questions import LONGEST_SOURCE, Stated
from auditstream.console.links import link_of
from auditstream.console.problems import problem_of
from auditstream.console.screens.integrity import day_of, numbered_rows
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, NotAllowedError

_PAGE, _FILE = "/integrity/statement", "/integrity/statement/file"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80  # of a source in the name of a file


def statement(request: Request) -> Response:
    """Answer with what a statement says, and the note itself."""
    return _answered(visit_of(request), as_file=False)


def file(request: Request) -> Response:
    """Answer with the signed note as a file; with the page where there is none."""
    return _answered(visit_of(request), as_file=True)


def _answered(visit: Visit, *, as_file: bool) -> Response:
    stated, problem = None, None
    try:
        stated = _stated(visit)
    except NotAllowedError:
        raise
    except AuditStreamError as error:
        problem = problem_of(error)
    if stated is not None and as_file:
        disposition = f"attachment; filename*=UTF-8''{quote(_name(stated), safe='')}"
        return Response(
            stated.note,
            media_type="text/plain; charset=utf-8",
            headers={"content-disposition": disposition},
        )
    return visit.page(
        "statement.html",
        status=problem.status if problem else 200,
        problem=problem,
        day=visit.parameter("day"),
        source=visit.parameter("source"),
        longest=LONGEST_SOURCE,
        yesterday=visit.now.date() - timedelta(days=1),
        today=visit.now.date(),
        stated=_shown(stated, visit) if stated else None,
    )


def _stated(visit: Visit) -> Stated:
    return statement_questions.statement(
        visit.desk,
        visit.who,
        day_of(visit),
        visit.parameter("source"),
        visit.caller,
        evidence=visit.parts.evidence,
        lags=visit.parts.reach.lags,
        sign=visit.parts.reach.sign,
    )


def _shown(stated: Stated, visit: Visit) -> dict[str, Any]:
    found = stated.found
    return {
        "found": found,
        "note": stated.note.decode(),
        "is_published": stated.is_published,
        "made": datetime.fromtimestamp(found.time_s, UTC),
        "numbered": list(numbered_rows(found)),
        "file": link_of(visit.root, _FILE, {"day": found.day.isoformat(), "source": found.scope}),
        "day": link_of(visit.root, "/integrity", {"day": found.day.isoformat()}),
    }


def _name(stated: Stated) -> str:
    """Return the name of the file: what it is about, as far as names of files go."""
    source = _UNSAFE.sub("-", stated.found.scope)[:_LONGEST_NAME].strip("-.")
    return "-".join(filter(None, ("completeness", stated.found.day.isoformat(), source))) + ".note"


ROUTES = (Route(_PAGE, statement), Route(_FILE, file))
