"""What the API is made of, and how its routes come by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from auditstream.access.desk import Caller, Desk
from auditstream.access.entry import Entry, SignedIn
from auditstream.access.evidence_questions import Evidence, Lags
from auditstream.access.export_jobs import ExportJobs
from auditstream.access.finding_questions import Publish
from auditstream.access.oidc import OidcProvider
from auditstream.access.principal import Principal
from auditstream.access.reach import Facts, no_facts, no_key, no_lags
from auditstream.access.sessions import COOKIE
from auditstream.access.statement_questions import Sign
from auditstream.access.tails import Tails
from auditstream.core.errors import NotAllowedError
from auditstream.core.metrics import Metrics

FORM_TOKEN_HEADER = "X-CSRF-Token"  # noqa: S105  a header's name
"""Shows that a request with a session's cookie comes from our own pages: other sites cannot set headers."""

_READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the API is made of.

    Attributes:
        desk: Asks the record.
        entry: Lets in.
        metrics: What is counted.
        publish: Publishes findings that people acted on.
        evidence: Opens what is published of the logs.
        facts: Lends the store of reference data, to be changed.
        sign: Signs statements by the deployment's key.
        lags: Asks Kafka how far the record is behind it.
        is_ready: Says why requests would be refused now; empty when they are not.
        tails: Counts live tails.
        exports: Takes exports; None where none are written.
        oidc: Signs people in by an identity provider; None where there is none.
        public_url: URL by which browsers come; empty to take the request's.
        door: Path of the page where people sign in, which tells them when they could not; empty for none.
        look_s: Seconds between two looks of a tail: apart enough for the store, and a person sees a stream.
    """

    desk: Desk
    entry: Entry
    metrics: Metrics
    publish: Publish
    evidence: Evidence
    facts: Facts = no_facts
    sign: Sign = no_key
    lags: Lags = no_lags
    is_ready: Callable[[], str] = field(default=str)
    tails: Tails = field(default_factory=Tails)
    look_s: float = 1.0
    oidc: OidcProvider | None = None
    exports: ExportJobs | None = None
    public_url: str = ""
    door: str = ""


def parts_of(request: Request) -> Parts:
    """Return the parts of the application that a request came to."""
    parts: Parts = request.app.state.parts
    return parts


def caller_of(request: Request) -> Caller:
    """Return from where a request comes, as far as the connection says."""
    return Caller(
        by="api",
        address=request.client.host if request.client else "",
        agent=request.headers.get("user-agent", ""),
    )


def signed_in(request: Request) -> SignedIn:
    """Return who sends a request.

    Raises:
        NotSignedInError: Nobody that is known.
        NotAllowedError: It would change something, and does not show that it comes from our own pages.
        TooManyRequestsError: They ask too often.
        RetryableError: Nobody can tell, or be told.
    """
    entry = parts_of(request).entry
    found = entry.admit(request.headers.get("authorization"), request.cookies.get(COOKIE), caller_of(request))
    if found.session is not None and request.method not in _READING:
        shown = request.headers.get(FORM_TOKEN_HEADER, "")
        if not entry.sessions.is_own(found.session, shown):
            raise NotAllowedError(
                f"{FORM_TOKEN_HEADER}: must be the form token of the session",
                hint="Programs send a token in `Authorization`, and no cookie.",
                field=FORM_TOKEN_HEADER,
            )
    return found


PartsOf = Annotated[Parts, Depends(parts_of)]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, from where, and whom.

    Attributes:
        parts: The application's parts.
        signed_in: Who, and by which session.
        caller: From where.
    """

    parts: Parts
    signed_in: SignedIn
    caller: Caller

    @property
    def who(self) -> Principal:
        """Who asks."""
        return self.signed_in.who

    @property
    def desk(self) -> Desk:
        """Whom they ask."""
        return self.parts.desk


def asker(
    parts: PartsOf,
    found: Annotated[SignedIn, Depends(signed_in)],
    caller: Annotated[Caller, Depends(caller_of)],
) -> Asker:
    """Return who asks, once they are let in; raises as `signed_in`."""
    return Asker(parts, found, caller)


AskerOf = Annotated[Asker, Depends(asker)]
