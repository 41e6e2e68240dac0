"""Shared costs spread to tenants by rules: exact, repeatable, and with what could not be spread named.

An amount is spread in steps of its scale by the method of the largest remainder (Hamilton): each tenant gets
the whole steps of its share, and what is left goes, a step each, to the largest remainders, the first by name
among equal ones. So parts always add up to the amount, and the same inputs give the same parts.
Source of the method: Balinski and Young, Fair Representation (1982), on Hamilton's apportionment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from math import lcm
from typing import Literal

from auditstream.costing.exact import DECIMALS, ZERO, minus, of_steps, total

Method = Literal["tokens", "requests", "time", "fixed", "even", "own"]

NO_RULE, NO_WEIGHTS = "no rule covers it", "nobody used anything that it could be spread by"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which costs are spread, and how; see `reference.allocations.AllocationRule`.

    Attributes:
        id: Its id.
        tenant: Tenant that the costs are booked to.
        category: Category of the costs; empty for any.
        service: Service of the costs, `*` for any run of characters; empty for any.
        part: What the costs count as; empty for their category.
        method: What the shares follow; `own` leaves a cost where it is booked.
        shares: Weights of a fixed method, by tenant.
        tenants: Who pays; empty for everybody who used something.
        priority: The lowest counts.
    """

    id: str
    tenant: str
    method: Method
    category: str = ""
    service: str = ""
    part: str = ""
    shares: Mapping[str, Decimal] = field(default_factory=dict)
    tenants: Sequence[str] = ()
    priority: int = 100

    def covers(self, charge: Charge) -> bool:
        """Return whether it is about a charge."""
        return (
            (self.method == "own" or charge.tenant == self.tenant)
            and self.category in {"", charge.category}
            and (not self.service or fnmatchcase(charge.service.lower(), self.service.lower()))
        )


@dataclass(frozen=True, slots=True)
class Charge:
    """An operational cost.

    Attributes:
        tenant: Tenant that it is booked to.
        category: Its category word.
        service: Name of the service; may be empty.
        currency: ISO 4217 code.
        day: Day of its period's start (UTC).
        amount: Effective cost.
    """

    tenant: str
    category: str
    service: str
    currency: str
    day: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Weights:
    """What tenants used in the period that costs are spread over.

    Attributes:
        tokens: Tokens read and written, by tenant.
        requests: Model calls.
        time: Time that they took, in microseconds.
    """

    tokens: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)
    time: Mapping[str, int] = field(default_factory=dict)

    @property
    def tenants(self) -> set[str]:
        """Everybody who used something."""
        return {*self.tokens, *self.requests, *self.time}


@dataclass(frozen=True, slots=True)
class Share:
    """What a tenant pays of a charge.

    Attributes:
        tenant: Who.
        part: Part of the wrapper.
        currency: ISO 4217 code.
        amount: How much.
        rule: Id of the rule that spread it; empty for a tenant's own cost.
    """

    tenant: str
    part: str
    currency: str
    amount: Decimal
    rule: str


@dataclass(frozen=True, slots=True)
class Residual:
    """A charge that nobody pays.

    Attributes:
        charge: The charge.
        part: Part of the wrapper.
        rule: Id of the rule that could not spread it; empty where there is none.
        reason: Why.
    """

    charge: Charge
    part: str
    rule: str
    reason: str


def allocated(
    charges: Iterable[Charge],
    rules_on: Callable[[date], Sequence[Rule]],
    weights: Weights,
    *,
    nobody: str,
) -> tuple[list[Share], list[Residual]]:
    """Return who pays what, and what nobody does; amounts add up to those of the charges.

    Args:
        charges: Operational costs of one period.
        rules_on: Rules that hold on a day.
        weights: What tenants used in the period.
        nobody: Tenant of what nobody owns: it pays nothing.
    """
    shares: list[Share] = []
    left: list[Residual] = []
    for charge in charges:
        rule = _rule_of(charge, rules_on(charge.day))
        part = (rule.part if rule is not None else "") or charge.category
        if rule is None or rule.method == "own":
            if charge.tenant == nobody:
                left.append(Residual(charge, part, "" if rule is None else rule.id, NO_RULE))
            else:
                shares.append(Share(charge.tenant, part, charge.currency, charge.amount, ""))
            continue
        by_tenant = _weights_of(rule, weights, nobody)
        if not any(by_tenant.values()):
            left.append(Residual(charge, part, rule.id, NO_WEIGHTS))
            continue
        parts = spread(charge.amount, by_tenant)
        shares += [Share(who, part, charge.currency, amount, rule.id) for who, amount in parts.items()]
    return shares, left


def spread(amount: Decimal, weights: Mapping[str, Decimal], decimals: int = DECIMALS) -> dict[str, Decimal]:
    """Return the parts of an amount by weights, which are not negative and not all 0; they add up to it.

    Args:
        amount: What is spread; digits beyond the decimals go to the largest share.
        weights: By name.
        decimals: Decimals of a part.
    """
    ratios = {name: weight.as_integer_ratio() for name, weight in weights.items() if weight}
    common = lcm(*(bottom for _, bottom in ratios.values()))
    whole = {name: top * (common // bottom) for name, (top, bottom) in ratios.items()}
    top, bottom = amount.as_integer_ratio()
    steps, below = divmod(abs(top) * 10**decimals, bottom)
    everything = sum(whole.values())
    parts, remainders = {}, {}
    for name, weight in whole.items():
        parts[name], remainders[name] = divmod(steps * weight, everything)
    ordered = sorted(parts, key=lambda name: (-remainders[name], name))
    for name in ordered[: steps - sum(parts.values())]:
        parts[name] += 1
    sign = -1 if amount < 0 else 1
    found = {name: of_steps(sign * count, decimals) for name, count in sorted(parts.items())}
    if below:
        largest = min(whole, key=lambda name: (-whole[name], name))
        found[largest] = total((found[largest], minus(amount, of_steps(sign * steps, decimals))))
    return found


def _rule_of(charge: Charge, rules: Sequence[Rule]) -> Rule | None:
    covering = [rule for rule in rules if rule.covers(charge)]
    return min(covering, key=lambda rule: (rule.priority, rule.id), default=None)


def _weights_of(rule: Rule, weights: Weights, nobody: str) -> dict[str, Decimal]:
    if rule.method == "fixed":
        return dict(rule.shares)
    if rule.method == "even":
        found = dict.fromkeys(rule.tenants or weights.tenants, Decimal(1))
    else:
        used: Mapping[str, int] = getattr(weights, rule.method)
        found = {name: Decimal(used.get(name, 0)) for name in (rule.tenants or used)}
    return {name: max(weight, ZERO) for name, weight in found.items() if name != nobody}
