"""Imports of a catalogue into the price book: what differs from what was imported before, and nothing else.

A catalogue says of few prices since when they hold. Where it does, its dates are taken, in the past as well:
that is a correction. Where it only knows the price of today, a new one holds from the import on, and what was
known before stays for the time before: else every old event would be re-priced at the price of today.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import polars as pl

from auditstream.pricing.catalogue import Catalogue
from auditstream.pricing.price_rows import PriceRow, digest_of
from auditstream.pricing.reference_book import SINCE_EVER_YEAR
from auditstream.pricing.windows import DAY, FIRST, LAST, clock
from auditstream.reference.kinds import Entry
from auditstream.reference.rates import Price
from auditstream.reference.snapshot import Snapshot

SINCE_EVER = datetime(SINCE_EVER_YEAR, 1, 1, tzinfo=UTC)
"""`valid_from` of a price whose beginning nobody knows: the earliest that the tables can hold."""

_CONTENT = ("unit", "amount", "currency", "price_basis", "active")

Key = tuple[Any, ...]
Held = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Import:
    """A catalogue's prices as facts.

    Attributes:
        catalogue: Name of the catalogue, as `genai-prices`.
        release: Its revision, as `genai-prices-0.2.3-0123456789ab`.
        source_hash: SHA-256 of its prices.
        prices: The facts.
    """

    catalogue: str
    release: str
    source_hash: str
    prices: Sequence[Price]


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A price that an import brings, changes or withdraws.

    Attributes:
        how: What becomes of it.
        before: The known price that it replaces from `after.valid_from` on; None when there was none.
        after: The new fact; of a price that went, one that is not active.
    """

    how: Literal["came", "changed", "went"]
    before: Held | None
    after: Price


def import_of(catalogue: Catalogue, *, name: str = "genai-prices") -> Import:
    """Return everything that a catalogue says, as facts."""
    rows = list(catalogue.rows())
    source_hash = digest_of(iter(rows))
    return Import(name, catalogue.revision, source_hash, [_fact(row, name, source_hash) for row in rows])


def import_changes(stated: Import, snapshot: Snapshot, *, now: datetime) -> list[PriceChange]:
    """Return what an import changes about a snapshot, in the order of the prices; empty when it is known.

    Args:
        stated: The catalogue's prices.
        snapshot: What is known; kind `price`.
        now: From when a price holds whose beginning the catalogue does not know.
    """
    held = _held(snapshot, stated.catalogue)
    by_key: dict[Key, list[Price]] = defaultdict(list)
    for price in stated.prices:
        by_key[_key(price.model_dump())].append(price)
    changes = [change for key, prices in by_key.items() for change in _of_key(prices, held.get(key, []), now)]
    for key, rows in held.items():
        if not any(price.covers(now) for price in by_key.get(key, ())):
            changes += _withdrawn(rows, stated, now)
    return changes


def entries_of(changes: Iterable[PriceChange], stated: Import) -> list[Entry]:
    """Return what to append, so that the import is known."""
    return [Entry(change.after, stated.release) for change in changes]


def last_hash(snapshot: Snapshot, catalogue: str = "genai-prices") -> str | None:
    """Return the source hash of the newest row that came from a catalogue, None when nothing did."""
    rows = snapshot.rows("price").filter(pl.col("catalogue") == catalogue)
    return None if rows.is_empty() else str(rows.sort("revision")["source_hash"][-1])


def _fact(row: PriceRow, name: str, source_hash: str) -> Price:
    whole_day = (row.window.from_time, row.window.to_time) == (timedelta(), DAY)
    return Price(
        price_id=row.price_id,
        provider=row.provider,
        model_pattern=row.model,
        region=row.region,
        service_tier=row.tier,
        meter=row.meter.key,
        direction=row.meter.direction or "",
        cache_action=row.meter.cache_action or "",
        context_from=row.context_from,
        time_of_day_from="" if whole_day else clock(row.window.from_time),
        time_of_day_to="" if whole_day else clock(row.window.to_time),
        unit=row.meter.unit,
        amount=row.unit_price,
        currency=row.currency,
        price_basis=row.basis,
        catalogue=name,
        source_hash=source_hash,
        valid_from=SINCE_EVER if row.window.start == FIRST else row.window.start,
        valid_to=None if row.window.end == LAST else row.window.end,
    )


def _held(snapshot: Snapshot, catalogue: str) -> dict[Key, list[Held]]:
    """Return what holds when of an import, by key, in the order of time."""
    held: dict[Key, list[Held]] = defaultdict(list)
    for row in snapshot.intervals("price").filter(pl.col("catalogue") == catalogue).iter_rows(named=True):
        held[_key(row)].append(row)
    return held


def _key(values: Mapping[str, Any]) -> Key:
    return tuple(values[name] for name in Price.KEY)


def _of_key(prices: Sequence[Price], held: Sequence[Held], now: datetime) -> Iterator[PriceChange]:
    for price in prices:
        if price.valid_from == SINCE_EVER and price.valid_to is None:
            change = _undated(price, held, now)
        else:
            change = _dated(price, held)
        if change is not None:
            yield change


def _undated(price: Price, held: Sequence[Held], now: datetime) -> PriceChange | None:
    if not held:
        return PriceChange("came", None, price)
    current = _at(held, now)
    if current is not None and _says(current, price):
        return None
    day = f"@{now:%Y-%m-%dT%H:%M:%SZ}"
    known = current if current is not None and current["active"] else None
    after = price.model_copy(
        update={
            "valid_from": now,
            "price_id": f"{price.price_id}{day}",
            "supersedes": "" if known is None else known["price_id"],
        }
    )
    return PriceChange("came" if known is None else "changed", known, after)


def _dated(price: Price, held: Sequence[Held]) -> PriceChange | None:
    """Return the change to a price whose dates are known, None when exactly it is held all that time."""
    reached = price.valid_from
    before: Held | None = None
    same = True
    for row in held:
        starts_before_end = price.valid_to is None or row["valid_from"] < price.valid_to
        if not starts_before_end or (row["valid_to"] is not None and row["valid_to"] <= price.valid_from):
            continue
        before = before if before is not None or not row["active"] else row
        same = same and row["valid_from"] <= reached and _says(row, price)
        reached = max(reached, row["valid_to"] or LAST)
    if same and reached >= (price.valid_to or LAST):
        return None
    superseded = "" if before is None or before["price_id"] == price.price_id else before["price_id"]
    after = price.model_copy(update={"supersedes": superseded})
    return PriceChange("came" if before is None else "changed", before, after)


def _withdrawn(held: Sequence[Held], stated: Import, now: datetime) -> Iterator[PriceChange]:
    """Yield the end of a price that holds now and that the catalogue does not list any more."""
    current = _at(held, now)
    if current is None or not current["active"]:
        return
    fields = {name: current[name] for name in Price.model_fields}
    gone = {"active": False, "valid_from": now, "valid_to": None, "source_hash": stated.source_hash}
    yield PriceChange("went", current, Price.model_validate(fields | gone))


def _at(held: Sequence[Held], now: datetime) -> Held | None:
    return next(
        (
            row
            for row in held
            if row["valid_from"] <= now and (row["valid_to"] is None or now < row["valid_to"])
        ),
        None,
    )


def _says(row: Held, price: Price) -> bool:
    return all(row[name] == getattr(price, name) for name in _CONTENT)
