"""A form that changes something: who sent it, from one of our own pages, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from auditstream.console.links import Link
from auditstream.console.visits import Visit, visit_of

_TOKEN = "form_token"  # noqa: S105  a field's name
_MOST_FIELDS = 100
_LONGEST = 4_096  # characters of a field: a query has at most as many


@dataclass(frozen=True, slots=True)
class Act:
    """A form that somebody sent.

    Attributes:
        visit: Who, and from where.
        sent: Its fields in order, without spaces around them; a name may come more than once.
    """

    visit: Visit
    sent: Sequence[tuple[str, str]]

    @property
    def form(self) -> Mapping[str, str]:
        """The fields by name; of several of a name the last."""
        return dict(self.sent)

    def text(self, name: str) -> str:
        """Return a field; empty when it is not there."""
        return self.form.get(name, "")


async def act_of(request: Request) -> Act:
    """Return a form with who sent it.

    Raises:
        NotAllowedError: It is not of a page that we gave to this session.
        NotSignedInError: As `visit_of`, with its other errors.
    """
    visit = await run_in_threadpool(visit_of, request)
    sent = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    fields = [(name, str(value).strip()[:_LONGEST]) for name, value in sent.multi_items()]
    visit.require_own_form(dict(fields).get(_TOKEN, ""))
    return Act(visit, [(name, value) for name, value in fields if name != _TOKEN])


def to(link: Link) -> Response:
    """Return the answer to a form that was carried out: the page to look at, which can be loaded again."""
    return RedirectResponse(str(link), status_code=303)
