"""The erasure of a subject as an `ai.key.lifecycle` event, which Kafka has before a key is destroyed.

It is the erasure's certificate: a leaf of the log like any other, with key ids, months, ground and approvers.
It names the subject by its handle alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from auditstream.emit.announcements import Said, announcement

EVENT_TYPE = "ai.key.lifecycle"
BY = "erase"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is about to be destroyed.

    Attributes:
        subject: Handle of the subject.
        ground: On what ground.
        approvers: Who else approved of it.
        key_ids: The keys.
        months: Their months.
        sealed_events: How many events are recorded under them.
    """

    subject: str
    ground: str
    approvers: Sequence[str]
    key_ids: Sequence[str]
    months: Sequence[str]
    sealed_events: int


def erasure_event(erasure: Erasure, said: Said) -> dict[str, Any]:
    """Return the event; `said` names the tenant, who acts and when."""
    return announcement(
        EVENT_TYPE,
        said,
        access={
            "subject_id": erasure.subject,
            "activity": "destroy",
            "scopes": list(erasure.key_ids),
        },
        attributes={
            "ground": erasure.ground,
            "approvers": " ".join(erasure.approvers),
            "months": " ".join(erasure.months),
            "sealed_events": str(erasure.sealed_events),
        },
    )
