"""Who may send: the credentials of the reference data, kept in memory and up to date.

A thread asks the store for the newest revision every second; a revocation counts as soon as that is seen.
While the store is away what was known last goes on to count: its age is a metric.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.logs import get_logger
from auditstream.gateway.problems import RefusedError
from auditstream.identity.policy import STRICTEST, Policy
from auditstream.reference.following import Following, Snapshots
from auditstream.reference.gateway_secrets import credential_id_of, hash_of, matches
from auditstream.reference.snapshot import Snapshot

log = get_logger(__name__)

KINDS = ("tenant", "credential")
_CHOICES = tuple(each.name for each in fields(Policy))
_NOBODY = hash_of("")
_BEARER = "bearer "
_MOST_ADMITTED = 4_096


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends.

    Attributes:
        credential_id: Credential of the key.
        tenant_id: Its tenant, which its events are stamped with.
        labels: Labels of the tenant.
        policy: What the tenant chose about personal data and content.
        edge_keys: Whether the credential may have keys.
    """

    credential_id: str
    tenant_id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = STRICTEST
    edge_keys: bool = False


class UnknownKeyError(RefusedError):
    """A request without a key that counts.

    Attributes:
        credential_id: Credential that the key names; empty when it names none of ours.
        tenant_id: Its tenant; likewise.
    """

    def __init__(self, code: str, detail: str, *, credential_id: str = "", tenant_id: str = "") -> None:
        super().__init__(code, detail, field="authorization")
        self.credential_id = credential_id
        self.tenant_id = tenant_id


@dataclass(frozen=True, slots=True)
class _Held:
    """A credential or a tenant between two times."""

    tenant_id: str
    secret_hash: str
    is_active: bool
    labels: Mapping[str, str]
    policy: Policy
    edge_keys: bool
    valid_from: datetime
    valid_to: datetime | None

    def covers(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_to is None or at < self.valid_to)


class CredentialBook:
    """The credentials of one revision.

    Args:
        snapshot: Reference data with the kinds tenant and credential.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.revision = snapshot.revision
        self._credentials = _by_key(snapshot, "credential", "credential_id")
        self._tenants = _by_key(snapshot, "tenant", "tenant_id")
        self._admitted: dict[bytes, tuple[_Held, _Held | None, Principal]] = {}

    def __len__(self) -> int:
        return sum(any(held.secret_hash for held in each) for each in self._credentials.values())

    def principal(self, authorization: str | None, at: datetime) -> Principal:
        """Return who sends a request.

        Args:
            authorization: Value of the header.
            at: Now.

        Raises:
            UnknownKeyError: There is no key, or it does not count. Of a key that is not known nothing more is
                told than that.
        """
        if authorization is None:
            raise UnknownKeyError("unauthenticated", "authorization: no key; send `Bearer ask_…`")
        digest = hashlib.sha256(authorization.encode()).digest()
        admitted = self._admitted.get(digest)
        if admitted is not None:
            credential, tenant, principal = admitted
            if credential.covers(at) and (tenant is None or tenant.covers(at)):
                return principal
        return self._admit(authorization, digest, at)

    def _admit(self, authorization: str, digest: bytes, at: datetime) -> Principal:
        if authorization[: len(_BEARER)].lower() != _BEARER:
            raise UnknownKeyError("unauthenticated", "authorization: is not `Bearer` with a key")
        key = authorization[len(_BEARER) :].strip()
        credential_id = credential_id_of(key)
        held = self._held(credential_id, at)
        # Unknown ids are compared too, so that the time taken does not tell whether an id is known.
        if not matches(key, held.secret_hash if held and held.secret_hash else _NOBODY) or held is None:
            known = credential_id if held is not None and credential_id else ""
            raise UnknownKeyError(
                "unauthenticated",
                "authorization: the key is not known",
                credential_id=known,
                tenant_id=held.tenant_id if held else "",
            )
        assert credential_id is not None
        if not held.is_active or not held.covers(at):
            raise UnknownKeyError(
                "revoked",
                "authorization: the key was revoked or has expired",
                credential_id=credential_id,
                tenant_id=held.tenant_id,
            )
        principal = self._of_tenant(credential_id, held, at)
        tenant = self._tenant(held.tenant_id, at)
        # A tenant that is not known yet may become so within this revision: it is looked for each time.
        if tenant is not None or held.tenant_id not in self._tenants:
            if len(self._admitted) >= _MOST_ADMITTED:
                self._admitted.clear()
            self._admitted[digest] = held, tenant, principal
        return principal

    def policy(self, tenant_id: str, at: datetime) -> Policy:
        """Return what a tenant chose; the strictest for one that nobody knows."""
        tenant = self._tenant(tenant_id, at)
        return STRICTEST if tenant is None else tenant.policy

    def _tenant(self, tenant_id: str, at: datetime) -> _Held | None:
        return next((each for each in self._tenants.get(tenant_id, ()) if each.covers(at)), None)

    def _of_tenant(self, credential_id: str, credential: _Held, at: datetime) -> Principal:
        tenant_id = credential.tenant_id
        tenant = self._tenant(tenant_id, at)
        if tenant is None:
            return Principal(credential_id, tenant_id, edge_keys=credential.edge_keys)
        if not tenant.is_active:
            raise UnknownKeyError(
                "tenant_closed",
                "authorization: the key's tenant may not send events",
                credential_id=credential_id,
                tenant_id=tenant_id,
            )
        return Principal(credential_id, tenant_id, tenant.labels, tenant.policy, credential.edge_keys)

    def _held(self, credential_id: str | None, at: datetime) -> _Held | None:
        """Return the credential as it holds now, else as it held last."""
        history = self._credentials.get(credential_id or "", ())
        return next((each for each in history if each.covers(at)), history[-1] if history else None)


class Credentials:
    """The newest credentials that the store told of.

    Args:
        snapshots: The store.
        every_s: Time between looks.
        clock: Tells which credentials hold now.
    """

    def __init__(self, snapshots: Snapshots, *, every_s: float, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._following = Following(snapshots, KINDS, CredentialBook, every_s=every_s, name="credentials")

    def start(self) -> None:
        """Ask the store from now on; returns at once."""
        self._following.start()

    def stop(self) -> None:
        """Ask no more; returns when the last question has been answered."""
        self._following.stop()

    @property
    def is_known(self) -> bool:
        """Whether the store has answered since the start."""
        return self._following.known is not None

    @property
    def age_s(self) -> float:
        """Seconds since what is known was known to be the newest; infinite before the first answer."""
        return self._following.age_s

    def __len__(self) -> int:
        return 0 if self._following.known is None else len(self._following.known)

    def principal(self, authorization: str | None) -> Principal:
        """Return who sends a request.

        Raises:
            UnknownKeyError: There is no key, or it does not count.
            RefusedError: No credentials are known yet.
        """
        book = self._following.known
        if book is None:
            raise RefusedError(
                "unavailable",
                "the store has not told of any credentials yet",
                retry_after_s=self._following.every_s,
            )
        return book.principal(authorization, self._now())

    def policy(self, tenant_id: str) -> Policy:
        """Return what a tenant chose; the strictest for one that nobody knows."""
        book = self._following.known
        return STRICTEST if book is None else book.policy(tenant_id, self._now())

    def refresh(self) -> None:
        """Ask the store once; blocks.

        Raises:
            RetryableError: No answer.
        """
        self._following.refresh()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_s(), UTC)


def _by_key(snapshot: Snapshot, kind: str, key: str) -> Mapping[str, list[_Held]]:
    found: dict[str, list[_Held]] = defaultdict(list)
    for row in snapshot.intervals(kind).iter_rows(named=True):
        held = _Held(
            tenant_id=row["tenant_id"],
            secret_hash=row.get("secret_hash", ""),
            is_active=row["active"],
            labels=_labels(row.get("labels")),
            policy=Policy(**{name: row[name] for name in _CHOICES if name in row}),
            edge_keys=row.get("edge_keys", False),
            valid_from=row["valid_from"],
            valid_to=row["valid_to"],
        )
        found[row[key]].append(held)
    return found


def _labels(value: object) -> dict[str, str]:
    """Return a map of polars, which gives maps as mappings or as lists of pairs."""
    if not value:
        return {}
    if isinstance(value, Mapping):
        return {str(name): str(text) for name, text in value.items()}
    assert isinstance(value, Iterable)
    return {str(each["key"]): str(each["value"]) for each in value}
