"""What is wrong with a price book in itself: rows that price nothing, contradict others, or leave holes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from auditstream.pricing.catalogue import Catalogue
from auditstream.pricing.currencies import CURRENCIES
from auditstream.pricing.meters import meter_of
from auditstream.pricing.names import matches_any, specificity
from auditstream.pricing.price_rows import PriceRow
from auditstream.pricing.windows import DAY, Window, cut


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        check: Which check found it.
        provider: Provider of the price.
        model: Model or pattern of the price.
        meter: Meter of the price, empty where it is not about one.
        detail: What is wrong.
    """

    check: str
    provider: str
    model: str
    meter: str
    detail: str


def table_faults(rows: Iterable[Mapping[str, Any]]) -> Iterator[Fault]:
    """Yield what is wrong with single rows of the table of prices, as `Directory.intervals` gives them."""
    for row in rows:
        about = (row["provider"], row["model_pattern"], row["meter"])
        meter = meter_of(row["meter"], row["direction"], row["cache_action"])
        if meter is None:
            yield Fault(
                "unknown_meter", *about, f"{row['price_id']}: no model call counts it, so it prices none"
            )
        elif row["unit"] != meter.unit:
            yield Fault(
                "unknown_unit", *about, f"{row['price_id']}: {row['unit']}, but it is counted in {meter.unit}"
            )
        if row["currency"] not in CURRENCIES:
            yield Fault(
                "unknown_currency", *about, f"{row['price_id']}: {row['currency']} is no currency in use"
            )


def book_faults(rows: Iterable[PriceRow], catalogue: Catalogue) -> Iterator[Fault]:
    """Yield what is wrong between the rows of a book.

    - `overlap`: two prices of our own, for one meter, that hold at one time, of which neither says more.
    - `gap`: a time, between two times with a price, that has none; hours of the day without one.
    - `no_base`: a price for long contexts without one for short ones; no call is charged by it.
    - `mixed_currencies`: prices of one model in two currencies; no call has a total.
    """
    groups: dict[tuple[Any, ...], list[PriceRow]] = defaultdict(list)
    models: dict[tuple[str, str, str, str], list[PriceRow]] = defaultdict(list)
    for row in rows:
        groups[row.provider, row.region, row.tier, row.meter.key, row.own].append(row)
        models[row.provider, row.model, row.region, row.tier].append(row)
    for (*_, own), group in groups.items():
        if own:
            yield from _overlaps(group, catalogue)
    for of_model in models.values():
        yield from _model_faults(of_model)


def _model_faults(rows: Sequence[PriceRow]) -> Iterator[Fault]:
    first = rows[0]
    currencies = {row.currency for row in rows}
    if len(currencies) > 1:
        yield Fault("mixed_currencies", first.provider, first.model, "", " and ".join(sorted(currencies)))
    meters: dict[tuple[str, bool], list[PriceRow]] = defaultdict(list)
    for row in rows:
        meters[row.meter.key, row.own].append(row)
    for (key, own), of_meter in meters.items():
        if own and all(row.context_from for row in of_meter) and (key, False) not in meters:
            starts = ", ".join(str(row.context_from) for row in of_meter)
            yield Fault("no_base", first.provider, first.model, key, f"only from {starts} input tokens on")
        base = [row.window for row in of_meter if not row.context_from]
        yield from (Fault("gap", first.provider, first.model, key, hole) for hole in _holes(base))


def _holes(windows: Sequence[Window]) -> Iterator[str]:
    """Yield the times without a window: between the first and the last, and hours of the day."""
    spans = sorted({(window.start, window.end) for window in windows})
    reached = None
    for (_, end), (start, _) in pairwise(spans):
        reached = end if reached is None else max(reached, end)
        if start > reached:
            yield f"none from {reached:%Y-%m-%d} to {start:%Y-%m-%d}"
    for span in spans:
        of_span = [window for window in windows if (window.start, window.end) == span]
        covered = sum(((w.to_time - w.from_time) for w in _day(of_span)), DAY - DAY)
        if covered < DAY and len(spans) == 1:
            yield f"none for {DAY - covered} of each day"


def _day(windows: Sequence[Window]) -> Iterator[Window]:
    """Yield the pieces of a day that some window has."""
    span = (windows[0].start, windows[0].end)
    for piece in cut(windows):
        if (piece.start, piece.end) == span and any(window.contains(piece) for window in windows):
            yield piece


def _overlaps(rows: Sequence[PriceRow], catalogue: Catalogue) -> Iterator[Fault]:
    for one, other in combinations(rows, 2):
        if (
            one.context_from == other.context_from
            and one.price_id != other.price_id
            and specificity(one.model) == specificity(other.model)
            and _length(one.window) == _length(other.window)
            and _meet(one.window, other.window)
            and _common_model(one, other, catalogue)
        ):
            detail = f"{one.price_id} and {other.price_id} hold at the same time, and neither says more"
            yield Fault("overlap", one.provider, one.model, one.meter.key, detail)


def _length(window: Window) -> float:
    return (window.to_time - window.from_time).total_seconds()


def _meet(one: Window, other: Window) -> bool:
    return (
        one.start < other.end
        and other.start < one.end
        and one.from_time < other.to_time
        and other.from_time < one.to_time
    )


def _common_model(one: PriceRow, other: PriceRow, catalogue: Catalogue) -> bool:
    if one.model.lower() == other.model.lower():
        return True
    known = catalogue.provider(one.provider)
    names = [] if known is None else [model.id for model in known.models]
    return any(matches_any(one.model, [name]) and matches_any(other.model, [name]) for name in names)
