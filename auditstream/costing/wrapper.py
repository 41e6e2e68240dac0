"""The wrapper: what is paid around inference, part by part, by tenant, and how many times inference it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from auditstream.costing.allocation import Share
from auditstream.costing.categories import AVAILABILITY, INFERENCE
from auditstream.costing.exact import PERCENT, ZERO, quotient, total


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the wrapper.

    Attributes:
        name: Category word.
        own: What is booked to the tenant itself.
        allocated: What it pays of shared costs.
    """

    name: str
    own: Decimal = ZERO
    allocated: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        """Both."""
        return total((self.own, self.allocated))


@dataclass(frozen=True, slots=True)
class Statement:
    """What a tenant paid in one currency.

    Attributes:
        tenant: Tenant.
        currency: ISO 4217 code.
        inference: Model calls, and bills for calls that no event tells of.
        parts: Everything else: availability first, then the most expensive first.
    """

    tenant: str
    currency: str
    inference: Part
    parts: Sequence[Part]

    @property
    def wrapper(self) -> Decimal:
        """Sum of everything else."""
        return total(part.amount for part in self.parts)

    @property
    def amount(self) -> Decimal:
        """Sum of all."""
        return total((self.inference.amount, self.wrapper))

    @property
    def multiple(self) -> Decimal | None:
        """How many times inference everything else is, to two decimals; None without inference."""
        return quotient(self.wrapper, self.inference.amount, PERCENT)


def statements_of(shares: Iterable[Share]) -> list[Statement]:
    """Return a statement a tenant and currency, by name; the parts that are availability are always there.

    Args:
        shares: What tenants pay; the part of model calls is `inference`, own costs have no rule.
    """
    own: dict[tuple[str, str], dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
    spread: dict[tuple[str, str], dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
    for share in shares:
        side = spread if share.rule else own
        side[share.tenant, share.currency][share.part].append(share.amount)
    return [_statement(key, own[key], spread[key]) for key in sorted({*own, *spread})]


def _statement(
    key: tuple[str, str], own: dict[str, list[Decimal]], spread: dict[str, list[Decimal]]
) -> Statement:
    parts = {
        name: Part(name, total(own.get(name, ())), total(spread.get(name, ())))
        for name in {INFERENCE, *AVAILABILITY, *own, *spread}
    }
    inference = parts.pop(INFERENCE)
    ordered = sorted(
        parts.values(), key=lambda part: (part.name not in AVAILABILITY, -part.amount, part.name)
    )
    return Statement(*key, inference, ordered)
