"""Sessions of the console: who signed in, in a signed cookie; nothing of them is kept here.

A session of a token names the token and not its rights: these are looked up at each request, so that a token
that is revoked ends its sessions. A session of an identity provider carries what its claims gave, until then.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from auditstream.access.known_tokens import NotSignedInError
from auditstream.access.principal import Principal, SignIn
from auditstream.access.roles import Role
from auditstream.query.periods import Period

COOKIE = "auditstream_session"

LASTS = timedelta(hours=8)
"""A working day: then one signs in again."""

_SALT = "auditstream/session/v1"
_LONGEST = (
    3_500  # characters of a cookie that every browser keeps: RFC 6265 asks for 4,096 bytes with its name
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a cookie says.

    Attributes:
        id: Random; requests that change something prove by it that they come from our own pages.
        principal: Who signed in; of a token its id alone counts.
        ends_at: When it ends.
    """

    id: str
    principal: Principal
    ends_at: datetime


class Sessions:
    """Makes and reads cookies.

    Args:
        key: Secret by which they are signed.
    """

    def __init__(self, key: bytes) -> None:
        self._signed = URLSafeSerializer(key, salt=_SALT, signer_kwargs={"digest_method": sha256})
        self._form_key = hmac.new(key, b"auditstream/form/v1", sha256).digest()

    def begin(self, principal: Principal, now: datetime) -> tuple[Session, str]:
        """Return a session and its cookie's value.

        Raises:
            NotSignedInError: What the principal may see does not fit into a cookie.
        """
        ends = min(filter(None, (now + LASTS, principal.expires_at)))
        session = Session(id=secrets.token_urlsafe(16), principal=principal, ends_at=ends)
        text = self._signed.dumps(_datum(session))
        cookie = text if isinstance(text, str) else text.decode("ascii")
        if len(cookie) > _LONGEST:
            raise NotSignedInError("session: too many tenants for a cookie", hint="Map fewer, or all: '*'.")
        return session, cookie

    def read(self, cookie: str, now: datetime) -> Session:
        """Return the session of a cookie.

        Raises:
            NotSignedInError: It is none of ours, or has ended.
        """
        try:
            session = _session(self._signed.loads(cookie))
        except (BadSignature, KeyError, TypeError, ValueError):
            raise NotSignedInError("session: the cookie is not one of ours", hint="Sign in again.") from None
        if now >= session.ends_at:
            raise NotSignedInError("session: it has ended", hint="Sign in again.")
        return session

    def form_token(self, session: Session) -> str:
        """Return what requests of a session that change something have to show beside its cookie."""
        return hmac.new(self._form_key, session.id.encode(), sha256).hexdigest()

    def is_own(self, session: Session, shown: str) -> bool:
        """Return whether a request of a session showed its form token."""
        return hmac.compare_digest(self.form_token(session).encode(), shown.encode("utf-8", "replace"))


def _datum(session: Session) -> dict[str, Any]:
    who = session.principal
    return {
        "i": session.id,
        "e": session.ends_at.timestamp(),
        "p": who.id,
        "n": who.name,
        "r": str(who.role),
        "t": None if who.tenants is None else sorted(who.tenants),
        "f": _seconds(who.period.start),
        "u": _seconds(who.period.end),
        "x": _seconds(who.expires_at),
        "b": who.signed_in_by,
    }


def _session(datum: Any) -> Session:
    by: SignIn = "oidc" if datum["b"] == "oidc" else "token"
    principal = Principal(
        id=str(datum["p"]),
        name=str(datum["n"]),
        role=Role(datum["r"]),
        tenants=None if datum["t"] is None else frozenset(map(str, datum["t"])),
        period=Period(_moment(datum["f"]), _moment(datum["u"])),
        expires_at=_moment(datum["x"]),
        signed_in_by=by,
    )
    return Session(id=str(datum["i"]), principal=principal, ends_at=datetime.fromtimestamp(datum["e"], UTC))


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
