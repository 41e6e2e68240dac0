"""A rule, as it runs: what it looks at, what it compares, and what a finding of it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from auditstream.detection.rules.expressions import Compiled
from auditstream.detection.rules.fields import Field, LogSource

SEVERITIES: Mapping[str, int] = MappingProxyType(
    {"informational": 1, "low": 2, "medium": 3, "high": 4, "critical": 5}
)
"""OCSF severity by Sigma's level."""

Kind = Literal["event_count", "value_count", "value_sum", "temporal_ordered"]
"""How a correlation looks at the events of a key: how many there are, how many values of a field, the sum of
a field, or whether one rule's events follow another's."""


@dataclass(frozen=True, slots=True)
class About:
    """What a rule says of itself.

    Attributes:
        name: Its slug, as `tool.destructive_burst`: the `rule_id` of its findings.
        title: What was found, in words.
        severity: OCSF severity.
        attacks: ATLAS and OWASP ids, and tags of ATT&CK.
        version: Hash of what it says: another rule gives another one.
        scope: Column whose value says what a finding is about; empty for the tenant as a whole.
        file: File that it is from.
    """

    name: str
    title: str
    severity: int
    attacks: tuple[str, ...]
    version: str
    scope: str
    file: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about single events.

    Attributes:
        about: What it says of itself.
        source: Which events it is asked about.
        condition: What it compares.
        reports: Whether its matches are findings; those that only a correlation counts are not.
    """

    about: About
    source: LogSource
    condition: Compiled
    reports: bool = True


@dataclass(frozen=True, slots=True)
class Correlation:
    """A rule about several events of one key within a span of event time.

    Attributes:
        about: What it says of itself.
        kind: How it looks at them.
        rules: Names of the rules whose matches it looks at; in order, for `temporal_ordered`.
        keys: Columns that tell keys apart, beside the tenant; an event without one of them belongs to none.
        span_us: Length of the span in microseconds.
        least: From which count, number of values or sum on it matches.
        value: Field that is counted or summed; None where events are.
    """

    about: About
    kind: Kind
    rules: tuple[str, ...]
    keys: tuple[Field, ...]
    span_us: int
    least: float
    value: Field | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules that are on.

    Attributes:
        rules: Rules about single events, by name.
        correlations: Rules about several.
    """

    rules: Mapping[str, Rule] = field(default_factory=dict)
    correlations: tuple[Correlation, ...] = ()

    def abouts(self) -> list[About]:
        """Return what each rule that can give a finding says of itself, by name."""
        singles = [each.about for each in self.rules.values() if each.reports]
        return sorted([*singles, *(each.about for each in self.correlations)], key=lambda each: each.name)
