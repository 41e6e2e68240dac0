"""A re-rating as an `ai.config.change` event, which Kafka has before its first difference is booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditstream.emit.announcements import CONFIG_CHANGE, Said, announcement

BY = "reprice"
OBJECT_TYPE = "costs"


@dataclass(frozen=True, slots=True)
class Repricing:
    """What is about to be booked anew.

    Attributes:
        start: First moment of event_time (UTC).
        end: First moment after.
        provider: Only calls of this provider; empty for all.
        model: Only calls that this model answered; empty for all.
        reason: Why, for people; empty where nobody said.
        revision: Revision of the reference data.
        approved_by: Who else approved; empty for nobody.
    """

    start: datetime
    end: datetime
    provider: str
    model: str
    reason: str
    revision: int
    approved_by: str


def repricing_event(repricing: Repricing, said: Said) -> dict[str, Any]:
    """Return the event; `said` names the tenant, who acts and when."""
    details = {
        "reason": repricing.reason,
        "provider": repricing.provider,
        "model": repricing.model,
        "reference_revision": str(repricing.revision),
    }
    return announcement(
        CONFIG_CHANGE,
        said,
        change={
            "object_type": OBJECT_TYPE,
            "object_id": f"{repricing.start.isoformat()}/{repricing.end.isoformat()}",
            "approver_id": repricing.approved_by or None,
        },
        attributes={name: value for name, value in details.items() if value},
    )
