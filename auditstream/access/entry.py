"""The entry: who asks, by a token or by a session; how often they may; and that they came is told of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from auditstream.access.desk import Caller, Desk
from auditstream.access.known_tokens import NotSignedInError, TokenBook
from auditstream.access.principal import Principal
from auditstream.access.rates import Rates
from auditstream.access.sessions import Session, Sessions
from auditstream.core.clock import Clock
from auditstream.core.errors import RetryableError
from auditstream.core.logs import get_logger

log = get_logger(__name__)

_SEEN_S = 3_600.0
"""A token that is seen again within this time has not signed in anew: HTTP shows it with every request."""

_MOST_SEEN = 10_000
_REFUSALS_EACH_S = 5.0
"""Seconds between refusals that are told of: who tries tokens in a loop must not fill the record."""

_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks.

    Attributes:
        who: They.
        session: Their session, where a cookie and not a token says so.
    """

    who: Principal
    session: Session | None = None


class Entry:
    """Lets in; any thread may ask.

    Args:
        desk: Is told who came.
        tokens: Returns the tokens that count now; None before the store has told of any.
        sessions: Makes and reads cookies.
        rates: Counts requests.
        clock: Tells the time.
    """

    def __init__(
        self,
        desk: Desk,
        tokens: Callable[[], TokenBook | None],
        *,
        sessions: Sessions,
        rates: Rates,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._tokens = tokens
        self.sessions = sessions
        self._rates = rates
        self._clock = clock
        self._guard = threading.Lock()
        self._seen: dict[tuple[str, str], float] = {}
        self._refused_s = float("-inf")

    @property
    def now(self) -> datetime:
        """The time (UTC)."""
        return datetime.fromtimestamp(self._clock.now_s(), UTC)

    def admit(self, authorization: str | None, cookie: str | None, caller: Caller) -> SignedIn:
        """Return who asks, a token before a session, and count their request.

        Args:
            authorization: Value of the header.
            cookie: Value of the cookie of a session.
            caller: From where they ask.

        Raises:
            NotSignedInError: Neither, or it does not count.
            TooManyRequestsError: They ask too often.
            RetryableError: Nobody knows which tokens there are, or that somebody came cannot be told of.
        """
        try:
            found = self._found(authorization, cookie)
        except NotSignedInError:
            self._tell_refusal(caller)
            raise
        self._rates.take(found.who)
        if found.session is None:
            self._tell(found.who, caller)
        return found

    def sign_in(self, secret: str, caller: Caller) -> tuple[Session, str]:
        """Return a session for who shows a token, and its cookie's value.

        Raises:
            NotSignedInError: The token does not count.
            RetryableError: As `admit`.
        """
        try:
            who = self._book().principal(secret.strip(), self.now)
        except NotSignedInError:
            self._tell_refusal(caller)
            raise
        return self.begin(who, caller)

    def begin(self, who: Principal, caller: Caller) -> tuple[Session, str]:
        """Return a session for somebody who proved who they are, and its cookie's value.

        Raises:
            NotSignedInError: What they may see does not fit into a cookie.
            RetryableError: That they signed in cannot be told of: they did not.
        """
        begun = self.sessions.begin(who, self.now)
        self._desk.tell_sign_in(who.name, caller, is_believed=True)
        return begun

    def still(self, signed_in: SignedIn) -> bool:
        """Return whether somebody who was let in would be let in now: for answers that take long."""
        who = signed_in.who
        try:
            if who.signed_in_by == "token":
                self._book().named(who.id, self.now)
        except NotSignedInError:
            return False
        ends = signed_in.session.ends_at if signed_in.session else None
        return who.is_valid(self.now) and (ends is None or self.now < ends)

    def _found(self, authorization: str | None, cookie: str | None) -> SignedIn:
        if authorization is not None:
            if authorization[: len(_BEARER)].lower() != _BEARER:
                raise NotSignedInError("authorization: is not `Bearer` with a token")
            return SignedIn(self._book().principal(authorization[len(_BEARER) :].strip(), self.now))
        if not cookie:
            raise NotSignedInError("authorization: no token, and no session")
        session = self.sessions.read(cookie, self.now)
        who = session.principal
        if who.signed_in_by == "token":
            who = self._book().named(who.id, self.now)
        elif not who.is_valid(self.now):
            raise NotSignedInError("session: it has ended", hint="Sign in again.")
        return SignedIn(who, session)

    def _book(self) -> TokenBook:
        book = self._tokens()
        if book is None:
            raise RetryableError("the store has not told of any tokens yet", retry_after_s=1)
        return book

    def _tell(self, who: Principal, caller: Caller) -> None:
        """Tell that a token came, unless it was seen lately from there."""
        key, now_s = (who.id, caller.address), self._clock.now_s()
        with self._guard:
            seen_s = self._seen.get(key)
        if seen_s is not None and now_s - seen_s < _SEEN_S:
            return
        self._desk.tell_sign_in(who.name, caller, is_believed=True)
        with self._guard:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[key] = now_s

    def _tell_refusal(self, caller: Caller) -> None:
        """Tell that somebody was refused, now and then; who was refused is refused whether told of or not."""
        now_s = self._clock.now_s()
        with self._guard:
            if now_s - self._refused_s < _REFUSALS_EACH_S:
                return
            self._refused_s = now_s
        try:
            self._desk.tell_sign_in("unknown", caller, is_believed=False)
        except RetryableError as error:
            log.warning("refusal_not_recorded", reason=error.message)
