"""Models that each credential uses: a new one on an old key is half of the pattern of a stolen key.

Whoever bought a key asks for the most expensive model there is; its owner's service has asked for the same
one or two for weeks. A new model alone is told of by the watch over assets; here it makes a surge of spend
on the same key grave (`detection.escalation`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

OLD_AFTER = 60
"""Minutes in which a credential called before one more model of it is new: as many as detectors of money ask
for before they judge a key."""

_GONE_AFTER = 7 * 24 * 60
"""Minutes after which a credential that does nothing is forgotten, as its row of the detectors is."""

_MOST_MODELS = 64
"""Models of one credential that are told apart: a router's key uses any of them, and none is news."""

_MOST_OF_A_TENANT = 10_000
"""Credentials of a tenant, as many as it has keys in all."""


@dataclass(slots=True)
class _Known:
    active: int = 0
    last: int = 0
    models: set[str] = field(default_factory=set)


class CredentialModels:
    """Models by credential of one partition's tenants; what it says is a function of what it was given."""

    def __init__(self) -> None:
        self._tenants: dict[str, dict[str, _Known]] = {}

    def new(self, used: Iterable[tuple[str, str, str]], minute: int) -> list[tuple[str, str]]:
        """Take in what was called in a minute, and return whose old credential called a new model, in order.

        Args:
            used: Tenant, credential and model, each at most once.
            minute: The minute since 1970; never before that of the call before.
        """
        found = set()
        for tenant, credential, model in used:
            known = self._known(tenant, credential)
            if known is None:
                continue
            if known.last != minute:
                known.active, known.last = known.active + 1, minute
            if model not in known.models and len(known.models) < _MOST_MODELS:
                known.models.add(model)
                if known.active > OLD_AFTER:
                    found.add((tenant, credential))
        return sorted(found)

    def forget_idle(self, minute: int) -> None:
        """Forget the credentials that have done nothing for a week."""
        for tenant, of_tenant in list(self._tenants.items()):
            for name in [name for name, known in of_tenant.items() if minute - known.last >= _GONE_AFTER]:
                del of_tenant[name]
            if not of_tenant:
                del self._tenants[tenant]

    def state(self) -> list[list[Any]]:
        """Return everything that is remembered, as JSON takes it."""
        return [
            [tenant, credential, known.active, known.last, sorted(known.models)]
            for tenant, of_tenant in sorted(self._tenants.items())
            for credential, known in sorted(of_tenant.items())
        ]

    def restore(self, state: Iterable[Iterable[Any]]) -> None:
        """Take over what `state` returned."""
        self._tenants = {}
        for tenant, credential, active, last, models in state:
            self._tenants.setdefault(tenant, {})[credential] = _Known(active, last, set(models))

    def _known(self, tenant: str, credential: str) -> _Known | None:
        of_tenant = self._tenants.setdefault(tenant, {})
        known = of_tenant.get(credential)
        if known is None and len(of_tenant) < _MOST_OF_A_TENANT:
            known = of_tenant[credential] = _Known()
        return known
