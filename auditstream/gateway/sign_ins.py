"""`ai.auth` events: keys that were refused, and credentials that are seen for the first time.

A flood of wrong keys is not a flood of events: within a minute the same fault of the same credential is one
event with a count, and past twenty different ones the rest are one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from auditstream.core.clock import Clock
from auditstream.emit.access_events import AUTH
from auditstream.emit.announcements import Said, announcement
from auditstream.gateway.credentials import Principal, UnknownKeyError

INTERVAL_S = 60.0
_MOST_KINDS = 20
_OTHERS = ("others", "", "", "")


@dataclass(slots=True)
class _Refused:
    """One kind of refusal within the present interval."""

    first: datetime
    last: datetime
    count: int = 0
    told: int = 0


class SignIns:
    """Gathers sign-ins and gives the events that tell of them.

    Args:
        instance: Name of this gateway.
        clock: Tells the time.
    """

    def __init__(self, instance: str, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._seen: set[str] = set()
        self._refused: dict[tuple[str, str, str, str], _Refused] = {}
        self._waiting: list[dict[str, Any]] = []

    def accepted(self, principal: Principal, address: str) -> None:
        """Note a key that counts; the first time in this process it is an event."""
        if principal.credential_id in self._seen:
            return
        self._seen.add(principal.credential_id)
        self._waiting.append(
            self._event(
                principal.tenant_id,
                principal.credential_id,
                "SUCCESS",
                address,
                more={"seen": "first since start"},
            )
        )

    def refused(self, error: UnknownKeyError, address: str) -> None:
        """Note a key that does not count."""
        now = self._now()
        kind = (error.code, error.credential_id, error.tenant_id, truncated(address))
        if kind not in self._refused and len(self._refused) >= _MOST_KINDS:
            kind = _OTHERS
        found = self._refused.setdefault(kind, _Refused(now, now))
        found.count += 1
        found.last = now

    def events(self) -> list[dict[str, Any]]:
        """Return the events of what came since the last call, and forget it."""
        found, self._waiting = [*self._waiting, *self._of_refused()], []
        self._refused.clear()
        return found

    def put_back(self, events: list[dict[str, Any]]) -> None:
        """Keep events that could not be sent; the oldest go when there are too many."""
        self._waiting = [*events, *self._waiting][-1_000:]

    def _of_refused(self) -> Iterator[dict[str, Any]]:
        for (code, credential_id, tenant_id, address), found in self._refused.items():
            more = {"reason": code, "count": str(found.count), "until": found.last.isoformat()}
            yield self._event(tenant_id, credential_id, "BLOCKED", address, more=more, at=found.first)

    def _event(
        self,
        tenant_id: str,
        credential_id: str,
        outcome: str,
        address: str,
        *,
        more: dict[str, str],
        at: datetime | None = None,
    ) -> dict[str, Any]:
        actor = credential_id or "unknown"
        said = Said(
            by="gateway",
            actor=actor,
            at=at or self._now(),
            tenant_id=tenant_id,
            outcome=outcome,
            actor_type="API_KEY",
        )
        return announcement(
            AUTH,
            said,
            access={"subject_id": actor, "activity": "logon"},
            credential_id=credential_id or None,
            src_ip=truncated(address) or None,
            attributes={"gateway": self._instance, **more},
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_s(), UTC)


def truncated(address: str) -> str:
    """Return the network of a client's address, /24 or /48: an address is personal data; empty for none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    bits = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False).network_address)
