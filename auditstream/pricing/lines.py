"""Cost lines: quantity times unit price, rounded once.

The rounding rule of the product, and the only place of it: a line is quantity times unit price, rounded
half-even to 12 places; a total is the sum of rounded lines. The product is exact before it is rounded: a
whole quantity leaves the 18 places of the price as they are, and `usage.LARGEST_COUNT` keeps it inside 38
digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from auditstream.pricing.book import NoPrice
from auditstream.pricing.cards import PriceCard, Rate, Shape
from auditstream.pricing.routing import CARD, REFUSAL, CardList
from auditstream.pricing.usage import Split
from auditstream.pricing.ways import Way, ways_of
from schemas.flatten import FRAME_SCHEMA

ROW = "row"
COSTS = "costs"
UNPRICED_METER = "unpriced_meter"
"""Column: key of the meter for want of whose price a call has none."""

AMOUNT = pl.Decimal(38, 12)
AMOUNTS = ("list", "contracted", "effective", "billed")

_LINE = "line"
_QUANTITY = "quantity"
_TOTAL_INPUT = "input_tokens"

_LINES_TYPE = FRAME_SCHEMA[COSTS]
assert isinstance(_LINES_TYPE, pl.List)
assert isinstance(_LINES_TYPE.inner, pl.Struct)
LINE_FIELDS: dict[str, Any] = {field.name: field.dtype for field in _LINES_TYPE.inner.fields}
"""Fields of a cost line with their types."""

_LONG = 2**63
_CONTRACTED = "contracted_unit_price"
_SAID_BY_ALL = {
    "category": "inference", "source": "LOCAL", "resource_id": None, "period_start": None, "period_end": None,
}  # fmt: skip
_COMPUTED = {_QUANTITY, *AMOUNTS, "price_book_rev", *_SAID_BY_ALL}


@dataclass(frozen=True, slots=True)
class Charges:
    """What rows cost.

    Attributes:
        lines: Columns `ROW` and `LINE_FIELDS`, one row a line, by row and in the order of the card's meters.
        refused: Columns `ROW`, `REFUSAL` and `UNPRICED_METER`, for each row whose counts have no price.
    """

    lines: pl.DataFrame
    refused: pl.DataFrame


def nested(lines: pl.DataFrame, height: int) -> pl.Series:
    """Return the lines of each row as one list, empty for a row without lines.

    Args:
        lines: Columns `ROW` and `LINE_FIELDS`, ordered by row.
        height: Number of rows.
    """
    ends = _bounds(lines, height)
    records = lines.select(pl.struct(LINE_FIELDS.keys())).to_series()
    # By way of Arrow, which shares the memory: grouping and joining lists takes polars 1 us a row.
    items = records.to_arrow(compat_level=pl.CompatLevel.newest())
    return pl.Series(COSTS, pa.LargeListArray.from_arrays(pa.array(ends), items))


def totals(lines: pl.DataFrame, rows: pl.Series) -> list[pl.Series]:
    """Return the sums of each row's lines as `cost_list` to `cost_billed`, zero for a row without lines.

    Args:
        lines: Columns `ROW` and `AMOUNTS`, ordered by row.
        rows: Numbers of all rows that the lines are of, ascending.
    """
    numbers = rows.to_numpy()
    ends = _bounds(lines, int(numbers[-1]) + 1 if len(numbers) else 0)
    bounds = ends[numbers], ends[numbers + 1]
    listed = _sums(lines.get_column("list"), *bounds)
    # What a contract makes of it is often the same: then it is added up once.
    same = lines.get_column("list").equals(lines.get_column("contracted"))
    contracted = listed if same else _sums(lines.get_column("contracted"), *bounds)
    sums = {"list": listed}
    return [sums.get(name, contracted).alias(f"cost_{name}") for name in AMOUNTS]


def _sums(amounts: pl.Series, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> pl.Series:
    units = _units_of(amounts)
    if units is not None:  # a tenth of the time of sums of 128 bits
        running = np.concatenate(([0], units.cumsum()))
        return _as_amounts(running[ends] - running[starts])
    sums = pl.concat([pl.Series([0], dtype=AMOUNT), amounts.cum_sum()])
    return sums.gather(ends) - sums.gather(starts)


def _units_of(amounts: pl.Series) -> NDArray[np.int64] | None:
    """Return amounts in units of their last place, None where a sum of them might not fit 64 bits."""
    data = amounts.rechunk().to_arrow()
    halves = np.frombuffer(data.buffers()[1], np.int64)[2 * data.offset : 2 * (data.offset + len(data))]
    low, high = halves[::2], halves[1::2]
    if len(low) and ((high != low >> 63).any() or max(int(low.max()), -int(low.min())) * len(low) >= _LONG):
        return None
    return low


def _as_amounts(units: NDArray[np.int64]) -> pl.Series:
    """Return amounts in units of their last place as decimals; by way of Arrow, which shares the memory."""
    halves = np.empty((len(units), 2), np.int64)
    halves[:, 0], halves[:, 1] = units, units >> 63
    kind = pa.decimal128(AMOUNT.precision, AMOUNT.scale)
    return pl.Series(pa.Array.from_buffers(kind, len(units), [None, pa.py_buffer(halves)]))


def _bounds(lines: pl.DataFrame, height: int) -> NDArray[np.int64]:
    """Return where the lines of each row begin, and the end of the last one."""
    counts = np.bincount(lines.get_column(ROW).to_numpy(), minlength=height)
    return np.concatenate(([0], counts.cumsum())).astype(np.int64, copy=False)


def charge(rows: pl.DataFrame, cards: CardList, *, revision: str) -> Charges:
    """Return the cost lines of calls.

    A meter with the quantity zero has no line, so a call may have none.

    Args:
        rows: Columns `ROW`, `CARD` (number in `cards`, never null) and those of `usage.counts_of`.
        cards: Price cards that the rows name.
        revision: Revision of the price book, written on each line.
    """
    book = _card_table(cards)
    located = book.located(rows)
    counted = tuple(name for name in rows.columns if name not in {ROW, CARD})
    lines = [_NO_LINES]
    refused: list[pl.DataFrame] = []
    for way, part in ways_of(book.shapes, counted).parts(located, located.get_column(_SHAPE)):
        quantities = (quantity.alias(f"{_QUANTITY}{meter}") for meter, quantity in way.split.quantities)
        judged = part.with_columns(_refusal(way.split), *quantities)
        if judged.get_column(REFUSAL).null_count() < judged.height:
            refused.append(_refused(judged.filter(pl.col(REFUSAL).is_not_null()), way.split))
            judged = judged.filter(pl.col(REFUSAL).is_null())
        lines += _quantities(judged, way)
    return Charges(_whole(_by_row(pl.concat(lines)), book, revision), pl.concat([_NO_REFUSALS, *refused]))


def _by_row(lines: pl.DataFrame) -> pl.DataFrame:
    """Return lines that are ordered meter by meter in the order of their rows."""
    # Runs that are sorted are merged: a fifth of the time of a sort that does not know.
    order = lines.get_column(ROW).to_numpy().argsort(kind="stable")
    return pl.DataFrame([pl.Series(each.name, each.to_numpy()[order]) for each in lines])


_SHAPE = "shape"
_STEPS_TYPES = {
    CARD: pl.UInt32(),
    "first": pl.UInt32(),
    "width": pl.UInt32(),
    "starts": pl.List(pl.Int64),
    _SHAPE: pl.UInt32(),
}
_NO_REFUSALS = pl.DataFrame(schema={ROW: pl.UInt32, REFUSAL: pl.String, UNPRICED_METER: pl.String})
_NO_LINES = pl.DataFrame(schema={ROW: pl.UInt32, _LINE: pl.UInt32, _QUANTITY: pl.Int64})


@dataclass(frozen=True, slots=True)
class _CardTable:
    """Cards laid out as one long list of rates; a step of a card is a run of it.

    Attributes:
        fixed: What every line of a rate says, a row a rate of every step of every card, and `_CONTRACTED`.
        contracted: Whether some rate has another contracted price than the listed one.
        steps: By card number: where its first run begins, how long a run is, where its steps begin, and the
            number of its shape.
        shapes: The shapes by their numbers.
        most_starts: Largest number of starts of a card.
    """

    fixed: pl.DataFrame
    contracted: bool
    steps: pl.DataFrame
    shapes: tuple[Shape, ...]
    most_starts: int

    @classmethod
    def empty(cls) -> _CardTable:
        """Return the table of no card."""
        return cls(_fixed_fields([]), False, pl.DataFrame(schema=_STEPS_TYPES), (), 0)

    def grown(self, cards: Sequence[PriceCard]) -> _CardTable:
        """Return the table with further cards, whose numbers follow those that are there."""
        shapes = {shape: number for number, shape in enumerate(self.shapes)}
        numbers = [shapes.setdefault(card.shape, len(shapes)) for card in cards]
        sizes = [len(card.steps) * len(card.shape) for card in cards]
        begun, known = self.fixed.height, self.steps.height
        steps = pl.DataFrame(
            {
                CARD: range(known, known + len(cards)),
                "first": [begun + end - size for end, size in zip(accumulate(sizes), sizes, strict=True)],
                "width": [len(card.shape) for card in cards],
                "starts": [list(card.starts) for card in cards],
                _SHAPE: numbers,
            },
            schema=_STEPS_TYPES,
        )
        rates = [(rate, card.currency) for card in cards for step in card.steps for rate in step]
        return _CardTable(
            pl.concat([self.fixed, _fixed_fields(rates)]),
            self.contracted or any(rate.contracted != rate.unit_price for rate, _ in rates),
            pl.concat([self.steps, steps]),
            tuple(shapes),
            max((self.most_starts, *(len(card.starts) for card in cards))),
        )

    def located(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with the first line of their card's step, and the card's shape."""
        steps = self.steps[rows.get_column(CARD)]
        step = pl.lit(0, pl.UInt32)
        if _TOTAL_INPUT in rows.columns:
            total = rows.get_column(_TOTAL_INPUT).fill_null(0)
            for place in range(self.most_starts):
                start = pl.col("starts").list.get(place, null_on_oob=True)
                step += (total > start).fill_null(value=False).cast(pl.UInt32)
        line = (pl.col("first") + step * pl.col("width")).alias(_LINE)
        return rows.with_columns(steps.select(line, _SHAPE))


def _refusal(split: Split) -> pl.Expr:
    reason: pl.Expr = pl.lit(None, pl.String)
    for why, when in reversed(split.refusals):
        reason = pl.when(when).then(pl.lit(str(why))).otherwise(reason)
    return reason.alias(REFUSAL)


def _refused(rows: pl.DataFrame, split: Split) -> pl.DataFrame:
    """Return why rows have no price, and for want of which meter where it is for that."""
    without = pl.when(pl.col(REFUSAL) == str(NoPrice.NO_METER_PRICE))
    missing = pl.coalesce(
        pl.lit(None, pl.String), *(pl.when(pl.col(key) > 0).then(pl.lit(key)) for key in split.uncovered)
    )
    return rows.select(ROW, REFUSAL, without.then(missing).alias(UNPRICED_METER))


def _quantities(part: pl.DataFrame, way: Way) -> Iterator[pl.DataFrame]:
    """Yield, for each meter in their order, a row each call that is billed for it.

    By series: a block can have many parts of few rows, and an expression takes polars a tenth of a
    millisecond.
    """
    rows, first, shapes = (part.get_column(name) for name in (ROW, _LINE, _SHAPE))
    for meter, _ in way.split.quantities:
        quantity = part.get_column(f"{_QUANTITY}{meter}").alias(_QUANTITY)
        line = first + way.places[meter].gather(shapes)
        billed = quantity > 0
        least = way.least[meter]
        quantity = quantity.filter(billed)
        yield pl.DataFrame(
            [
                rows.filter(billed),
                line.filter(billed).cast(pl.UInt32),
                quantity.clip(lower_bound=least) if least else quantity,
            ]
        ).cast({_QUANTITY: pl.Int64})


def _whole(lines: pl.DataFrame, book: _CardTable, revision: str) -> pl.DataFrame:
    """Return the lines with every field of a cost line."""
    fixed = book.fixed[lines.get_column(_LINE)]
    counts = lines.get_column(_QUANTITY)
    listed = (counts * fixed.get_column("list_unit_price")).cast(AMOUNT)
    # To multiply decimals is most of the work here, and most calls are under no contract.
    contracted = (counts * fixed.get_column(_CONTRACTED)).cast(AMOUNT) if book.contracted else listed
    amounts = {"list": listed}
    columns = [
        lines.get_column(ROW),
        counts.cast(LINE_FIELDS[_QUANTITY]),
        *(amounts.get(name, contracted).alias(name) for name in AMOUNTS),
    ]
    whole = pl.DataFrame([*columns, *fixed.drop(_CONTRACTED)])
    said = (pl.lit(value, LINE_FIELDS[name]).alias(name) for name, value in _SAID_BY_ALL.items())
    revision_ = pl.lit(revision).alias("price_book_rev")
    return whole.with_columns(revision_, *said).select(ROW, *LINE_FIELDS)


def _fixed_fields(rates: Sequence[tuple[Rate, str]]) -> pl.DataFrame:
    """Return what every line of a rate says, and its contracted unit price, by number of the rate."""
    meters = [rate.meter for rate, _ in rates]
    values: dict[str, list[Any]] = {
        "meter": [meter.name for meter in meters],
        "direction": [meter.direction for meter in meters],
        "cache_action": [meter.cache_action for meter in meters],
        "unit": [meter.unit for meter in meters],
        "price_id": [rate.price_id for rate, _ in rates],
        "list_unit_price": [rate.unit_price for rate, _ in rates],
        "currency": [currency for _, currency in rates],
        _CONTRACTED: [rate.contracted for rate, _ in rates],
    }
    schema = LINE_FIELDS | {_CONTRACTED: LINE_FIELDS["list_unit_price"]}
    return pl.DataFrame(
        values,
        schema={name: kind for name, kind in schema.items() if name not in _COMPUTED},
    )


@lru_cache(maxsize=8)
def _card_table(cards: CardList) -> _CardTable:
    """Return the table of a list; a new route adds to it, for thousands are laid out in a second."""
    before = cards.before()
    known = _CardTable.empty() if before is None else _card_table(before)
    return known.grown(cards.cards[known.steps.height :])
