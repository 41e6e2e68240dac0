"""What went wrong, as a page says it: a title, the reason, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from auditstream.core.errors import (
    AuditStreamError,
    NotAllowedError,
    NotFoundError,
    RequestError,
    RetryableError,
    VerificationError,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error for people.

    Attributes:
        status: Status of the answer.
        title: What kind.
        message: The reason.
        hint: What to do next.
        icon: Name of its icon.
    """

    status: int
    title: str
    message: str
    hint: str
    icon: str


def problem_of(error: AuditStreamError) -> Problem:
    """Return how an error is told."""
    status, title, icon = _told(error)
    message = error.message[:1].upper() + error.message[1:]
    if not message.endswith((".", "?", "!")):
        message += "."
    return Problem(status, title, message, error.hint, icon)


def _told(error: AuditStreamError) -> tuple[int, str, str]:  # noqa: PLR0911  one a class
    match error:
        case NotFoundError():
            return 404, "Not found", "search"
        case NotAllowedError():
            return 403, "Not allowed", "lock"
        case RequestError(code="limit"):
            return 422, "Too much at once", "gauge"
        case RequestError():
            return 400, "This cannot be asked", "circle-alert"
        case RetryableError(code="rate_limited"):
            return 429, "Too many requests", "gauge"
        case RetryableError():
            return 503, "No answer right now", "triangle-alert"
        case VerificationError():
            return 409, "Evidence does not hold", "shield-x"
        case _:
            return 500, "Something is wrong here", "triangle-alert"


BROKEN = Problem(
    500,
    "Something is wrong here",
    "The server met an error that it did not expect; its log has the details.",
    "Try again; tell whoever runs it when it stays.",
    "triangle-alert",
)
"""How an error is told that nobody foresaw."""
