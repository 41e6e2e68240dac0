"""One request of somebody who has signed in, and the page that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from auditstream.access.desk import Caller, Desk
from auditstream.access.entry import Entry, SignedIn
from auditstream.access.evidence_questions import Evidence
from auditstream.access.finding_questions import Publish
from auditstream.access.known_tokens import NotSignedInError
from auditstream.access.principal import Principal
from auditstream.access.reach import Reach
from auditstream.access.sessions import COOKIE
from auditstream.console import pages
from auditstream.console.guards import ROOT
from auditstream.console.links import Link, link_of
from auditstream.console.navigation import entry_of, sections_of
from auditstream.core.errors import NotAllowedError
from auditstream.core.settings import Settings
from auditstream.query.periods import Period

THEME_COOKIE = "auditstream_theme"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the console stands on; the process that serves it puts it together.

    Attributes:
        desk: Asks the record.
        entry: Lets in.
        evidence: Opens what is published, with the keys that count.
        publish: Publishes findings that people acted on.
        settings: The deployment's.
        oidc_name: What the identity provider is called; empty for none.
        is_secure: Whether browsers reach it by HTTPS alone, so that cookies need not travel otherwise.
        reach: What acts reach beside the record.
    """

    desk: Desk
    entry: Entry
    evidence: Evidence
    publish: Publish
    settings: Settings
    oidc_name: str = ""
    is_secure: bool = False
    reach: Reach = field(default_factory=Reach)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request with who makes it.

    Attributes:
        request: The request.
        parts: What the console stands on.
        signed_in: Who makes it, with the rights that they have now.
        now: The time (UTC).
    """

    request: Request
    parts: Parts
    signed_in: SignedIn
    now: datetime

    @property
    def who(self) -> Principal:
        """Who makes it."""
        return self.signed_in.who

    @property
    def desk(self) -> Desk:
        """Asks the record."""
        return self.parts.desk

    @property
    def caller(self) -> Caller:
        """From where the request comes."""
        return caller_of(self.request)

    @property
    def root(self) -> str:
        """Path that the console is mounted at."""
        return root_of(self.request)

    @property
    def path(self) -> str:
        """Path of the page, below that."""
        return path_of(self.request)

    @property
    def link(self) -> Link:
        """The address of the page, as it was asked for."""
        return link_of(self.root, self.path, self.request.query_params.multi_items())

    def parameter(self, name: str) -> str:
        """Return a parameter of the address; empty when it is not there."""
        return self.request.query_params.get(name, "").strip()

    def require_own_form(self, shown: str) -> None:
        """Return when a form came from a page of this session.

        Raises:
            NotAllowedError: It did not.
        """
        session = self.signed_in.session
        if session is None or not self.parts.entry.sessions.is_own(session, shown):
            raise NotAllowedError(
                "form_token: is not that of the session", hint="Open the page again, and send its form."
            )

    def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """Return a page, or a part of one, with what every page shows."""
        return HTMLResponse(pages.rendered(template, {**self._context(), **context}), status_code=status)

    def streamed(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """Return a page that leaves as it is made: what is before `{{ flush }}` waits for nothing behind it.

        Whatever a template calls behind it has to say in its place what goes wrong: the status has left.
        """
        pieces = pages.pieces(template, {**self._context(), **context})
        return StreamingResponse(pieces, status_code=status, media_type="text/html; charset=utf-8")

    def part(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """Return a part of a page; whoever asks for it without htmx gets it as a page of its own."""
        if is_part(self.request):
            return self.page(template, status=status, **context)
        return self.page("part_page.html", status=status, part_template=template, **context)

    def text(self, template: str, **context: Any) -> str:
        """Return the text of a part, which is put into a page or a stream."""
        return pages.rendered(template, {**self._context(), **context})

    @property
    def _address(self) -> str:
        """The address of the page as somebody else would type it."""
        url = self.request.url
        return (self.parts.settings.api.public_url.rstrip("/") or f"{url.scheme}://{url.netloc}") + str(
            self.link
        )

    @property
    def _form_token(self) -> str:
        session = self.signed_in.session
        return self.parts.entry.sessions.form_token(session) if session else ""

    def _context(self) -> Mapping[str, Any]:
        entry = entry_of(self.path)
        tenants = self.who.tenants
        return {
            "root": self.root,
            "title": entry.title if entry else "Console",
            "here": entry,
            "sections": sections_of(self.who),
            "principal": self.who,
            "whose": "" if tenants is None else ", ".join(sorted(tenants)),
            "theme": theme_of(self.request),
            "back": str(self.link),
            "address": self._address,
            "reach_words": _bounds(self.who.period),
            "form_token": self._form_token,
            "now": self.now,
        }


def _bounds(period: Period) -> str:
    """Return between which moments somebody sees the record, as the end of a sentence; empty for all time."""
    named = (("from", period.start), ("until", period.end))
    said = [f"{word} {at:%d %b %Y %H:%M:%S} UTC" for word, at in named if at is not None]
    return ", " + " ".join(said) if said else ""


def visit_of(request: Request) -> Visit:
    """Return a request with who makes it; counts it.

    Raises:
        NotSignedInError: Nobody has signed in, or not any more.
        TooManyRequestsError: They ask too often.
        RetryableError: Nobody knows yet who may sign in.
    """
    parts: Parts = request.app.state.parts
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise NotSignedInError("session: there is none", hint="Sign in.")
    signed_in = parts.entry.admit(None, cookie, caller_of(request))
    visit = Visit(request, parts, signed_in, parts.desk.now)
    request.state.visit = visit
    return visit


def outside(request: Request, template: str, status: int, **context: Any) -> Response:
    """Return a page for somebody who has not been let in."""
    told = {"root": root_of(request), "theme": theme_of(request), **context}
    return HTMLResponse(pages.rendered(template, told), status_code=status)


def caller_of(request: Request) -> Caller:
    """Return from where a request comes, for the events that tell of it."""
    address = request.client.host if request.client else ""
    return Caller(by="console", address=address, agent=request.headers.get("user-agent", ""))


def root_of(request: Request) -> str:
    """Return the path that the console is mounted at; empty when it is the whole server."""
    root: str = request.scope[ROOT]
    return root.rstrip("/")


def path_of(request: Request) -> str:
    """Return the path of a request below the console's own."""
    path: str = request.scope["path"]
    return path.removeprefix(root_of(request)) or "/"


def theme_of(request: Request) -> str:
    """Return the colours that the reader chose."""
    chosen = request.cookies.get(THEME_COOKIE, "auto")
    return chosen if chosen in THEMES else "auto"


def is_part(request: Request) -> bool:
    """Return whether a part of a page is asked for, by htmx, and not a page."""
    return request.headers.get("hx-request") == "true"
