"""Keys of the gateway made and revoked: reference facts, told of before they take effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.emit.key_facts import Announce, Store, Subject, write_told
from auditstream.reference.gateway_secrets import hash_of, new_credential_id, new_key
from auditstream.reference.owners import Credential, Tenant
from auditstream.reference.snapshot import Snapshot

_SOURCE = "auditstream keys"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was made.

    Attributes:
        credential: The fact that was written.
        secret: The key itself; nobody has it but the caller.
        revision: Revision from which it counts.
    """

    credential: Credential
    secret: str
    revision: int


def create_key(
    store: Store,
    *,
    tenant: str,
    name: str,
    project: str = "",
    actor: str,
    now: datetime,
    announce: Announce | None,
) -> Key:
    """Make a credential with a key for a tenant, and return both.

    Args:
        store: Where facts are.
        tenant: Its tenant; must be known and active.
        name: What people call it.
        project: Project that its events are attributed to; empty for none.
        actor: Who says so.
        now: From when it counts.
        announce: Sends events and returns when they are acknowledged; None for a change without events.

    Raises:
        NotFoundError: There is no such tenant.
        RequestError: The tenant is closed.
        StoreBusyError: Somebody else was writing; nothing was written.
        RetryableError: The change could not be told of, or no answer. Nothing takes effect.
    """
    base = store.newest()
    snapshot = store.load(base)
    known = snapshot.find(Tenant, tenant, at=now)
    if known is None:
        raise NotFoundError(
            f"tenant {tenant}: is not known",
            hint="`auditstream apply -f FILE` with a document of kind tenant.",
        )
    if not known.active:
        raise RequestError(f"tenant {tenant}: is closed")
    credential_id = new_credential_id(tenant)
    secret = new_key(credential_id)
    credential = Credential(
        credential_id=credential_id,
        tenant_id=tenant,
        project_id=project,
        kind="gateway",
        name=name,
        secret_hash=hash_of(secret),
        valid_from=now,
    )
    revision = _write(store, snapshot, credential, "create", actor=actor, now=now, announce=announce)
    return Key(credential, secret, revision)


def revoke_key(
    store: Store, credential_id: str, *, actor: str, now: datetime, announce: Announce | None
) -> tuple[Credential, int]:
    """Revoke a credential from now on; return its fact and the revision. One that is revoked stays as it is.

    Args:
        store: Where facts are.
        credential_id: Which.
        actor: Who says so.
        now: From when it does not count.
        announce: Sends events and returns when they are acknowledged; None for a change without events.

    Raises:
        NotFoundError: There is no such credential.
        StoreBusyError: Somebody else was writing; nothing was written.
        RetryableError: The change could not be told of, or no answer. Nothing takes effect.
    """
    base = store.newest()
    snapshot = store.load(base)
    known = snapshot.find(Credential, credential_id, at=now)
    if known is None:
        raise NotFoundError(f"credential {credential_id}: is not known", hint="`auditstream keys list`.")
    if not known.active:
        return known, base
    revoked = known.model_copy(update={"active": False, "valid_from": now})
    return revoked, _write(store, snapshot, revoked, "revoke", actor=actor, now=now, announce=announce)


def keys_of(snapshot: Snapshot, *, now: datetime) -> list[Credential]:
    """Return the credentials that have a key, as they hold now, by tenant and id."""
    rows = snapshot.intervals("credential").to_dicts()
    held = [Credential.model_validate({name: row[name] for name in Credential.model_fields}) for row in rows]
    found = [each for each in held if each.secret_hash and each.covers(now)]
    return sorted(found, key=lambda each: (each.tenant_id, each.credential_id))


def _write(
    store: Store,
    snapshot: Snapshot,
    credential: Credential,
    activity: str,
    *,
    actor: str,
    now: datetime,
    announce: Announce | None,
) -> int:
    subject = Subject(
        credential.credential_id,
        activity,
        ("events:write",),
        name=credential.name,
        tenant=credential.tenant_id,
    )
    return write_told(
        store, snapshot, credential, subject, source=_SOURCE, actor=actor, now=now, announce=announce
    )
