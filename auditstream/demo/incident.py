"""Incidents that are planted into traffic, and which findings are theirs.

A finding *finds* an incident when one of the rules of its kind names what the incident is about. It is
*explained* by one when it is about the same thing, by whatever rule: a loop costs money too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from auditstream.core.tenants import UNATTRIBUTED

IncidentKind = Literal[
    "stolen_key",
    "agent_loop",
    "guardrail_storm",
    "silent_model_swap",
    "spend_spike",
    "unregistered_mcp_server",
    "slow_burn",
    "unregistered_key",
    "unpriced_model",
]
"""Incidents; the last two are not attacks, but traffic that somebody has to see to."""

FOUND_BY: Mapping[IncidentKind, frozenset[str]] = MappingProxyType(
    {
        "stolen_key": frozenset(
            {
                "credential.many_countries", "credential.many_networks", "spend.surge", "cost.unit_drift",
                "error.burst", "guardrail.deny_burst", "entity.first_seen",
            }
        ),
        "agent_loop": frozenset({"agent.loop"}),
        "guardrail_storm": frozenset({"guardrail.deny_burst", "guardrail.denied_repeatedly"}),
        "silent_model_swap": frozenset({"model.silent_swap"}),
        "spend_spike": frozenset({"spend.surge", "cost.unit_drift"}),
        "unregistered_mcp_server": frozenset({"discovery.unregistered"}),
        "slow_burn": frozenset({"slo.burn", "spend.creep"}),
        "unregistered_key": frozenset({"discovery.unregistered"}),
        "unpriced_model": frozenset({"cost.unpriced"}),
    }
)  # fmt: skip
"""Rules that find each kind: those that say what it is, not merely that something is odd."""

AFTER = timedelta(minutes=60)
"""How long after its end an incident still explains a finding: sums of the last quarter of an hour have it
in them, and an episode is warm for an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident.

    Attributes:
        kind: What it is.
        tenant: Whose it is.
        start: When it begins.
        end: When it is over.
        names: Scopes that findings which find it have at least one of, as `credential=k`.
        touches: Further scopes that it moves, as the project whose credential was stolen; empty text stands
            for the tenant as a whole.
        shape: Which form of its kind it has, for people.
        is_due: Whether the rules of its kind must tell of it: a budget that lasts is nobody's incident.
    """

    kind: IncidentKind
    tenant: str
    start: datetime
    end: datetime
    names: frozenset[str]
    touches: frozenset[str] = frozenset()
    shape: str = ""
    is_due: bool = True

    def finds(self, told: Told) -> bool:
        """Return whether a finding says that this happens."""
        return (
            told.rule in FOUND_BY[self.kind]
            and told.tenant == self.tenant
            and bool(self.names & told.parts)
            and self.start <= told.known <= self.end + AFTER
        )

    def explains(self, told: Told) -> bool:
        """Return whether a finding is about what this moves."""
        if not self.start <= told.known <= self.end + AFTER:
            return False
        # What is of several tenants at once is told of nobody's.
        is_theirs = told.tenant in {self.tenant, UNATTRIBUTED}
        return is_theirs and bool((self.names | self.touches) & told.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding as it was first told.

    Attributes:
        finding_id: Its id; of an episode, the episode's.
        rule: What found it.
        tenant: Whose it is.
        scope: What it is about within the tenant.
        known: End of the window that it was first told of: when it was known, in event time.
        suppressed_by: Why nobody was called; empty when somebody was.
    """

    finding_id: str
    rule: str
    tenant: str
    scope: str
    known: datetime
    suppressed_by: str = ""

    @property
    def parts(self) -> frozenset[str]:
        """What the scope names: all of it, its words, and the rule that a budget's begins with."""
        return frozenset({self.scope, *self.scope.split(" "), self.scope.partition("/")[0]})

    @property
    def is_child(self) -> bool:
        """Whether another finding stands for it."""
        return self.suppressed_by.startswith("parent:")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one incident.

    Attributes:
        incident: The incident.
        finding: The first finding that finds it; None when none does.
    """

    incident: Incident
    finding: Told | None

    @property
    def delay(self) -> timedelta | None:
        """How long after its beginning it was found, in event time."""
        return None if self.finding is None else self.finding.known - self.incident.start


@dataclass(frozen=True, slots=True)
class Reckoning:
    """Findings held against incidents.

    Attributes:
        outcomes: One an incident.
        unexplained: By hour of event time, findings that no incident explains and no other stands for.
    """

    outcomes: Sequence[Outcome]
    unexplained: Mapping[datetime, Sequence[Told]] = field(default_factory=dict)

    @property
    def missed(self) -> list[Incident]:
        """Incidents that nothing found, of those that are due."""
        return [each.incident for each in self.outcomes if each.finding is None and each.incident.is_due]

    @property
    def most_unexplained(self) -> int:
        """How many unexplained findings the hour with most of them has."""
        return max(map(len, self.unexplained.values()), default=0)


def reckon(incidents: Iterable[Incident], told: Iterable[Told]) -> Reckoning:
    """Hold findings against incidents.

    Args:
        incidents: What was planted.
        told: What was found, each finding once.
    """
    incidents = list(incidents)
    told = sorted(told, key=lambda each: (each.known, each.finding_id))
    outcomes = [
        Outcome(incident, next((each for each in told if incident.finds(each)), None))
        for incident in incidents
    ]
    unexplained: dict[datetime, list[Told]] = {}
    for each in told:
        if not each.is_child and not any(incident.explains(each) for incident in incidents):
            hour = each.known.replace(minute=0, second=0, microsecond=0)
            unexplained.setdefault(hour, []).append(each)
    return Reckoning(outcomes, unexplained)
