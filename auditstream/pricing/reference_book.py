"""The price book of the reference tables at one revision.

Prices are rows of the tables; which model a name means, and how calls are read, is the installed catalogue's
word. Prices of our own win over imported ones, contracts lie over both (`schedules`, `contracts`). Until a
revision has imported prices, those of the installed catalogue stand in; from then on only what was imported
counts, so that a newer package changes no price before somebody imports it.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from threading import Lock
from typing import Any

import polars as pl

from auditstream.core.ports import Directory
from auditstream.pricing.book import PriceBook, Route, Schedule, Unpriced
from auditstream.pricing.catalogue import Catalogue, Listing
from auditstream.pricing.contracts import Exchange, Term, contracted
from auditstream.pricing.meters import meter_of
from auditstream.pricing.names import matches_any
from auditstream.pricing.price_rows import PriceRow
from auditstream.pricing.schedules import schedule_of
from auditstream.pricing.tiers import tier_of
from auditstream.pricing.windows import DAY, FIRST, LAST, Window, time_of_day

SINCE_EVER_YEAR = 1900
"""Year of a `valid_from` that means: since ever. The earliest that the tables can hold."""

_KEPT_SCHEDULES = 65_536
"""Schedules kept: models times tenants with contracts of a large company, and a bound on made-up names."""

_KEPT_REVISIONS = 4


class ReferenceBook:
    """Prices, contracts and currency rates as known at a revision; implements `book.PriceBook`.

    Args:
        catalogue: Names, tiers and routes, and the prices while none are imported.
        prices: Rows of kind `price` as `Directory.intervals` gives them.
        contracts: Rows of kind `contract`.
        rates: Rows of kind `rate`.
    """

    def __init__(
        self, catalogue: Catalogue, *, prices: pl.DataFrame, contracts: pl.DataFrame, rates: pl.DataFrame
    ) -> None:
        self.catalogue = catalogue
        rows = [row for each in _active(prices) for row in self._price_rows(each)]
        self._own: dict[str, list[PriceRow]] = defaultdict(list)
        self._imported: dict[tuple[str, str], list[PriceRow]] = defaultdict(list)
        for row in rows:
            if row.own:
                self._own[row.provider].append(row)
            else:
                self._imported[row.provider, row.model].append(row)
        self._terms: dict[tuple[str, str], list[Term]] = defaultdict(list)
        for contract in _active(contracts):
            if contract["kind"] != "commitment":
                key = self.catalogue.provider_id(contract["provider"]), contract["tenant_id"]
                self._terms[key].append(_term(contract))
        self._exchanges = [_exchange(row) for row in _active(rates)]
        self.regions = catalogue.regions | {row.region for row in rows if row.region}
        self.regions |= {term.region for terms in self._terms.values() for term in terms if term.region}
        self.tiers = catalogue.tiers | {row.tier for row in rows if row.tier}
        self.tenants = frozenset(
            term.tenant for terms in self._terms.values() for term in terms if term.tenant
        )
        newest = max((int(each["revision"].max() or 0) for each in (prices, contracts, rates)), default=0)  # type: ignore[arg-type]  # u64
        self.revision = f"{catalogue.revision}/r{newest}" if newest else catalogue.revision
        # Tenants share list prices: a contract is laid over what is worked out once.
        self._listed_schedule = lru_cache(maxsize=_KEPT_SCHEDULES)(self._list_prices)
        self.schedule = lru_cache(maxsize=_KEPT_SCHEDULES)(self._schedule)

    def rows(self) -> Iterator[PriceRow]:
        """Yield every price row that counts."""
        for own in self._own.values():
            yield from own
        if not self._imported:
            yield from self.catalogue.rows()
        for imported in self._imported.values():
            yield from imported

    def _schedule(self, route: Route) -> Schedule | Unpriced:
        """Return the cards of a call by event time, or why there are none at all."""
        listed, provider, names = self._listed_schedule(replace(route, tenant=""))
        if isinstance(listed, Unpriced):
            return listed
        terms = [
            term
            for tenant in {"", route.tenant}
            for term in self._terms.get((provider, tenant), ())
            if term.is_for(route, names)
        ]
        return contracted(listed, terms, self._exchanges)

    def _list_prices(self, route: Route) -> tuple[Schedule | Unpriced, str, tuple[str, ...]]:
        """Return the list prices of a route, and the provider and the names of its model."""
        rows, provider, names = self._found(route)
        if not rows:
            return Unpriced(self.catalogue.why_not_found(route)), provider, names
        if route.tier and not any(row.tier == route.tier for row in rows):
            return Unpriced(self.catalogue.why_no_tier(route.tier)), provider, names
        return schedule_of(rows, tier=route.tier, region=route.region), provider, names

    def _found(self, route: Route) -> tuple[list[PriceRow], str, tuple[str, ...]]:
        """Return the rows of the first of the route's models that has any, its provider, and its names."""
        for name in route.models:
            listing = self.catalogue.listing(route.provider, name)
            names = (name,) if listing is None else (name, listing.model.id)
            provider = self.catalogue.provider_id(route.provider) if listing is None else listing.provider
            rows = [row for row in self._own.get(provider, ()) if matches_any(row.model, names)]
            if listing is not None:
                rows += self._listed(listing)
            if rows:
                return rows, provider, names
        return [], "", ()

    def _listed(self, listing: Listing) -> list[PriceRow]:
        if not self._imported:
            return self.catalogue.rows_for(listing)
        rows = self._imported.get((listing.lister, listing.model.id), [])
        return [row for row in rows if listing.own or not (row.tier or row.region)]

    def _price_rows(self, row: Mapping[str, Any]) -> Iterator[PriceRow]:
        """Yield a row of the table; none of one for a meter that model calls do not have."""
        meter = meter_of(row["meter"], row["direction"], row["cache_action"])
        if meter is None or row["unit"] != meter.unit:
            return
        imported = bool(row["catalogue"])
        for window in _windows(row):
            yield PriceRow(
                price_id=row["price_id"],
                provider=row["provider"] if imported else self.catalogue.provider_id(row["provider"]),
                model=row["model_pattern"],
                region=row["region"].lower(),
                tier=tier_of(row["service_tier"]),
                meter=meter,
                context_from=row["context_from"],
                window=window,
                unit_price=row["amount"],
                currency=row["currency"],
                basis=row["price_basis"],
                own=not imported,
                revision=row["revision"],
            )


class ReferenceBooks:
    """The price book of each revision; keeps the last few. Any thread may ask.

    Args:
        directory: The reference data.
        catalogue: The installed catalogue.
    """

    def __init__(self, directory: Directory, catalogue: Catalogue) -> None:
        self._directory = directory
        self._catalogue = catalogue
        self._kept: OrderedDict[int, ReferenceBook] = OrderedDict()
        self._by_content: OrderedDict[tuple[int, ...], ReferenceBook] = OrderedDict()
        self._lock = Lock()

    def at(self, revision: int) -> PriceBook:
        """Return the book as known at a revision.

        Raises:
            RetryableError: The reference data cannot be read now.
        """
        with self._lock:
            book = self._kept.get(revision)
        if book is None:
            tables = [self._directory.intervals(kind, revision) for kind in ("price", "contract", "rate")]
            book = self._made(tables)
            with self._lock:
                self._kept[revision] = book
                while len(self._kept) > _KEPT_REVISIONS:
                    self._kept.popitem(last=False)
        return book

    def _made(self, tables: list[pl.DataFrame]) -> ReferenceBook:
        """Return the book of these tables; the same one while no revision touched any of them."""
        newest = tuple(int(table["revision"].max() or 0) for table in tables)  # type: ignore[arg-type]  # u64
        with self._lock:
            known = self._by_content.get(newest)
        if known is not None:
            return known
        prices, contracts, rates = tables
        book = ReferenceBook(self._catalogue, prices=prices, contracts=contracts, rates=rates)
        with self._lock:
            self._by_content[newest] = book
            while len(self._by_content) > _KEPT_REVISIONS:
                self._by_content.popitem(last=False)
        return book


def _active(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    if "active" in rows.columns:
        rows = rows.filter("active")
    return rows.iter_rows(named=True)


def _windows(row: Mapping[str, Any]) -> Iterator[Window]:
    """Yield the windows of a price; a time of day that passes midnight is two."""
    whole = _window(row)
    start, end = (row[f"time_of_day_{side}"] for side in ("from", "to"))
    from_time, to_time = time_of_day(start) if start else timedelta(), time_of_day(end) if end else DAY
    if from_time < to_time:
        yield replace(whole, from_time=from_time, to_time=to_time)
        return
    yield replace(whole, from_time=from_time)
    if to_time:
        yield replace(whole, to_time=to_time)


def _window(row: Mapping[str, Any]) -> Window:
    start, end = row["valid_from"], row["valid_to"]
    return Window(FIRST if start.year <= SINCE_EVER_YEAR else start, LAST if end is None else end)


def _term(row: Mapping[str, Any]) -> Term:
    discount = row["discount_pct"] or Decimal(0)
    return Term(
        contract_id=row["contract_id"],
        tenant=row["tenant_id"],
        model=row["model_pattern"],
        region=row["region"].lower(),
        tier=tier_of(row["service_tier"]),
        meter=row["meter"],
        direction=row["direction"],
        cache_action=row["cache_action"],
        window=_window(row),
        kind=row["kind"],
        factor=1 - discount / 100,
        amount=row["amount"] or Decimal(0),
        currency=row["currency"],
        revision=row["revision"],
    )


def _exchange(row: Mapping[str, Any]) -> Exchange:
    return Exchange(row["base"], row["quote"], row["rate"], _window(row))
