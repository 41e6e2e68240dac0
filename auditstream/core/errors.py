"""The error taxonomy: one class a disposition, so that a caller can tell what to do from the type alone.

AuditStreamError
|- ConfigError              fix the settings; never retried           (exit 78)
|- RetryableError           back off and try again                    (exit 6)
|   |- StoreBusyError       the store refuses for now
|   |- StoreTimeoutError    the store may or may not have applied the request
|   `- RegistryDownError    the schema registry cannot be reached
|- RejectError              one record cannot be recorded as an event: dead letter
|   |- DecodeError          bytes that are not a datum of their schema
|   |- SchemaError          unknown or unreadable writer schema
|   `- ContractError        a datum that breaks a rule of the event contract
|- FatalError               stop the worker, commit nothing           (exit 1)
|   |- InvariantError       plan, log and store disagree in a way the protocol cannot produce
|   |- OffsetGapError       the log lost a range that was never recorded
|   |- StoreSchemaError     the store's tables are not the ones this version writes
|   `- LeaseExpiredError    the store refused an insert because its lease had run out
|- VerificationError        evidence does not hold                    (exit 3)
|- PartialResultError       what was printed is not the whole answer  (exit 7)
`- RequestError             the caller's request is wrong             (exit 2)
    |- NotFoundError                                                  (exit 4)
    `- NotAllowedError                                                (exit 5)
"""

from __future__ import annotations

from typing import ClassVar


class AuditStreamError(Exception):
    """Base of every error the product raises on purpose.

    Attributes:
        code: Stable machine-readable name, also the anchor on the errors page.
        exit_code: What the command line ends with when this error reaches it.
        hint: One line that says what to do next; may be refined per instance.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.context = context
        if hint is not None:
            self.hint = hint


class ConfigError(AuditStreamError):
    """A setting is missing, unknown or contradictory."""

    code = "config"
    exit_code = 78
    hint = "Run `auditstream config check` to see every setting and where it came from."


class RetryableError(AuditStreamError):
    """The same request may succeed later; keep the plan, back off, try again.

    Attributes:
        retry_after_s: Seconds the other side asked for, or None.
    """

    code = "retryable"
    exit_code = 6
    hint = "Run `auditstream doctor` to see which service does not answer."

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, hint: str | None = None, **context: object
    ) -> None:
        super().__init__(message, hint=hint, **context)
        self.retry_after_s = retry_after_s


class StoreBusyError(RetryableError):
    """The store answered that it cannot take the request now; nothing was applied."""

    code = "store_busy"


class StoreTimeoutError(RetryableError):
    """No answer from the store: the request may have been applied."""

    code = "store_timeout"


class RegistryDownError(RetryableError):
    """The schema registry cannot be reached, or answers 5xx."""

    code = "registry_down"


class RejectError(AuditStreamError):
    """One record cannot be recorded as an event; it becomes a dead letter with its bytes.

    Attributes:
        reason: Stable word for the dead letter's reason column and header.
    """

    code = "reject"
    reason: str = "rejected"

    def __init__(
        self, message: str, *, reason: str | None = None, hint: str | None = None, **context: object
    ) -> None:
        super().__init__(message, hint=hint, **context)
        if reason is not None:
            self.reason = reason


class DecodeError(RejectError):
    """The bytes are not exactly one datum of their writer schema."""

    code = "decode"
    reason = "undecodable"


class SchemaError(RejectError):
    """The writer schema is unknown, unreadable, or not an AuditEvent."""

    code = "schema"
    reason = "unknown_schema"


class ContractError(RejectError):
    """The datum decodes but breaks a rule of the event contract."""

    code = "contract"
    reason = "contract"


class FatalError(AuditStreamError):
    """Going on could lose or double events: stop, commit nothing, let an operator look."""

    code = "fatal"


class InvariantError(FatalError):
    """Plan, log and store disagree in a way that the protocol cannot produce."""

    code = "invariant"
    hint = "Nothing was written. Run `auditstream doctor` with the worker stopped."


class OffsetGapError(FatalError):
    """Kafka no longer has a range of offsets that was never recorded."""

    code = "offset_gap"
    hint = (
        "Lengthen the topic's retention. AUDITSTREAM_WORKER__LOST_OFFSETS=record writes the range into the"
        " log as one gap leaf, which is signed like any other, and goes on after it; its events stay lost."
    )


class StoreSchemaError(FatalError):
    """The store's tables are not the ones that this version writes."""

    code = "store_schema"
    hint = "Run `auditstream migrate status`, then `auditstream migrate apply`."


class LeaseExpiredError(FatalError):
    """The store refused an insert because its lease had run out; renew the lease and send again."""

    code = "lease_expired"


class VerificationError(AuditStreamError):
    """Evidence does not hold."""

    code = "verification"
    exit_code = 3


class PartialResultError(AuditStreamError):
    """An answer broke off after part of it had been printed."""

    code = "partial"
    exit_code = 7


class RequestError(AuditStreamError):
    """The caller's request is wrong."""

    code = "request"
    exit_code = 2


class NotFoundError(RequestError):
    """What was asked for does not exist."""

    code = "not_found"
    exit_code = 4


class NotAllowedError(RequestError):
    """The caller may not do this."""

    code = "not_allowed"
    exit_code = 5
