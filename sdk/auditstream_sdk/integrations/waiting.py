"""Whether recording waits for the gateway: what awaits must not do so on its own loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditstream_sdk import AsyncAuditClient, AuditClient


def waits(audit: AuditClient | AsyncAuditClient) -> bool:
    """Return whether a client's mode waits for the gateway's acknowledgement."""
    return audit.settings.mode != "batch"
