"""The price book of the reference tables at one revision.

Prices are rows of the tables; which model a name means, and how calls are read, is the installed catalogue's
word. Prices of our own win over imported ones, contracts lie over both (`schedules`, `contracts`). Until a
revision has imported prices, those of the installed catalogue stand in; from then on only what was imported
counts, so that a newer package changes no price before somebody imports it.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from threading import Lock
from typing import Any

import polars as pl

from auditstream.core.ports import Directory
from auditstream.pricing.book import Laid, PriceBook, Route, Schedule, Unpriced
from auditstream.pricing.catalogue import Catalogue, Listing
from auditstream.pricing.contracts import Exchange, Scope, Term, Terms, contracted, laid, scope_of
from auditstream.pricing.imported_prices import ImportedPrices, of_calls
from auditstream.pricing.meters import meter_of
from auditstream.pricing.names import matches_any
from auditstream.pricing.price_rows import PriceRow
from auditstream.pricing.schedules import schedule_of
from auditstream.pricing.tiers import STANDARD, tier_of
from auditstream.pricing.windows import DAY, FIRST, LAST, Window, time_of_day

SINCE_EVER_YEAR = 1900
"""Year of a `valid_from` that means: since ever. The earliest that the tables can hold."""

_KEPT_SCHEDULES = 65_536
"""List prices kept: models, tiers and regions of a large company, and a bound on made-up names."""

_KEPT_REVISIONS = 4

_NO_TERMS = Terms(())


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
        prices = of_calls(_active(prices))
        is_own = pl.col("catalogue") == ""
        self._own: dict[str, list[PriceRow]] = defaultdict(list)
        for each in prices.filter(is_own).iter_rows(named=True):
            for row in self._price_rows(each):
                self._own[row.provider].append(row)
        self._imported = ImportedPrices(prices.filter(~is_own), self._price_rows)
        terms: dict[tuple[str, str], list[Term]] = defaultdict(list)
        for contract in _active(contracts).iter_rows(named=True):
            if contract["kind"] != "commitment":
                key = self.catalogue.provider_id(contract["provider"]), contract["tenant_id"]
                terms[key].append(_term(contract))
        self._exchanges = [_exchange(row) for row in _active(rates).iter_rows(named=True)]
        self.regions = catalogue.regions | {region.lower() for region in _said(prices, "region")}
        self.regions |= {term.region for of_tenant in terms.values() for term in of_tenant if term.region}
        tiers = {tier_of(word) for word in _said(prices, "service_tier")}
        self.tiers = catalogue.tiers | (tiers - {STANDARD})
        self.tenants = frozenset(
            term.tenant for of_tenant in terms.values() for term in of_tenant if term.tenant
        )
        newest = max((int(each["revision"].max() or 0) for each in (prices, contracts, rates)), default=0)  # type: ignore[arg-type]  # u64
        self.revision = f"{catalogue.revision}/r{newest}" if newest else catalogue.revision
        self._terms = {
            (provider, tenant): Terms([*found, *(terms.get((provider, ""), ()) if tenant else ())])
            for (provider, tenant), found in terms.items()
        }
        # Tenants share list prices: a contract is laid over what is worked out once.
        self._listed_schedule = lru_cache(maxsize=_KEPT_SCHEDULES)(self._list_prices)

    def rows(self) -> Iterator[PriceRow]:
        """Yield every price row that counts."""
        for own in self._own.values():
            yield from own
        if not self._imported:
            yield from self.catalogue.rows()
        yield from self._imported

    def schedule(self, route: Route, /) -> Schedule | Unpriced:
        """Return the cards of a call by event time, or why there are none at all."""
        listed, provider, names = self._listed_schedule(replace(route, tenant=""))
        terms = self._terms.get((provider, route.tenant), self._terms.get((provider, "")))
        if terms is None or isinstance(listed, Unpriced):
            return listed
        return contracted(listed, terms.of(route, names), self._exchanges)

    def schedules(self, route: Route, tenants: Sequence[str], /) -> Iterator[Laid]:
        """Yield the cards of a route, or why there are none, for the tenants under their contracts."""
        listed, provider, names = self._listed_schedule(route)
        if isinstance(listed, Unpriced):
            yield Laid(range(len(tenants)), listed)
            return
        of_all = self._terms.get((provider, ""), _NO_TERMS)
        alike: dict[tuple[Scope, ...], list[tuple[int, Terms]]] = defaultdict(list)
        for place, tenant in enumerate(tenants):
            terms = self._terms.get((provider, tenant), of_all).of(route, names)
            if terms.has_rates:
                yield Laid([place], contracted(listed, terms, self._exchanges))
            else:
                alike[terms.scopes].append((place, terms))
        for of_scopes in alike.values():
            places, of_tenants = zip(*of_scopes, strict=True)
            yield laid(places, listed, of_tenants)

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
        rows = self._imported.of(listing.lister, listing.model.id)
        return [row for row in rows if listing.own or not (row.tier or row.region)]

    def _price_rows(self, row: Mapping[str, Any]) -> Iterator[PriceRow]:
        """Yield the price rows of a row of the table, which is of a meter that model calls have."""
        meter = meter_of(row["meter"], row["direction"], row["cache_action"])
        assert meter is not None, "others are left out"
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


def _active(rows: pl.DataFrame) -> pl.DataFrame:
    if "active" not in rows.columns or rows.get_column("active").all():
        return rows
    return rows.filter("active")


def _said(rows: pl.DataFrame, column: str) -> set[str]:
    return set(rows.get_column(column).unique()) - {""}


def _windows(row: Mapping[str, Any]) -> Iterator[Window]:
    """Yield the windows of a price; a time of day that passes midnight is two."""
    whole = _window(row)
    start, end = row["time_of_day_from"], row["time_of_day_to"]
    if not (start or end):
        yield whole
        return
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
        scope=scope_of(_window(row), row["kind"], row["meter"], row["direction"], row["cache_action"]),
        factor=1 - discount / 100,
        amount=row["amount"] or Decimal(0),
        currency=row["currency"],
        revision=row["revision"],
    )


def _exchange(row: Mapping[str, Any]) -> Exchange:
    return Exchange(row["base"], row["quote"], row["rate"], _window(row))
