"""Scopes as text: what a signal, an event or a finding is about."""

from __future__ import annotations

from collections.abc import Mapping


def scope_text(kind: str, rule: str, tenant: str, scope: Mapping[str, str]) -> str:
    """Return a scope, as `budget=acme-month/tenant=acme/project_id=search`.

    The rule's id comes first: two rules of one scope must not replace each other on the compacted topic.

    Args:
        kind: What the rule is, as `budget`.
        rule: Id of the rule.
        tenant: The tenant; empty for all.
        scope: Columns and the values that they must have.
    """
    whose = [f"tenant={tenant}"] if tenant else []
    return "/".join([f"{kind}={rule}", *whose, *(f"{name}={value}" for name, value in sorted(scope.items()))])
