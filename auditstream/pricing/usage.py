"""From the counts of a call to billable quantities.

The normal form of an event: cache reads and writes are part of input, reasoning is part of output, and
`by_modality` splits the totals further. Each priced meter is charged for what none of its priced parts is
charged for: with a price for cache reads, input is charged for the rest; without one, cache reads cost what
input costs. `genai-prices` does the same one call at a time (`decompose.py`); here it is worked out once for
a set of priced meters, and asked of all calls that share it.

What a count leaves open is not guessed, and counts that cannot be are not bent into shape (a clamped count
would be a wrong cost that looks like a right one): such a call has no price, and a reason.

- Impossible: a part is more than its whole, parts together are more than their whole, or a count is negative
  or above `LARGEST_COUNT`.
- Incomplete: no meter is counted, a part is counted but its whole is not, or two overlapping parts are
  (audio, cache reads) and their overlap has its own price but no count. Any other missing count is zero.
- A count that no priced meter covers: dropping it would make the total too small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations, product

import numpy as np
import polars as pl

from auditstream.pricing.book import NoPrice
from auditstream.pricing.counts import Counts, Longs, Mask, any_of
from auditstream.pricing.meters import METERS, PER_REQUEST
from schemas.emptiness import is_empty

LARGEST_COUNT = 10**15
"""No call uses a quadrillion tokens; below it no sum of counts passes 64 bits and no cost 38 digits."""

COLUMN_OF = {
    "input_tokens": "input_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "output_tokens": "output_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
}
"""Meters that an event counts in a column of its own."""

_BY_MODALITY = "usage_by_modality"

USAGE_COLUMNS = (*COLUMN_OF.values(), _BY_MODALITY)
"""Columns of an event that count its use."""

_MODALITIES = ("text", "audio", "image", "video")
_MODALITY_METERS = {
    "input": "input_{}_tokens",
    "output": "output_{}_tokens",
    "cache_read": "cache_{}_read_tokens",
    "cache_read.input": "cache_{}_read_tokens",
    "cache_write": "cache_{}_write_tokens",
    "cache_write.input": "cache_{}_write_tokens",
    "reasoning": "output_{}_reasoning_tokens",
}


@cache
def modality_meters() -> dict[str, str]:
    """Return the meter of each key that `usage.by_modality` may have.

    `audio.input` and its like, and the catalogue's own keys (`cache_write_1h_tokens`, `web_searches`) for
    what has no column. Other keys split a total in a way that no price depends on, and are left alone.
    """
    dotted = {
        f"{modality}.{part}": pattern.format(modality)
        for modality, (part, pattern) in product(_MODALITIES, _MODALITY_METERS.items())
    }
    plain = {key: key for key in METERS if key not in COLUMN_OF and key != PER_REQUEST}
    return dotted | plain


def counts_of(events: pl.DataFrame) -> list[pl.Series]:
    """Return a column of counts for each meter that some event counts; null where it does not say."""
    counts = [events.get_column(column).alias(key) for key, column in COLUMN_OF.items()]
    return [count for count in counts if count.null_count() < len(count)] + _modality_counts(events)


def has_usage(events: pl.DataFrame) -> pl.Series:
    """Return which events count anything."""
    columns = [events.get_column(name) for name in COLUMN_OF.values()]
    if any(not column.null_count() for column in columns):
        return pl.repeat(value=True, n=events.height, eager=True)
    found = (events.get_column(_BY_MODALITY).map.len() > 0).fill_null(value=False)
    for column in columns:
        if column.null_count() < len(column):
            found |= column.is_not_null()
    return found


def _modality_counts(events: pl.DataFrame) -> list[pl.Series]:
    split = events.get_column(_BY_MODALITY)
    if is_empty(split):
        return []
    present = set(split.map.keys().list.explode().drop_nulls().unique())
    found: dict[str, pl.Expr] = {}
    for key, meter in modality_meters().items():
        if key in present:
            value = pl.col(_BY_MODALITY).map.get(key)
            found[meter] = pl.coalesce(found[meter], value) if meter in found else value
    return events.select(**found).get_columns()


Share = tuple[tuple[str, int], ...]
"""Counts by key with the factors they are added up with; nothing for a meter that every call is one of."""

Test = Callable[[Counts], Mask | None]
"""Says which calls something holds for; None where it holds for none."""


@dataclass(frozen=True, slots=True)
class Split:
    """How the counts of a call are shared out over a set of priced meters.

    Attributes:
        quantities: Place among the priced meters and share of the counts, of each meter that these counts can
            reach.
        refusals: In order of rank, why a call has no price and when.
        uncovered: Counted meters that no priced one covers.
    """

    quantities: tuple[tuple[int, Share], ...]
    refusals: tuple[tuple[NoPrice, Test], ...]
    uncovered: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def split_of(priced: tuple[str, ...], counted: tuple[str, ...]) -> Split:
    """Return how calls that count these meters are charged by those that have a price.

    Args:
        priced: Keys of the meters with a price.
        counted: Keys of the meters that have a column.
    """
    shares = _shares(priced)
    places = [place for place, key in enumerate(priced) if _reached(shares[key], counted)]
    quantities = tuple((place, _counted(shares[priced[place]], counted)) for place in places)
    uncovered = tuple(_uncovered(priced, counted))
    refusals = (
        (NoPrice.IMPOSSIBLE_USAGE, _any(_out_of_range(key) for key in counted)),
        (NoPrice.IMPOSSIBLE_USAGE, _any(_overfull(counted))),
        (NoPrice.INCOMPLETE_USAGE, _all_missing(counted)),
        (NoPrice.INCOMPLETE_USAGE, _any(_incomplete(priced, counted))),
        (NoPrice.IMPOSSIBLE_USAGE, _any(_negative(share) for _, share in quantities)),
        (NoPrice.NO_METER_PRICE, _any(_used(key) for key in uncovered)),
    )
    return Split(quantities, refusals, uncovered)


def quantity(counts: Counts, share: Share) -> Longs:
    """Return how much of a meter each call is charged for. Not to be written to: it may be a count itself."""
    if not share:
        return np.ones(counts.height, np.int64)
    (first, factor), *others = share
    total = counts.values[first] if factor == 1 else counts.values[first] * factor
    for key, factor in others:
        count = counts.values[key]
        total = total - count if factor == -1 else total + (count if factor == 1 else count * factor)
    return total


def bearing(priced: tuple[str, ...], counted: tuple[str, ...]) -> tuple[int, ...]:
    """Return the places of the priced meters that bear on how calls are charged that count these meters.

    `split_of` says the same without the others: these counts do not reach them, they have no counted part,
    and they are no overlap of two.
    """
    shares = _shares(priced)
    return tuple(
        place
        for place, key in enumerate(priced)
        if _reached(shares[key], counted)
        or any(METERS[key].has_part(METERS[part]) for part in counted)
        or any(True for _ in _overlaps(key, counted))
    )


def _shares(priced: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return each priced meter's own quantity as counts with factors: itself less its priced parts."""
    shares: dict[str, dict[str, int]] = {}
    for key in sorted(priced, key=lambda key: -len(METERS[key].dimensions)):
        share = {key: 1}
        for part, taken in shares.items():
            if METERS[key].has_part(METERS[part]):
                for count, factor in taken.items():
                    share[count] = share.get(count, 0) - factor
        shares[key] = share
    return shares


def _reached(share: dict[str, int], counted: Sequence[str]) -> bool:
    return PER_REQUEST in share or any(factor for key, factor in share.items() if key in counted)


def _counted(share: dict[str, int], counted: Sequence[str]) -> Share:
    if PER_REQUEST in share:
        return ()
    return tuple((key, factor) for key, factor in share.items() if factor and key in counted)


def _any(tests: Iterable[Test]) -> Test:
    kept = tuple(tests)
    return lambda counts: any_of(test(counts) for test in kept)


def _out_of_range(key: str) -> Test:
    def test(counts: Counts) -> Mask | None:
        values = counts.values[key]
        if not len(values) or (values.min() >= 0 and values.max() <= LARGEST_COUNT):
            return None
        return (values < 0) | (values > LARGEST_COUNT)

    return test


def _overfull(counted: Sequence[str]) -> Iterator[Test]:
    """Yield when parts are more than their whole: those that one more dimension tells apart add up."""
    for whole in counted:
        groups: dict[frozenset[str], list[str]] = {}
        for part in counted:
            if METERS[whole].has_part(METERS[part]):
                more = METERS[part].dimensions - METERS[whole].dimensions
                name = frozenset(dimension for dimension, _ in more)
                groups.setdefault(name, []).append(part)
        for parts in groups.values():
            yield _is_less(whole, tuple((part, 1) for part in parts))


def _is_less(whole: str, parts: Share) -> Test:
    def test(counts: Counts) -> Mask:
        is_less = counts.values[whole] < quantity(counts, parts)
        return is_less & ~counts.missing[whole] if whole in counts.missing else is_less

    return test


def _all_missing(counted: Sequence[str]) -> Test:
    """Return what holds for a call whose `by_modality` has only keys that are no meters."""

    def test(counts: Counts) -> Mask | None:
        if any(key not in counts.missing for key in counted):
            return None
        found = np.ones(counts.height, np.bool_)
        for key in counted:
            found &= counts.missing[key]
        return any_of([found])

    return test


def _incomplete(priced: Sequence[str], counted: Sequence[str]) -> Iterator[Test]:
    """Yield, for each priced meter, when its count is missing though other counts say that it is not zero."""
    for key in priced:
        for part in counted:
            if METERS[key].has_part(METERS[part]):
                yield _is_missing(key, (part,))
        for overlap in _overlaps(key, counted):
            yield _is_missing(key, overlap)


def _is_missing(key: str, used: Sequence[str]) -> Test:
    def test(counts: Counts) -> Mask | None:
        if key in counts.values and key not in counts.missing:
            return None
        first, *others = (counts.values[each] > 0 for each in used)
        for other in others:
            first = first & other
        return first & counts.missing[key] if key in counts.missing else first

    return test


def _negative(share: Share) -> Test:
    def test(counts: Counts) -> Mask | None:
        return quantity(counts, share) < 0 if share else None

    return test


def _used(key: str) -> Test:
    return lambda counts: counts.values[key] > 0


def _overlaps(key: str, counted: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of counted meters, neither part of the other, whose overlap is the meter."""
    for left, right in combinations(counted, 2):
        one, other = METERS[left].dimensions, METERS[right].dimensions
        if one | other == METERS[key].dimensions and not (one <= other or other <= one):
            yield left, right


def _uncovered(priced: Sequence[str], counted: Sequence[str]) -> Iterator[str]:
    for key in counted:
        if key not in priced and not any(METERS[whole].has_part(METERS[key]) for whole in priced):
            yield key
