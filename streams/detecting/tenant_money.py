"""Money of tenants: the one currency that their spend is watched in, and what their days cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from statistics import median
from typing import Any

import polars as pl

from auditstream.detection.money_gate import UNKNOWN_STAKES, Stakes
from streams.detecting.delta import MONEY

_DAYS = 28
"""Days that are remembered: four of each day of the week."""

_DAY = 24 * 60

_GIVEN_UP = _DAY
"""Minutes without use paid in a tenant's currency after which use in another one makes that its own: a night
is no change of contract, and what is spent meanwhile is not watched."""


class TenantMoney:
    """Currencies and daily spend of one partition's tenants."""

    def __init__(self) -> None:
        self._currency: dict[str, str] = {}
        self._used: dict[str, int] = {}  # minute in which use was last paid in it; none: bills alone were
        self._days: dict[str, dict[int, int]] = {}
        self.foreign = 0

    def currency(self, tenant: str) -> str:
        """Return the currency that a tenant's spend is watched in; empty before it spent anything."""
        return self._currency.get(tenant, "")

    def in_one_currency(self, rows: pl.DataFrame, minute: int) -> pl.DataFrame:
        """Return a minute's rows with the spend in each tenant's currency alone.

        The first currency that a tenant pays use in is its own; of several in that minute, that of the most.
        Until then it is that of its first bill. A tenant that has paid use in another one alone for a day has
        changed over. What it spends in others is left out and counted: adding it up would say nothing.
        """
        spent = rows.filter(pl.col("currency") != "")
        if spent.is_empty():
            return rows
        self._choose(spent, minute)
        known = pl.DataFrame(
            {"tenant": list(self._currency), "own": list(self._currency.values())},
            schema={"tenant": pl.String, "own": pl.String},
        )
        joined = rows.join(known, on="tenant", how="left", maintain_order="left")
        is_own = (pl.col("currency") == pl.col("own")) | (pl.col("currency") == "")
        self.foreign += int(joined.select((~is_own).sum()).item() or 0)
        own = [pl.when(is_own).then(name).otherwise(0).alias(name) for name in ("spend", "usage_spend")]
        return joined.with_columns(own).drop("own")

    def _choose(self, spent: pl.DataFrame, minute: int) -> None:
        """Say which currency is the own one of each tenant that spent something in a minute."""
        most = spent.group_by("tenant", "currency").agg(pl.col("usage_spend", "spend").sum())
        order = ["usage_spend", "spend"]
        ordered = most.sort("tenant", *order, "currency", descending=[False, True, True, False])
        used = ordered.filter(pl.col("usage_spend") > 0)
        for tenant, currency in used.select("tenant", "currency").iter_rows():
            if self._currency.get(tenant) == currency:
                self._used[tenant] = minute
        for tenant, currency in used.select("tenant", "currency").iter_rows():
            if tenant not in self._used or minute - self._used[tenant] >= _GIVEN_UP:
                if self._currency.get(tenant, currency) != currency:
                    self._days.pop(tenant, None)  # what its days cost was in the other one
                self._currency[tenant], self._used[tenant] = currency, minute
        for tenant, currency in ordered.select("tenant", "currency").iter_rows():
            self._currency.setdefault(tenant, currency)

    def spend(self, amounts: Iterable[tuple[str, int]], minute: int) -> None:
        """Add what tenants spent in a minute, in billionths, to their days."""
        today = minute // _DAY
        for tenant, amount in amounts:
            days = self._days.setdefault(tenant, {})
            days[today] = days.get(today, 0) + amount
            if len(days) > _DAYS:
                del days[min(days)]

    def stakes(self, tenant: str, currency: str, minute: int) -> Stakes:
        """Return what money means to a tenant: the median of the days before this one."""
        today = minute // _DAY
        past = [spent for day, spent in self._days.get(tenant, {}).items() if day < today]
        if not past or currency != self.currency(tenant):
            return UNKNOWN_STAKES
        return Stakes(median_daily_spend=Decimal(round(median(past))) / MONEY)

    def forget_others(self, tenants: set[str]) -> None:
        """Forget tenants that have no key any more."""
        for name in [name for name in self._days if name not in tenants]:
            del self._days[name]
        for name in [name for name in self._currency if name not in tenants]:
            del self._currency[name]
            self._used.pop(name, None)

    def state(self) -> dict[str, Any]:
        """Return everything that is remembered, as JSON takes it."""
        days = {tenant: sorted(of_it.items()) for tenant, of_it in sorted(self._days.items())}
        used = dict(self._used)
        return {"currency": dict(self._currency), "used": used, "days": days, "foreign": self.foreign}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned."""
        self._currency, self._used = dict(state["currency"]), dict(state["used"])
        self._days = {
            tenant: {int(day): spent for day, spent in days} for tenant, days in state["days"].items()
        }
        self.foreign = state["foreign"]
