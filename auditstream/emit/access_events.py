"""The events about the record's own use: queries and exports (`ai.data_access`), sign-ins (`ai.auth`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditstream.emit.announcements import CONFIG_CHANGE, Said, announcement

DATA_ACCESS = "ai.data_access"
AUTH = "ai.auth"
SPOOL_REPORT = "ai.source.heartbeat"

_LONGEST = 256
"""Characters of what somebody else chose: a name, a purpose; what is longer is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One query or export.

    Attributes:
        query_hmac: Keyed HMAC of the query's text.
        command: What was called, as `search`.
        tables: Tables that it reads, as far as known.
        rows: Rows that left; known only at the end of an export.
        bytes: Bytes that left, likewise.
        purpose: What the reader said it is for.
        destination: Where an export goes.
        details: More, by name.
    """

    query_hmac: str
    command: str
    tables: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    purpose: str = ""
    destination: str = ""
    details: tuple[tuple[str, str], ...] = ()


def access_event(said: Said, access: Access, **fields: Any) -> dict[str, Any]:
    """Return the event of a query or export.

    Args:
        said: Who, when, and whether it was allowed.
        access: What.
        fields: Further fields of the event, as `credential_id`.
    """
    return announcement(
        DATA_ACCESS,
        said,
        data_access={
            "query_hmac": access.query_hmac,
            "tables": list(access.tables),
            "rows": access.rows,
            "bytes": access.bytes,
            "purpose": short(access.purpose) or None,
            "destination": short(access.destination) or None,
        },
        attributes=_texts({"command": access.command, **dict(access.details)}),
        **fields,
    )


def sign_in_event(said: Said, *, user: str, **fields: Any) -> dict[str, Any]:
    """Return the event of a sign-in, or of one that was refused.

    Args:
        said: Who says to be whom, when, and whether it was believed.
        user: Name that was given.
        fields: Further fields of the event, as `src_ip`.
    """
    return announcement(AUTH, said, access={"subject_id": short(user), "activity": "logon"}, **fields)


def statement_event(said: Said, *, verb: str, target: str, query_hmac: str, **fields: Any) -> dict[str, Any]:
    """Return the event of a statement that changes the store past the product's own commands.

    Args:
        said: Who, when, and whether it was allowed.
        verb: What it does, as `ALTER`.
        target: What it is done to, as far as known.
        query_hmac: Keyed HMAC of the statement's text.
        fields: Further fields of the event.
    """
    return announcement(
        CONFIG_CHANGE,
        said,
        change={"object_type": "store statement", "object_id": short(f"{verb} {target}".strip())},
        attributes={"query_hmac": query_hmac},
        **fields,
    )


def short(text: str) -> str:
    """Return a text that fits into an event."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    return {name: short(value) for name, value in values.items() if value}
