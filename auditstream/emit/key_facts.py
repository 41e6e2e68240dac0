"""Facts written once events tell of the change, and of what became of a key where they are about one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from auditstream.emit.announcements import Said, announcement
from auditstream.emit.config_changes import Applied, events_of
from auditstream.reference.changes import difference
from auditstream.reference.documents import Stated
from auditstream.reference.fact import Fact
from auditstream.reference.kinds import Entry
from auditstream.reference.snapshot import Snapshot

KEY_LIFECYCLE = "ai.key.lifecycle"

Event = dict[str, Any]
Announce = Callable[[Sequence[Event]], object]


class Store(Protocol):
    """Where facts are; `sinks.reference.ReferenceStore` is one. Every method blocks."""

    def newest(self) -> int:
        """Return the newest revision."""
        ...

    def load(self, revision: int, *, kinds: Iterable[str] = ...) -> Snapshot:
        """Return what is known at a revision, of these kinds; of all where none are named."""
        ...

    def append(
        self,
        entries: Sequence[Entry],
        *,
        base: int,
        actor: str,
        announce: Callable[[int], object] | None = None,
    ) -> int:
        """Write facts as one new revision."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What became of which key.

    Attributes:
        id: The key's id, never its secret.
        activity: As `create`, `revoke`.
        scopes: What it is good for.
        name: What people call it.
        tenant: Whose it is; empty for several.
    """

    id: str
    activity: str
    scopes: tuple[str, ...]
    name: str = ""
    tenant: str = ""


def write_told(
    store: Store,
    snapshot: Snapshot,
    fact: Fact,
    subject: Subject,
    *,
    source: str,
    actor: str,
    now: datetime,
    announce: Announce | None,
) -> int:
    """Write a fact about a key as a new revision, and return it.

    Args:
        store: Where facts are.
        snapshot: What was known when the fact was worked out.
        fact: What holds.
        subject: What the event `ai.key.lifecycle` tells.
        source: Command that says so.
        actor: Who says so.
        now: When (UTC).
        announce: Sends events and returns when they are acknowledged; None for a change without events.

    Raises:
        StoreBusyError: Somebody else was writing; nothing was written.
        RetryableError: The change could not be told of, or no answer. Nothing takes effect.
    """
    return write_fact(
        store,
        snapshot,
        fact,
        source=source,
        actor=actor,
        now=now,
        announce=announce,
        also=lambda applied: [_lifecycle(subject, applied)],
    )


def write_fact(
    store: Store,
    snapshot: Snapshot,
    fact: Fact,
    *,
    source: str,
    actor: str,
    now: datetime,
    announce: Announce | None,
    also: Callable[[Applied], Sequence[Event]] = lambda _: (),
    dated: bool = True,
) -> int:
    """Write a fact as a new revision once events tell of it, and return it; what is known stays as it is.

    Args:
        store: Where facts are.
        snapshot: What was known when the fact was worked out.
        fact: What holds.
        source: Command that says so.
        actor: Who says so.
        now: When (UTC).
        announce: Sends events and returns when they are acknowledged; None for a change without events.
        also: Makes what is told beside the change.
        dated: Whether somebody said from when it holds; else what holds now is no change.

    Raises:
        StoreBusyError: Somebody else was writing; nothing was written.
        RetryableError: The change could not be told of, or no answer. Nothing takes effect.
    """
    found = difference([Stated(fact, source, 1, source, dated)], snapshot, now=now)
    if not found.entries:
        return snapshot.revision
    if announce is None:
        return store.append(found.entries, base=snapshot.revision, actor=actor)

    def tell(revision: int) -> None:
        applied = Applied(revision, actor, now)
        announce([*events_of(found.changes, applied), *also(applied)])

    return store.append(found.entries, base=snapshot.revision, actor=actor, announce=tell)


def _lifecycle(subject: Subject, applied: Applied) -> Event:
    said = Said(by="keys", actor=applied.actor, at=applied.at, tenant_id=subject.tenant)
    return announcement(
        KEY_LIFECYCLE,
        said,
        access={"subject_id": subject.id, "activity": subject.activity, "scopes": list(subject.scopes)},
        attributes={"reference_revision": str(applied.revision), "name": subject.name[:256]},
    )
