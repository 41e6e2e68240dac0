"""Legal holds: which of them cover a subject, so that nothing of it may be destroyed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from auditstream.reference.limits import Hold
from auditstream.reference.snapshot import Snapshot

_SUBJECT = frozenset({"subject", "actor_id"})
"""Names by which a hold's scope says which subject it is about."""


def holds_over(snapshot: Snapshot, tenant: str, names: Collection[str], at: datetime) -> list[Hold]:
    """Return the holds of a time that cover a subject, ordered by id.

    A hold without a tenant is over all of them, one without a scope over all of its tenant. A scope that
    speaks of something else than subjects, as a project, may be about the subject too, so it counts.

    Args:
        snapshot: Reference data with the kind `hold`.
        tenant: The subject's tenant.
        names: What the subject is called: readable ids and handles.
        at: The time.
    """
    fields = list(Hold.model_fields)
    rows = snapshot.intervals("hold").select(*fields).rows(named=True)
    holds = (Hold.model_validate(row) for row in rows)
    found = (
        hold
        for hold in holds
        if hold.active and hold.covers(at) and hold.tenant_id in {"", tenant} and _covers(hold, names)
    )
    return sorted(found, key=lambda hold: hold.hold_id)


def _covers(hold: Hold, names: Collection[str]) -> bool:
    return all(value in names for name, value in hold.scope.items() if name in _SUBJECT)
