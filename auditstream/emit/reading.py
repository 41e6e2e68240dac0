"""What a format makes of a file: events and refusals, in the order of the lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from auditstream.core.errors import ContractError
from auditstream.emit.source import Source
from schemas.contract import check
from schemas.intake import datum_of


@dataclass(frozen=True, slots=True)
class Options:
    """What a user says about a file's events beyond what the file says.

    Attributes:
        tenant: Tenant of events that do not name one.
        provider: Provider of the model calls of a trace.
        model: Model of the calls of a trace.
        start: Time of a trace's first event; None for the format's own.
    """

    tenant: str = ""
    provider: str = "openai"
    model: str = "gpt-4o"
    start: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event, checked against types and contract.

    Attributes:
        line: Line number, from 1.
        datum: The event as its codec takes it.
    """

    line: int
    datum: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is no event.

    Attributes:
        line: Line number, from 1.
        field: Path of the field, or what else the reason is about.
        reason: What is wrong with it.
    """

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.reason}"


Reading = Accepted | Refused


class Format(Protocol):
    """Reads a file of one format."""

    def __call__(self, source: Source, options: Options) -> Iterator[Reading]:
        """Yield one reading a line that stands for an event.

        Raises:
            RequestError: The file is not of the format at all.
        """
        ...


class BadLineError(Exception):
    """A line that is no event; becomes a `Refused` at the format's border."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def judged(line: int, event: Mapping[str, Any]) -> Reading:
    """Return the event as a datum, or why it may not be recorded."""
    try:
        datum = datum_of(event, "audit_event")
        check(datum)
    except ContractError as error:
        where = str(error.context.get("field") or "event")
        return Refused(line, where, error.message.removeprefix(f"{where}: "))
    return Accepted(line, datum)


def text_of(content: bytes | None) -> str:
    """Return a line's text.

    Raises:
        BadLineError: It is too long to be an event, or not UTF-8.
    """
    if content is None:
        raise BadLineError("line", "is too long for an event")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadLineError("line", f"is not UTF-8 at byte {error.start}") from error
