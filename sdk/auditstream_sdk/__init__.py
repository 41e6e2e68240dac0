"""Publish audit events of AI actions from your own services; it imports no part of the server."""

from auditstream_sdk.client import AsyncAuditClient, AuditClient
from auditstream_sdk.context import audit_context
from auditstream_sdk.errors import (
    AuditError,
    ClosedError,
    NotAcknowledgedError,
    RefusedError,
    SettingsError,
)
from auditstream_sdk.recording import AsyncRecording, Receipt, Recording
from auditstream_sdk.settings import Mode, Settings
from auditstream_sdk.version import __version__

__all__ = [
    "AsyncAuditClient",
    "AsyncRecording",
    "AuditClient",
    "AuditError",
    "ClosedError",
    "Mode",
    "NotAcknowledgedError",
    "Receipt",
    "Recording",
    "RefusedError",
    "Settings",
    "SettingsError",
    "__version__",
    "audit_context",
]
