"""A budget as fields of a form: to and from the document that `auditstream apply` would take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from auditstream.console.ranges import iso
from auditstream.reference.changes import Change
from auditstream.reference.limits import BUDGET_SCOPE, Budget

PERIODS = ("hour", "day", "week", "month", "quarter", "year")
"""Periods of a budget, the shortest first."""

REACTIONS: Mapping[str, str] = {
    "notify": "go on",
    "throttle": "slow down",
    "fallback": "use another model",
    "block": "refuse",
}
"""What gateways are asked to do when the amount is spent, in words."""

_SCOPED = tuple(f"scope_{name}" for name in BUDGET_SCOPE)
_PLAIN = (
    "budget_id", "tenant_id", "period", "amount", "currency", "reaction", "fallback_model", "owner",
    "valid_from", "valid_to",
)  # fmt: skip
FIELDS = (*_PLAIN, "thresholds_pct", "hard", "active", *_SCOPED)
"""Names of a form's fields."""

NAMED = frozenset({*_PLAIN, "thresholds_pct", "scope"})
"""Fields that show what is wrong with them in their own place."""

_LABELS: Mapping[str, str] = {
    "budget_id": "Id",
    "tenant_id": "Tenant",
    "thresholds_pct": "Told of at (%)",
    "fallback_model": "Other model",
    "hard": "Hard",
    "active": "Watched",
    "valid_to": "Until",
    "reaction": "When it is spent",
}


def empty(tenant: str) -> dict[str, str]:
    """Return the fields of a new budget, with what most have."""
    return {
        "tenant_id": tenant,
        "period": "month",
        "currency": "USD",
        "thresholds_pct": "50, 80, 100",
        "reaction": "notify",
    }


def is_ended(budget: Budget, now: datetime) -> bool:
    """Return whether nothing watches a budget any more."""
    return not budget.active or (budget.valid_to is not None and budget.valid_to <= now)


def filled(budget: Budget, now: datetime) -> dict[str, str]:
    """Return the fields of a budget that is known; a change of it holds from now on, or from its start."""
    is_over = budget.valid_to is not None and budget.valid_to <= now
    return {
        "budget_id": budget.budget_id,
        "tenant_id": budget.tenant_id,
        "period": budget.period,
        "amount": _amount(budget.amount),
        "currency": budget.currency,
        "thresholds_pct": ", ".join(map(str, budget.thresholds_pct)),
        "reaction": budget.reaction,
        "fallback_model": budget.fallback_model,
        "owner": budget.owner,
        "hard": "yes" if budget.hard else "",
        "valid_from": iso(budget.valid_from) if budget.valid_from > now else "",
        "valid_to": iso(budget.valid_to) if budget.valid_to and not is_over else "",
        **{f"scope_{name}": value for name, value in budget.scope.items()},
    }


def document(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the document that a form says; what is left empty is left out."""
    said: dict[str, Any] = {name: fields[name] for name in _PLAIN if fields.get(name)}
    thresholds = [each for each in re.split(r"[,;\s%]+", fields.get("thresholds_pct", "")) if each]
    if thresholds:
        said["thresholds_pct"] = thresholds
    said["scope"] = {name: fields[f"scope_{name}"] for name in BUDGET_SCOPE if fields.get(f"scope_{name}")}
    said["hard"] = fields.get("hard") == "yes"
    said["active"] = fields.get("active") != "no"
    return said


def kept(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that the next step needs again."""
    return {name: fields[name] for name in FIELDS if fields.get(name)}


def differences(change: Change, now: datetime) -> Sequence[tuple[str, str, str]]:
    """Return what a change changes: label, before and after, as people read it."""
    is_new = change.before is None
    rows = []
    start = change.before.valid_from if change.before else now
    if start > max(change.after.valid_from, now):
        rows.append(("Holds from", _shown(start), _shown(change.after.valid_from)))
    for name, (before, after) in change.differences().items():
        if is_new and not _shown(after):
            continue
        rows.append((_label(name), "" if is_new else _shown(before), _shown(after)))
    return rows


def in_words(reason: str) -> str:
    """Return a fault as a sentence."""
    return reason[:1].upper() + reason[1:] + ("" if reason.endswith((".", "?", "!")) else ".")


def _label(name: str) -> str:
    return _LABELS.get(name) or name.replace("_", " ").capitalize()


def _shown(value: Any) -> str:  # noqa: PLR0911  one a kind
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return _amount(value)
        case datetime():
            return f"{value:%d %b %Y %H:%M:%S} UTC"
        case Mapping():
            return ", ".join(f"{name} {each}" for name, each in sorted(value.items()))
        case tuple() | list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _amount(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
