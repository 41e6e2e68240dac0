"""Tokens of the API made, listed and revoked: reference facts of which only a hash is kept, told of first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.emit.key_facts import Announce, Store, Subject, write_told
from auditstream.reference.access_tokens import EVERYBODY, AccessToken
from auditstream.reference.gateway_secrets import TOKEN_PREFIX, hash_of, new_key, new_token_id
from auditstream.reference.owners import Tenant
from auditstream.reference.snapshot import Snapshot

KIND = "access_token"
"""Kind of reference data that tokens are."""

_SOURCE = "auditstream tokens"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made.

    Attributes:
        token: The fact that was written.
        secret: The token itself; nobody has it but the caller.
        revision: Revision from which it counts.
    """

    token: AccessToken
    secret: str
    revision: int


def create_token(
    store: Store, wanted: AccessToken, *, actor: str, now: datetime, announce: Announce | None
) -> NewToken:
    """Make a token and return it.

    Args:
        store: Where facts are.
        wanted: What it shall be; `draft` makes one.
        actor: Who says so.
        now: From when it counts.
        announce: Sends events and returns when they are acknowledged; None for a change without events.

    Raises:
        NotFoundError: A tenant is not known.
        RequestError: It would have expired already.
        StoreBusyError: Somebody else was writing; nothing was written.
        RetryableError: The change could not be told of, or no answer. Nothing takes effect.
    """
    if wanted.valid_to is not None and wanted.valid_to <= now:
        raise RequestError(f"expires: {wanted.valid_to.isoformat()} is over already")
    base = store.newest()
    snapshot = store.load(base)
    for tenant in wanted.tenants:
        if tenant != EVERYBODY and snapshot.find(Tenant, tenant, at=now) is None:
            raise NotFoundError(
                f"tenant {tenant}: is not known",
                hint="`auditstream apply -f FILE` with a document of kind tenant.",
            )
    secret = new_key(wanted.token_id, prefix=TOKEN_PREFIX)
    token = wanted.model_copy(update={"secret_hash": hash_of(secret)})
    revision = write_told(
        store,
        snapshot,
        token,
        _subject(token, "create"),
        source=_SOURCE,
        actor=actor,
        now=now,
        announce=announce,
    )
    return NewToken(token, secret, revision)


def draft(
    *,
    role: str,
    tenants: tuple[str, ...],
    now: datetime,
    name: str = "",
    expires_at: datetime | None = None,
    sees_from: datetime | None = None,
    sees_to: datetime | None = None,
) -> AccessToken:
    """Return a token that is not made yet.

    Raises:
        RequestError: A field is wrong, or an auditor's token has no end; names the field and the reason.
    """
    try:
        return AccessToken.model_validate(
            {
                "token_id": new_token_id(),
                "name": name,
                "role": role,
                "tenants": tenants,
                "sees_from": sees_from,
                "sees_to": sees_to,
                "valid_from": now,
                "valid_to": expires_at,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"][:1])) or "token"
        raise RequestError(f"{field}: {first['msg'].removeprefix('Value error, ')}") from error


def revoke_token(
    store: Store, token_id: str, *, actor: str, now: datetime, announce: Announce | None
) -> tuple[AccessToken, int]:
    """Revoke a token from now on; return its fact and the revision. One that is revoked stays as it is.

    Raises:
        NotFoundError: There is no such token.
        StoreBusyError: Somebody else was writing; nothing was written.
        RetryableError: The change could not be told of, or no answer. Nothing takes effect.
    """
    base = store.newest()
    snapshot = store.load(base)
    known = snapshot.find(AccessToken, token_id, at=now)
    if known is None:
        raise NotFoundError(
            f"token {token_id}: is not known, or has expired", hint="`auditstream tokens list`."
        )
    if not known.active:
        return known, base
    revoked = known.model_copy(update={"active": False, "valid_from": now})
    revision = write_told(
        store,
        snapshot,
        revoked,
        _subject(revoked, "revoke"),
        source=_SOURCE,
        actor=actor,
        now=now,
        announce=announce,
    )
    return revoked, revision


def tokens_of(snapshot: Snapshot) -> list[AccessToken]:
    """Return every interval of every token, by id and time, those that are over and revoked included."""
    rows = snapshot.intervals(KIND).to_dicts()
    held = [
        AccessToken.model_validate({name: row[name] for name in AccessToken.model_fields}) for row in rows
    ]
    return sorted(held, key=lambda each: (each.token_id, each.valid_from))


def newest_of(snapshot: Snapshot) -> list[AccessToken]:
    """Return each token as it was stated last, by id."""
    return list({each.token_id: each for each in tokens_of(snapshot)}.values())


def _subject(token: AccessToken, activity: str) -> Subject:
    scopes = (f"role:{token.role}", *(f"tenant:{each}" for each in token.tenants))
    tenant = token.tenants[0] if len(token.tenants) == 1 and token.tenants[0] != EVERYBODY else ""
    return Subject(token.token_id, activity, scopes, name=token.name, tenant=tenant)
