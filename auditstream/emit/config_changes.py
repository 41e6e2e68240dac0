"""Changes of reference data as `ai.config.change` events, acknowledged before the changes take effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditstream.emit.announcements import CONFIG_CHANGE, Said, announcement
from auditstream.reference.changes import Change
from auditstream.reference.digests import digest
from auditstream.reference.price_import import Import


@dataclass(frozen=True, slots=True)
class Applied:
    """What all events of one run say.

    Attributes:
        revision: Revision of the reference data that the changes are about to become.
        actor: Who says so. An operator of the deployment, in the clear, as in the tables themselves.
        at: When (UTC).
    """

    revision: int
    actor: str
    at: datetime


def events_of(changes: Iterable[Change], applied: Applied) -> Iterator[dict[str, Any]]:
    """Yield the event of each change.

    The events come before the revision is visible. Should it then be given up, as `reference_revisions` says,
    they tell of an attempt.
    """
    return (event_of(change, applied) for change in changes)


def import_event(
    stated: Import, before_hash: str | None, counts: Mapping[str, int], applied: Applied
) -> dict[str, Any]:
    """Return the one event of an import: which catalogue, its hash before and after, and how much it changes.

    Its single prices are in the table, each with the revision that the event names.
    """
    return announcement(
        CONFIG_CHANGE,
        Said(by="prices", actor=applied.actor, at=applied.at),
        change={
            "object_type": "price_book",
            "object_id": stated.catalogue,
            "before_hash": before_hash,
            "after_hash": stated.source_hash,
        },
        attributes={
            "reference_revision": str(applied.revision),
            "document": stated.release,
            **{f"prices_{how}": str(count) for how, count in counts.items()},
        },
    )


def event_of(change: Change, applied: Applied) -> dict[str, Any]:
    """Return the event of a change: what it is about, its hash before and after, who and from where.

    It belongs to the tenant that the fact belongs to; facts about everybody have none.
    """
    fact = change.after
    tenant = getattr(fact, "tenant_id", "")
    return announcement(
        CONFIG_CHANGE,
        Said(by="apply", actor=applied.actor, at=applied.at, tenant_id=tenant),
        change={
            "object_type": change.kind.name,
            "object_id": "/".join(fact.key),
            "before_hash": None if change.before is None else digest(change.before),
            "after_hash": digest(fact),
        },
        attributes={
            "reference_revision": str(applied.revision),
            "document": change.source,
            "valid_from": fact.valid_from.isoformat(),
        },
    )
