"""Events with sealed fields: how many there are under a key, and whether the record says it was destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auditstream.query.reader import Reader

ERASURE_SOURCE = "urn:auditstream:erase"
"""Source of the events by which erasures are known."""

READ_FROM = "events"


@dataclass(frozen=True, slots=True)
class KnownErasure:
    """The event of an erasure.

    Attributes:
        event_id: Its id.
        at: When (UTC).
    """

    event_id: UUID
    at: datetime


def sealed_counts(reader: Reader, tenant: str, key_ids: Sequence[str]) -> dict[str, int]:
    """Return how many events are recorded under each key, repeats not counted; keys without any are left out.

    Raises:
        RetryableError: No answer.
    """
    if not key_ids:
        return {}
    sql = """
SELECT seal_key_id, uniqExact(event_id) FROM events
WHERE tenant_id = {tenant:String} AND seal_key_id IN {keys:Array(String)}
GROUP BY seal_key_id"""
    found = reader.table(sql, {"tenant": tenant, "keys": list(key_ids)}, doing="count of sealed events")
    return {str(key): int(count) for key, count in found.rows}


def erasure_of(reader: Reader, tenant: str, key_id: str) -> KnownErasure | None:
    """Return the first recorded erasure of a key, None when there is none.

    The record outlives every backup of a keyring: a key that it says is destroyed must not open anything,
    though an old copy of the keyring has it again. What came through the gateway, which stamps a credential
    on everything, or on a tenant's own topic, is a producer's word and does not count.

    Raises:
        RetryableError: No answer.
    """
    sql = """
SELECT event_id, event_time FROM events
WHERE tenant_id = {tenant:String} AND event_type = 'ai.key.lifecycle' AND source = {source:String}
    AND access_activity = 'destroy' AND has(access_scopes, {key:String})
    AND credential_id = '' AND attribution_method != 'topic'
ORDER BY event_time LIMIT 1"""
    parameters = {"tenant": tenant, "source": ERASURE_SOURCE, "key": key_id}
    found = reader.table(sql, parameters, doing="search for an erasure").rows
    return KnownErasure(UUID(str(found[0][0])), found[0][1]) if found else None
