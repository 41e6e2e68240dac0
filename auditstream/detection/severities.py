"""Severities of findings: OCSF's scale, the only one of the product."""

from __future__ import annotations

from enum import IntEnum


class Severity(IntEnum):
    """`severity_id` of OCSF, https://schema.ocsf.io/classes/detection_finding."""

    UNKNOWN = 0
    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5
    FATAL = 6

    @property
    def word(self) -> str:
        """Its name as OCSF writes it, as `High`."""
        return self.name.capitalize()
