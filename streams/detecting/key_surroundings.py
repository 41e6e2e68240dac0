"""What the episodes of one partition ask about its keys: what they stand for, and what happened beneath."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from auditstream.detection.acquaintances import Acquaintances
from auditstream.detection.money_gate import Stakes
from auditstream.detection.surroundings import Evidence, Subject
from streams.detecting.keys import KeyTable
from streams.detecting.recent_rows import RecentRows
from streams.detecting.shared_traffic import SharedTraffic
from streams.detecting.tenant_money import TenantMoney


class KeySurroundings:
    """Answers what episodes ask about keys.

    Args:
        keys: Their names.
        money: What tenants spend.
        recent: What happened lately.
        known: What credentials do for the first time.
        traffic: What was the same traffic lately.

    Attributes:
        minute: The minute that is judged, since 1970.
    """

    def __init__(
        self,
        keys: KeyTable,
        money: TenantMoney,
        recent: RecentRows,
        known: Acquaintances,
        traffic: SharedTraffic,
    ) -> None:
        self.minute = 0
        self._traffic = traffic
        self._known = known
        self._keys = keys
        self._money = money
        self._recent = recent

    def subject(self, key: int) -> Subject:
        """Return what a key stands for."""
        tenant, scope = self._keys.name(key)
        return Subject(tenant, scope, self._money.currency(tenant))

    def tenants_with(self, scope: str) -> int:
        """Return how many tenants have a key of a scope."""
        return self._keys.tenants_with(scope)

    def alike(self, keys: Collection[int], measure: str) -> Mapping[int, Collection[int]]:
        """Return which of a tenant's keys were nearly the same traffic lately, by key."""
        numbers = {self._keys.name(key): key for key in keys}
        found: dict[int, set[int]] = {}
        for tenant in sorted({tenant for tenant, _ in numbers}):
            scopes = {scope for of, scope in numbers if of == tenant}
            for pair in self._traffic.alike(tenant, scopes, measure):
                one, other = (numbers[tenant, scope] for scope in pair)
                found.setdefault(one, set()).add(other)
                found.setdefault(other, set()).add(one)
        return found

    def stakes(self, tenant_id: str, currency: str) -> Stakes:
        """Return what money in a currency means to a tenant."""
        return self._money.stakes(tenant_id, currency, self.minute)

    def evidence(self, key: int, start: int, end: int) -> Evidence:
        """Return what is known of a key's events between two minutes."""
        tenant, scope = self._keys.name(key)
        evidence = self._recent.evidence(tenant, scope, start, end)
        news = self._known.news(key, self.minute)
        return replace(evidence, contributors={**evidence.contributors, **news}) if news else evidence
