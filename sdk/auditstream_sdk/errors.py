"""What the SDK raises, by what the caller must do.

AuditError
|- SettingsError           fix the arguments or AUDITSTREAM_SDK_* variables; raised while a client is made
|- NotAcknowledgedError    `blocking-strict`: the event has no acknowledgement, so do not go on
|   `- RefusedError        and will get none: the gateway refuses the event itself
`- ClosedError             `blocking-strict`: the client was closed before

In the modes `batch` and `blocking` nothing of this reaches a caller that records; it is counted and logged.
"""

from __future__ import annotations

from typing import ClassVar


class AuditError(Exception):
    """Base of every error that the SDK raises on purpose.

    Attributes:
        code: Stable machine-readable name.
        hint: What to do next.
    """

    code: ClassVar[str] = "audit"
    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint


class SettingsError(AuditError):
    """A setting is unknown, missing or contradictory."""

    code = "settings"
    hint = "Settings are arguments of AuditClient, or AUDITSTREAM_SDK_<NAME> in the environment."


class NotAcknowledgedError(AuditError):
    """The event was not acknowledged within the deadline.

    Attributes:
        event_id: Id of the event. It stays in the spool and is sent when the gateway answers, unless it was
            refused or dropped: then the message says so.
    """

    code = "not_acknowledged"
    hint = "Do not go on with what the event tells of; record it again once the gateway answers."

    def __init__(self, message: str, *, event_id: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.event_id = event_id


class RefusedError(NotAcknowledgedError):
    """The gateway refused the event for what is in it.

    Attributes:
        reason: The gateway's code of the refusal.
    """

    code = "refused"
    hint = "Correct the field that the message names; the same event is refused again."

    def __init__(self, message: str, *, event_id: str = "", reason: str = "") -> None:
        super().__init__(message, event_id=event_id)
        self.reason = reason


class ClosedError(AuditError):
    """The client was closed."""

    code = "closed"
    hint = "Record before close(), or make another client."
