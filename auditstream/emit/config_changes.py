"""Changes of reference data as `ai.config.change` events, acknowledged before the changes take effect."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditstream.core.ids import uuid7
from auditstream.emit.emission import Way
from auditstream.emit.message import Route, message_of
from auditstream.reference.changes import Change
from auditstream.reference.digests import digest
from schemas.contract import check
from schemas.intake import datum_of

EVENT_TYPE = "ai.config.change"
SOURCE = "urn:auditstream:apply"
_INFORMATIONAL = 1  # OCSF


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


def announce(changes: Iterable[Change], applied: Applied, route: Route, way: Way) -> int:
    """Send an event for each change, return how many, once all are acknowledged.

    The events come before the revision is visible. Should it then be given up, as `reference_revisions` says,
    they tell of an attempt.

    Raises:
        RetryableError: One was not acknowledged.
    """
    sent = 0
    for change in changes:
        way.send(message_of(event_of(change, applied), route))
        sent += 1
    way.finish()
    return sent


def event_of(change: Change, applied: Applied) -> dict[str, Any]:
    """Return the event of a change: what it is about, its hash before and after, who and from where.

    It belongs to the tenant that the fact belongs to; facts about everybody have none.
    """
    fact = change.after
    event = {
        "event_id": uuid7(),
        "event_type": EVENT_TYPE,
        "event_time": applied.at,
        "source": SOURCE,
        "source_instance": socket.gethostname(),
        "tenant_id": getattr(fact, "tenant_id", ""),
        "actor_type": "USER",
        "actor_id": applied.actor,
        "outcome": "SUCCESS",
        "severity": _INFORMATIONAL,
        "change": {
            "object_type": change.kind.name,
            "object_id": "/".join(fact.key),
            "before_hash": None if change.before is None else digest(change.before),
            "after_hash": digest(fact),
        },
        "attributes": {
            "reference_revision": str(applied.revision),
            "document": change.source,
            "valid_from": fact.valid_from.isoformat(),
        },
    }
    datum = datum_of(event, "audit_event")
    check(datum)
    return datum
