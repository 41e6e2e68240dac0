"""An event as a gateway would take it: converted, checked, and free of what a test said in confidence."""

from __future__ import annotations

from typing import Any

from schemas import contract
from schemas.intake import datum_of
from tests.support.fake_providers import SECRET


def checked(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event after the gateway's own checks, having looked for content in it."""
    contract.check(
        datum_of({**event, "tenant_id": "acme", "observed_time": event["event_time"]}, "audit_event")
    )
    assert SECRET not in str(event)
    return event
