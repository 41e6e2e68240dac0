"""From price rows to price cards by window of event time.

Which row counts for a meter, at a time:

1. The one of the call's tier and region; else of its tier in any region; else of the standard tier in its
   region; else of the standard tier in any region. All context lengths of a meter come from one of these.
2. Of several for one context length: a price of our own before an imported one, an exact model before a
   pattern and a longer pattern before a shorter one, a shorter time of day before a longer one, a later
   revision before an earlier one.

A tier without any price of its own at a time has no card then: the standard price would hide that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from auditstream.pricing.book import NoPrice, Schedule
from auditstream.pricing.cards import Basis, PriceCard, Rate
from auditstream.pricing.meters import METERS, Meter
from auditstream.pricing.names import specificity
from auditstream.pricing.price_rows import PriceRow
from auditstream.pricing.windows import Window, cut

_LEAST = {
    f"groq/whisper-large-v3{turbo}": {"audio_seconds": 10, "input_audio_seconds": 10}
    for turbo in ("", "-turbo")
}
"""Least quantities by provider and model; the catalogue has them in code (`ModelInfo.calc_price`), not in its
data."""


def schedule_of(rows: Iterable[PriceRow], *, tier: str, region: str) -> Schedule:
    """Return the cards of calls at a tier and in a region, over all of time.

    Args:
        rows: Rows that are for the model.
        tier: Service tier, empty for the standard one.
        region: Region or route, empty when it is not known.
    """
    usable = [row for row in rows if row.tier in {"", tier} and row.region in {"", region}]
    windows = cut(row.window for row in usable)
    return Schedule(tuple((window, _card(usable, window, tier=tier, region=region)) for window in windows))


def _card(rows: Sequence[PriceRow], window: Window, *, tier: str, region: str) -> PriceCard | NoPrice:
    """Return the card that holds in a window, or why there is none."""
    held = [row for row in rows if row.window.contains(window)]
    if tier and not any(row.tier == tier for row in held):
        return NoPrice.NO_PRICE
    priced = {id(row.meter) for row in held}  # a few of all meters
    meters = [meter for meter in METERS.values() if id(meter) in priced]
    by_meter = {meter: _lengths(held, meter, tier=tier, region=region) for meter in meters}
    # A meter that is priced for long calls alone has no price in a short one: better none at all than half.
    by_meter = {meter: lengths for meter, lengths in by_meter.items() if 0 in lengths}
    if not by_meter:
        return NoPrice.NO_PRICE
    starts = sorted({length - 1 for lengths in by_meter.values() for length in lengths if length})
    steps = tuple(
        tuple(_rate(_reached(lengths, start)) for lengths in by_meter.values())
        for start in (0, *(start + 1 for start in starts))
    )
    used = [row for lengths in by_meter.values() for row in lengths.values()]
    if len({row.currency for row in used}) > 1:
        return NoPrice.MIXED_CURRENCIES
    basis: Basis = "dated" if all(row.basis == "dated" for row in used) else "undated"
    return PriceCard(tuple(starts), steps, basis, used[0].currency)


def _lengths(rows: Sequence[PriceRow], meter: Meter, *, tier: str, region: str) -> dict[int, PriceRow]:
    """Return the rows of a meter by context length."""
    for level in dict.fromkeys(((tier, region), (tier, ""), ("", region), ("", ""))):
        found = [row for row in rows if row.meter is meter and (row.tier, row.region) == level]
        if found:
            # The last one of a length wins.
            return {row.context_from: row for row in sorted(found, key=_rank)}
    return {}


def _reached(lengths: Mapping[int, PriceRow], total: int) -> PriceRow:
    """Return the row of the longest context that a total of input tokens reaches."""
    return lengths[max(length for length in lengths if length <= total)]


def _rank(row: PriceRow) -> tuple[bool, int, float, int]:
    length = row.window.to_time - row.window.from_time
    return row.own, specificity(row.model), -length.total_seconds(), row.revision


def _rate(row: PriceRow) -> Rate:
    least = _LEAST.get(f"{row.provider}/{row.model}", {}).get(row.meter.key, 0)
    return Rate(row.meter, row.price_id, row.unit_price, least=least)
