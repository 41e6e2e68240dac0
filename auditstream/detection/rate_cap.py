"""How often a tenant is called: ten times an hour, and then once more with the sum of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST = 10
"""Calls an hour and tenant: one every six minutes is what a person can still look into."""

HOUR = 60
"""Minutes over which calls are counted."""


@dataclass(slots=True)
class Held:
    """Findings of a tenant that nobody was called for since a minute.

    Attributes:
        since: When the first was held back, in minutes since 1970.
        findings: Rule and severity of each by its id, in the order in which they came.
    """

    since: int
    findings: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def severity(self) -> int:
        """The highest of their severities."""
        return max((severity for _, severity in self.findings.values()), default=0)


class RateCap:
    """Counts calls by tenant in a sliding hour; pure, time comes in.

    Critical findings have a count of their own, so that no number of lesser ones hides them.
    """

    def __init__(self) -> None:
        self._calls: dict[tuple[str, bool], list[int]] = {}
        self._held: dict[str, Held] = {}

    def admits(self, tenant_id: str, minute: int, *, critical: bool = False) -> bool:
        """Count a call and return True, or return False when the hour is full."""
        key = tenant_id, critical
        calls = [each for each in self._calls.get(key, ()) if each > minute - HOUR]
        admitted = len(calls) < MOST
        if admitted:
            calls.append(minute)
        self._calls[key] = calls
        return admitted

    def hold(self, tenant_id: str, finding_id: str, rule_id: str, severity: int, minute: int) -> None:
        """Keep a finding for the tenant's digest; the same one again counts with its severity now."""
        self._held.setdefault(tenant_id, Held(minute)).findings[finding_id] = rule_id, severity

    def holds(self, tenant_id: str, finding_id: str, severity: int) -> bool:
        """Return whether a finding of at least a severity waits for the tenant's digest."""
        held = self._held.get(tenant_id)
        return held is not None and held.findings.get(finding_id, ("", -1))[1] >= severity

    def release(self, tenant_id: str, finding_id: str) -> None:
        """Take a finding out of the tenant's digest: somebody was called for it after all."""
        held = self._held.get(tenant_id)
        if held is not None and finding_id in held.findings:
            del held.findings[finding_id]
            if not held.findings:
                del self._held[tenant_id]

    def digests(self, minute: int) -> list[tuple[str, Held]]:
        """Return what was held back for an hour, by tenant, and begin anew for those."""
        due = sorted(tenant for tenant, held in self._held.items() if minute - held.since >= HOUR)
        found = [(tenant, self._held.pop(tenant)) for tenant in due]
        for key in [key for key, calls in self._calls.items() if not calls or calls[-1] <= minute - HOUR]:
            del self._calls[key]
        return found

    def state(self) -> dict[str, Any]:
        """Return what is remembered, as plain data."""
        return {
            "calls": [[tenant, critical, calls] for (tenant, critical), calls in sorted(self._calls.items())],
            "held": [
                [tenant, held.since, [[id_, *kept] for id_, kept in held.findings.items()]]
                for tenant, held in sorted(self._held.items())
            ],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self._calls = {(tenant, bool(critical)): list(calls) for tenant, critical, calls in state["calls"]}
        self._held = {
            tenant: Held(since, {id_: (rule, severity) for id_, rule, severity in findings})
            for tenant, since, findings in state["held"]
        }
