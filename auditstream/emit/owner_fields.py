"""The fields of the envelope that say whose rule an event tells of."""

from __future__ import annotations

from collections.abc import Mapping

_NAMES = ("project_id", "team_id", "feature_id", "cost_center", "environment", "credential_id")


def owner_fields(scope: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of an event that a rule's scope states."""
    return {name: scope[name] for name in _NAMES if name in scope}
