"""Our subjects: which schema each topic's values have, and how it may change.

Subject names follow the registry's default, TopicNameStrategy: `<topic>-value`.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.compatibility import Level
from schemas.packaged import SchemaName


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of the registry.

    Attributes:
        name: Subject name.
        schema: Packaged schema of the values.
        level: Compatibility level that the registry enforces. FULL_TRANSITIVE on ingest, where old producers
            and old consumers both live for months and replays read all history; BACKWARD_TRANSITIVE on topics
            that only this product writes.
    """

    name: str
    schema: SchemaName
    level: Level


def subject_name(topic: str) -> str:
    """Return the subject of a topic's values."""
    return f"{topic}-value"


EVENTS = Subject(subject_name("audit.events.v1"), "audit_event", "FULL_TRANSITIVE")
USAGE = Subject(subject_name("audit.usage.v1"), "usage_delta", "BACKWARD_TRANSITIVE")
FINDINGS = Subject(subject_name("audit.findings.v1"), "finding", "BACKWARD_TRANSITIVE")
SIGNALS = Subject(subject_name("audit.signals.v1"), "signal", "BACKWARD_TRANSITIVE")

SUBJECTS = (EVENTS, USAGE, FINDINGS, SIGNALS)
"""All of them."""


def ingest_subject(topic: str) -> Subject:
    """Return the subject of another ingest topic, as `audit.direct.acme.v1`: the same contract."""
    return Subject(subject_name(topic), EVENTS.schema, EVENTS.level)
