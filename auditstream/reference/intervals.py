"""From rows that overlap to intervals that do not: later knowledge is painted over earlier knowledge.

The rule (sinks/migrations/0004_reference.sql): what holds at a time is, among the rows of a key that cover
the time, the one with the highest revision. Of rows of one revision the one that begins latest holds, so that
one revision may bring a whole history of open-ended rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from itertools import groupby, pairwise

import polars as pl

FOREVER = 2**63 - 1
"""End of what has none, in microseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Span:
    """The validity of one row.

    Attributes:
        row: Number of the row.
        start: From when it holds, microseconds since the epoch.
        end: Until when, exclusive; `FOREVER` while open.
        revision: Revision that brought it.
    """

    row: int
    start: int
    end: int
    revision: int


def holds_at(at: datetime) -> pl.Expr:
    """Return the condition under which a row's `[valid_from, valid_to)` covers a time."""
    moment = pl.lit(at).cast(pl.Datetime("us", "UTC"))
    return (pl.col("valid_from") <= moment) & (pl.col("valid_to").is_null() | (pl.col("valid_to") > moment))


def intervals_of(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Return the rows with `valid_from` and `valid_to` cut to when each of them holds.

    A row that is interrupted comes more than once, one that never holds not at all. Sorted by key and time.

    Args:
        rows: Rows of one kind's table; every one of them is known.
        key: Columns that say what a row is about.
    """
    # Most keys have one row, which is seen as it is.
    alone = (
        rows.select(pl.len().over(key) == 1).to_series() if rows.height else pl.Series([], dtype=pl.Boolean)
    )
    lasting = pl.col("valid_to").is_null() | (pl.col("valid_to") > pl.col("valid_from"))
    single = rows.filter(alone).filter(lasting)
    return pl.concat([single, _painted(rows.filter(~alone), key)]).sort(*key, "valid_from")


def _painted(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    painted = [
        piece
        for _, spans in groupby(_spans(rows, key), key=lambda keyed: keyed[0])
        for piece in painted_spans([span for _, span in spans])
    ]
    moment = rows.schema["valid_from"]
    starts = pl.Series([piece.start for piece in painted], dtype=pl.Int64).cast(moment)
    ends = [None if piece.end == FOREVER else piece.end for piece in painted]
    return rows[[piece.row for piece in painted]].with_columns(
        valid_from=starts, valid_to=pl.Series(ends, dtype=pl.Int64).cast(moment)
    )


def painted_spans(spans: Sequence[Span]) -> Iterator[Span]:
    """Yield what is seen of one key's spans, in time order; `O(n log n)`.

    Args:
        spans: Spans sorted by start.
    """
    ends = {span.end for span in spans if span.end != FOREVER}
    boundaries = sorted({span.start for span in spans} | ends)
    waiting = list(reversed(spans))
    known: list[tuple[int, int, int, Span]] = []
    seen: Span | None = None
    for start, end in pairwise([*boundaries, FOREVER]):
        while waiting and waiting[-1].start <= start:
            span = waiting.pop()
            heappush(known, (-span.revision, -span.start, span.row, span))
        while known and known[0][-1].end <= start:
            heappop(known)
        top = known[0][-1] if known else None
        if seen is not None and top is not None and seen.row == top.row:
            seen = Span(top.row, seen.start, end, top.revision)
            continue
        if seen is not None:
            yield seen
        seen = None if top is None else Span(top.row, start, end, top.revision)
    if seen is not None:
        yield seen


def _spans(rows: pl.DataFrame, key: Sequence[str]) -> list[tuple[tuple[object, ...], Span]]:
    """Return each row's key and span, sorted by key, then start."""
    start, end = (pl.col(name).dt.timestamp("us") for name in ("valid_from", "valid_to"))
    columns = rows.select(*key, start=start, end=end.fill_null(FOREVER), of_revision="revision")
    found = [
        (tuple(values), Span(row, begin, until, revision))
        for row, (*values, begin, until, revision) in enumerate(columns.iter_rows())
    ]
    found.sort(key=lambda keyed: (keyed[0], keyed[1].start, keyed[1].revision, keyed[1].row))
    return found
