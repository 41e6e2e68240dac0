"""Cost lines: quantity times unit price, rounded once.

The rounding rule of the product, and the only place of it: a line is quantity times unit price, rounded
half-even to 12 places; a total is the sum of rounded lines. The product is exact before it is rounded: a
whole quantity leaves the 18 places of the price as they are, and `usage.LARGEST_COUNT` keeps it inside 38
digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from auditstream.pricing.cards import PriceCard, Rate, Shape
from auditstream.pricing.routing import CARD, REFUSAL
from auditstream.pricing.usage import Split, split_of
from schemas.flatten import FRAME_SCHEMA

ROW = "row"
COSTS = "costs"

AMOUNT = pl.Decimal(38, 12)
AMOUNTS = ("list", "contracted", "effective", "billed")

_CATEGORY = "inference"
_SOURCE = "LOCAL"
_LINE = "line"
_QUANTITY = "quantity"
_TOTAL_INPUT = "input_tokens"

_LINES_TYPE = FRAME_SCHEMA[COSTS]
assert isinstance(_LINES_TYPE, pl.List)
assert isinstance(_LINES_TYPE.inner, pl.Struct)
LINE_FIELDS: dict[str, Any] = {field.name: field.dtype for field in _LINES_TYPE.inner.fields}
"""Fields of a cost line with their types."""

_COMPUTED = {_QUANTITY, *AMOUNTS}


@dataclass(frozen=True, slots=True)
class Charges:
    """What rows cost.

    Attributes:
        lines: Columns `ROW` and `LINE_FIELDS`, one row a line, by row and in the order of the card's meters.
        refused: Columns `ROW` and `REFUSAL`, for each row whose counts have no price.
    """

    lines: pl.DataFrame
    refused: pl.DataFrame


def nested(lines: pl.DataFrame, height: int) -> pl.Series:
    """Return the lines of each row as one list, empty for a row without lines.

    Args:
        lines: Columns `ROW` and `LINE_FIELDS`, ordered by row.
        height: Number of rows.
    """
    ends = _bounds(lines, np.arange(height))
    records = lines.select(pl.struct(LINE_FIELDS.keys())).to_series()
    # By way of Arrow, which shares the memory: grouping and joining lists takes polars 1 us a row.
    items = records.to_arrow(compat_level=pl.CompatLevel.newest())
    return pl.Series(COSTS, pa.LargeListArray.from_arrays(pa.array(ends), items))


def totals(lines: pl.DataFrame, rows: pl.Series) -> pl.Series:
    """Return the sum of each row's lines at list price, zero for a row without lines.

    Args:
        lines: Columns `ROW` and `list`, ordered by row.
        rows: Numbers of all rows that the lines are of, ascending.
    """
    bounds = _bounds(lines, rows.to_numpy())
    running = pl.concat([pl.Series([0], dtype=AMOUNT), lines.get_column("list").cum_sum()])
    return running.gather(bounds[1:]) - running.gather(bounds[:-1])


def _bounds(lines: pl.DataFrame, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Return where the lines of each row begin, and the end of the last one."""
    starts = lines.get_column(ROW).to_numpy().searchsorted(rows, side="left")
    return np.append(starts, lines.height).astype(np.int64)


def charge(rows: pl.DataFrame, cards: Sequence[PriceCard], *, revision: str) -> Charges:
    """Return the cost lines of calls.

    A meter with the quantity zero has no line, so a call may have none.

    Args:
        rows: Columns `ROW`, `CARD` (number in `cards`, never null) and those of `usage.counts_of`.
        cards: Price cards.
        revision: Revision of the price book, written on each line.
    """
    book = _CardTable.of(cards)
    lines, refused = [], []
    for shape, part in book.parts(rows):
        counted = tuple(name for name in part.columns if name not in _OWN)
        split = split_of(tuple(key for key, _ in shape), counted)
        judged = part.with_columns(_refusal(split))
        refused.append(judged.filter(pl.col(REFUSAL).is_not_null()).select(ROW, REFUSAL))
        lines.append(_quantities(judged.filter(pl.col(REFUSAL).is_null()), split, shape))
    if not lines:
        return Charges(_whole(_NO_LINES, book.rates, revision), pl.DataFrame(schema=_REFUSED))
    ordered = pl.concat(lines).sort(ROW, maintain_order=True)
    return Charges(_whole(ordered, book.rates, revision), pl.concat(refused))


_OWN = (ROW, CARD, _LINE)
_REFUSED = {ROW: pl.UInt32, REFUSAL: pl.String}
_NO_LINES = pl.DataFrame(schema={ROW: pl.UInt32, _LINE: pl.UInt32, _QUANTITY: pl.Int64})


@dataclass(frozen=True, slots=True)
class _CardTable:
    """Cards laid out as one long list of rates; a step of a card is a run of it.

    Attributes:
        rates: Every rate of every step of every card.
        steps: By card number: where its first run begins, how long a run is, and where its steps begin.
        shapes: By shape: the numbers of the cards that have it.
        most_starts: Largest number of starts of a card.
    """

    rates: list[Rate]
    steps: pl.DataFrame
    shapes: dict[Shape, list[int]]
    most_starts: int

    @classmethod
    def of(cls, cards: Sequence[PriceCard]) -> _CardTable:
        shapes: dict[Shape, list[int]] = {}
        for number, card in enumerate(cards):
            shapes.setdefault(card.shape, []).append(number)
        sizes = [len(card.steps) * len(card.shape) for card in cards]
        steps = pl.DataFrame(
            {
                CARD: range(len(cards)),
                "first": [end - size for end, size in zip(accumulate(sizes), sizes, strict=True)],
                "width": [len(card.shape) for card in cards],
                "starts": [list(card.starts) for card in cards],
            },
            schema={CARD: pl.UInt32, "first": pl.UInt32, "width": pl.UInt32, "starts": pl.List(pl.Int64)},
        )
        rates = [rate for card in cards for step in card.steps for rate in step]
        return cls(rates, steps, shapes, max((len(card.starts) for card in cards), default=0))

    def parts(self, rows: pl.DataFrame) -> Iterator[tuple[Shape, pl.DataFrame]]:
        """Yield the rows of each shape of card, with the first line of their card's step."""
        located = self._located(rows)
        for shape, numbers in self.shapes.items():
            part = located
            if len(self.shapes) > 1:
                part = located.filter(pl.col(CARD).is_in(numbers))
            if part.height:
                yield shape, part

    def _located(self, rows: pl.DataFrame) -> pl.DataFrame:
        steps = self.steps[rows.get_column(CARD)]
        step = pl.lit(0, pl.UInt32)
        if _TOTAL_INPUT in rows.columns:
            total = rows.get_column(_TOTAL_INPUT).fill_null(0)
            for place in range(self.most_starts):
                start = pl.col("starts").list.get(place, null_on_oob=True)
                step += (total > start).fill_null(value=False).cast(pl.UInt32)
        return rows.with_columns(steps.select((pl.col("first") + step * pl.col("width")).alias(_LINE)))


def _refusal(split: Split) -> pl.Expr:
    reason: pl.Expr = pl.lit(None, pl.String)
    for why, when in reversed(split.refusals):
        reason = pl.when(when).then(pl.lit(str(why))).otherwise(reason)
    return reason.alias(REFUSAL)


def _quantities(part: pl.DataFrame, split: Split, shape: Shape) -> pl.DataFrame:
    """Return a row a billed meter of each call, in the order of the meters."""
    runs = []
    for place, quantity in split.quantities:
        run = part.select(ROW, pl.col(_LINE) + place, quantity.alias(_QUANTITY)).filter(pl.col(_QUANTITY) > 0)
        least = shape[place][1]
        runs.append(run.with_columns(pl.col(_QUANTITY).clip(lower_bound=least)) if least else run)
    return pl.concat([_NO_LINES, *runs])


def _whole(lines: pl.DataFrame, rates: Sequence[Rate], revision: str) -> pl.DataFrame:
    """Return the lines with every field of a cost line."""
    fixed = _fixed_fields(rates, revision)[lines.get_column(_LINE)]
    amount = lines.get_column(_QUANTITY) * fixed.get_column("list_unit_price")
    rounded = amount.cast(AMOUNT)
    quantity = lines.get_column(_QUANTITY).cast(LINE_FIELDS[_QUANTITY])
    columns = [lines.get_column(ROW), quantity, *(rounded.alias(name) for name in AMOUNTS)]
    return pl.DataFrame([*columns, *fixed]).select(ROW, *LINE_FIELDS)


def _fixed_fields(rates: Sequence[Rate], revision: str) -> pl.DataFrame:
    """Return what every line of a rate says, by number of the rate."""
    values = [
        {
            "category": _CATEGORY,
            "meter": rate.meter.name,
            "direction": rate.meter.direction,
            "cache_action": rate.meter.cache_action,
            "unit": rate.meter.unit,
            "price_id": rate.price_id,
            "price_book_rev": revision,
            "list_unit_price": rate.unit_price,
            "currency": "USD",
            "source": _SOURCE,
        }
        for rate in rates
    ]
    return pl.DataFrame(
        values, schema={name: kind for name, kind in LINE_FIELDS.items() if name not in _COMPUTED}
    )
