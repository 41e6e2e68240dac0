"""What episodes must be told of the world: what a key stands for, what money means, what happened beneath."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from auditstream.detection.money_gate import Stakes

MOST_CONTRIBUTORS = 3
"""Contributors that a finding names."""

MOST_EVENTS = 10
"""Sample events that a finding names: enough to look at, and bounded."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a key stands for.

    Attributes:
        tenant_id: The tenant.
        scope: What it is within the tenant, as `model=gpt-4o`; empty for the tenant as a whole.
        currency: ISO 4217 code of its money; empty without any.
    """

    tenant_id: str
    scope: str
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the events beneath a score.

    Attributes:
        contributors: The largest contributors and their share, 0 to 1, as `{"credential=key-1": 0.9}`.
        events: Some of their ids.
    """

    contributors: Mapping[str, float] = field(default_factory=dict)
    events: tuple[str, ...] = ()


class Surroundings(Protocol):
    """Who drives episodes answers these; nothing of it blocks."""

    def subject(self, key: int) -> Subject:
        """Return what a key stands for."""
        ...

    def tenants_with(self, scope: str) -> int:
        """Return how many tenants have a key of a scope, as `model=gpt-4o`."""
        ...

    def alike(self, keys: Collection[int], measure: str) -> Mapping[int, Collection[int]]:
        """Return which of a tenant's keys were nearly the same traffic lately, by key.

        Args:
            keys: Keys of one tenant.
            measure: What is counted, of `traits.COUNTED`.
        """
        ...

    def stakes(self, tenant_id: str, currency: str) -> Stakes:
        """Return what money in a currency means to a tenant."""
        ...

    def evidence(self, key: int, start: int, end: int) -> Evidence:
        """Return what is known of a key's events between two minutes since 1970."""
        ...
