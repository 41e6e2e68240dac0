"""What one of a thing costs: a conversation, an agent's run, a feature's use."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from auditstream.costing.exact import minus, percent, quotient, times


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCosts:
    """The costs of the units of a group, in one currency.

    Attributes:
        key: Values of the dimensions of the group.
        currency: ISO 4217 code; empty where nothing has a cost.
        units: Units that happened, whatever they cost.
        unpriced_units: Those with a call without a price: their cost is more than is known.
        costing_units: Those with a cost in the currency.
        resolved: Those that ended well; None where units do not end.
        calls: Model calls of the group.
        cost: Effective cost of the group, what belongs to no unit included.
        unit_cost: What of it belongs to units.
        p50: Cost that half of the costing units do not pass.
        p95: Likewise 95 of 100.
        largest: Cost of the most expensive unit.
    """

    key: tuple[str, ...]
    currency: str
    units: int
    unpriced_units: int
    costing_units: int
    resolved: int | None
    calls: int
    cost: Decimal
    unit_cost: Decimal
    p50: Decimal | None
    p95: Decimal | None
    largest: Decimal | None

    @property
    def per_unit(self) -> Decimal | None:
        """Mean cost of a costing unit, to 12 decimals."""
        return quotient(self.unit_cost, Decimal(self.costing_units))

    @property
    def per_resolved(self) -> Decimal | None:
        """Cost of all units for each that ended well: failures are paid, too."""
        return None if self.resolved is None else quotient(self.unit_cost, Decimal(self.resolved))

    @property
    def per_call(self) -> Decimal | None:
        """Cost of the group for each model call."""
        return quotient(self.cost, Decimal(self.calls))


@dataclass(frozen=True, slots=True)
class Growth:
    """From a pilot to production, in one currency.

    Cost grew by the product of the two factors; each is rounded for itself.

    Attributes:
        pilot: Costs of the pilot.
        production: Costs of production.
    """

    pilot: UnitCosts
    production: UnitCosts

    @property
    def volume(self) -> Decimal | None:
        """How many times as many units cost something."""
        return quotient(Decimal(self.production.costing_units), Decimal(self.pilot.costing_units), _FACTOR)

    @property
    def unit_price(self) -> Decimal | None:
        """How many times as much a unit costs."""
        one, other = self.production, self.pilot
        costs = times(one.unit_cost, Decimal(other.costing_units))
        return quotient(costs, times(other.unit_cost, Decimal(one.costing_units)), _FACTOR)

    @property
    def multiple(self) -> Decimal | None:
        """How many times as much all units cost."""
        return quotient(self.production.unit_cost, self.pilot.unit_cost, _FACTOR)

    @property
    def change_pct(self) -> Decimal | None:
        """Change of a unit's cost, in per cent."""
        mean, before = self.production.per_unit, self.pilot.per_unit
        return None if mean is None or before is None else percent(minus(mean, before), before)


_FACTOR = Decimal("0.0001")
