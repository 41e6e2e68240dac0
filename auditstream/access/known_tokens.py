"""Whose token it is: the tokens of one revision of the reference data."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from auditstream.access.principal import Principal
from auditstream.access.roles import Role
from auditstream.access.tokens import tokens_of
from auditstream.core.errors import RequestError
from auditstream.query.periods import Period
from auditstream.reference.access_tokens import EVERYBODY, AccessToken
from auditstream.reference.gateway_secrets import TOKEN_PREFIX, credential_id_of, matches
from auditstream.reference.snapshot import Snapshot

_NOBODY = "sha256:" + "0" * 64  # compared with where an id is not known, so that the time taken tells nothing


class NotSignedInError(RequestError):
    """Nobody knows who asks: there is no token or session, or it does not count."""

    code = "unauthenticated"
    hint = "Send `Authorization: Bearer ast_…` with a token of `auditstream tokens create`, or sign in."


class TokenBook:
    """The tokens of one revision.

    Args:
        snapshot: Reference data with the kind access_token.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._tokens: dict[str, list[AccessToken]] = defaultdict(list)
        for each in tokens_of(snapshot):
            self._tokens[each.token_id].append(each)

    def principal(self, secret: str, at: datetime) -> Principal:
        """Return who holds a token.

        Raises:
            NotSignedInError: It is not known, was revoked, or has expired. Of one that is not known nothing
                more is told than that.
        """
        token_id = credential_id_of(secret, prefix=TOKEN_PREFIX) or ""
        history = self._tokens.get(token_id, [])
        hashed = history[-1].secret_hash if history else ""
        if not matches(secret, hashed or _NOBODY):
            raise NotSignedInError("authorization: the token is not known")
        return self.named(token_id, at)

    def named(self, token_id: str, at: datetime) -> Principal:
        """Return whose a token is that was shown before, as a session remembers it.

        Raises:
            NotSignedInError: It does not count any more.
        """
        held = [each for each in self._tokens.get(token_id, []) if each.covers(at)]
        if not held or not held[-1].active:
            raise NotSignedInError("authorization: the token was revoked or has expired")
        return principal_of(held[-1])


def principal_of(token: AccessToken) -> Principal:
    """Return whom a token stands for."""
    return Principal(
        id=token.token_id,
        name=token.name or token.token_id,
        role=Role(token.role),
        tenants=None if EVERYBODY in token.tenants else frozenset(token.tenants),
        period=Period(token.sees_from, token.sees_to),
        expires_at=token.valid_to,
    )
