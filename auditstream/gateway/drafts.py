"""Drafts: what a request's body says, event by event, before anybody has judged it.

Every format is a reader that turns a body into drafts; from there on there is one path for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not taken as an event.

    Attributes:
        code: Stable word for machines; `auditstream.gateway.problems` has all of them.
        field: Path of the field at fault, as `costs[0].unit`; empty for the event as a whole.
        detail: What is wrong, for a person.
    """

    code: str
    field: str
    detail: str


class Draft(msgspec.Struct, frozen=True):
    """One event of a request before it is judged; or the refusal of what is no event.

    Attributes:
        index: Its place in the request, from 0.
        event: Field names to values, as `schemas.intake.datum_of` takes them; None beside a refusal.
        refusal: Why it is no event.
        is_datum: Whether `event` is already what `datum_of` would return, and keeps the contract.
    """

    index: int
    event: Mapping[str, Any] | None
    refusal: Refusal | None = None
    is_datum: bool = False
