"""What a rule about sequences saw: all that a finding says, but for the segment that it was seen in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditstream.core.clock import EPOCH
from auditstream.detection.severities import Severity

_SAMPLES = 5
"""event_ids that a finding names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One thing that a rule saw.

    Attributes:
        rule: Slug of the rule.
        tenant: Tenant that it is about.
        scope: What it is about within the tenant.
        metric: What was counted.
        title: One line for people.
        severity: How bad it is.
        anchor: What tells it from others of the same rule, scope and metric: it is told once under this.
        first_us: Time of the first event that belongs to it, in microseconds.
        last_us: Time of the last one.
        observed: What was counted.
        expected: What would have been fine.
        events: event_ids that support it.
        attacks: ATLAS and OWASP ids.
    """

    rule: str
    tenant: str
    scope: str
    metric: str
    title: str
    severity: Severity
    anchor: str
    first_us: int
    last_us: int
    observed: float
    expected: float
    events: tuple[str, ...]
    attacks: tuple[str, ...] = ()

    @property
    def window(self) -> tuple[datetime, datetime]:
        """When it happened: first moment, and first moment after."""
        return EPOCH + timedelta(microseconds=self.first_us), EPOCH + timedelta(microseconds=self.last_us + 1)


def samples(event_ids: Iterable[bytes]) -> tuple[str, ...]:
    """Return the first few ids as text, from 16 bytes as printed."""
    return tuple(str(uuid.UUID(bytes=each)) for each, _ in zip(event_ids, range(_SAMPLES), strict=False))


def named(**names: str) -> str:
    """Return a scope: `agent=a conversation=c`, without what has no name."""
    return " ".join(f"{name}={value[:_LONGEST]}" for name, value in names.items() if value)


_LONGEST = 256
"""Characters of a name; what is longer is cut, for it is nobody's name."""
