"""Cost lines: quantity times unit price, rounded once.

The rounding rule of the product, and the only place of it: a line is quantity times unit price, rounded
half-even to 12 places; a total is the sum of rounded lines. The product is exact before it is rounded: a
whole quantity leaves the 18 places of the price as they are, and `usage.LARGEST_COUNT` keeps it inside 38
digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from auditstream.pricing.book import NoPrice
from auditstream.pricing.card_table import CardTable, card_table
from auditstream.pricing.cards import CardList
from auditstream.pricing.counts import Counts, Longs, Mask
from auditstream.pricing.fixed_point import Factors, Units, as_decimals, sums
from auditstream.pricing.line_fields import COSTS, LINE_FIELDS
from auditstream.pricing.route_windows import CARD, REFUSAL
from auditstream.pricing.usage import Split, quantity
from auditstream.pricing.ways import Ways, ways_of
from schemas.sameness import says_one

ROW = "row"
UNPRICED_METER = "unpriced_meter"
"""Column: key of the meter for want of whose price a call has none."""

AMOUNT = pl.Decimal(38, 12)
AMOUNTS = ("list", "contracted", "effective", "billed")

_QUANTITY = "quantity"
_TOTAL_INPUT = "input_tokens"

_SAID_BY_ALL = {"category": "inference", "source": "LOCAL"}
_SAID_BY_NONE = ("resource_id", "period_start", "period_end")


@dataclass(frozen=True, slots=True)
class Charges:
    """What rows cost.

    Attributes:
        lines: Columns `ROW` and `LINE_FIELDS`, one row a line, by row and in the order of the card's meters;
            texts by number.
        borders: Where the lines of each row begin, by the number of the row, and the end of the last one.
        refused: Columns `ROW`, `REFUSAL` and `UNPRICED_METER`, for each row whose counts have no price.
        listed: What each line costs by the list, in units of an amount's last place.
        contracted: What it costs under the contract, likewise.
    """

    lines: pl.DataFrame
    borders: Longs
    refused: pl.DataFrame
    listed: Units
    contracted: Units

    def totals(self, rows: pl.Series) -> list[pl.Series]:
        """Return the sums of each row's lines as `cost_list` to `cost_billed`, zero for a row without lines.

        Args:
            rows: Numbers of all rows that the lines are of, ascending.
        """
        numbers = rows.to_numpy()
        borders = padded(self.borders, int(numbers[-1]) + 1 if len(numbers) else 0)
        bounds = borders.take(numbers), borders.take(numbers + 1)
        listed = as_decimals(sums(self.listed, bounds), AMOUNT)
        # What a contract makes of it is often the same: then it is added up once.
        same = self.contracted is self.listed
        contracted = listed if same else as_decimals(sums(self.contracted, bounds), AMOUNT)
        of_name = {"list": listed}
        return [of_name.get(name, contracted).alias(f"cost_{name}") for name in AMOUNTS]


def nested(lines: pl.DataFrame, borders: Longs) -> pl.Series:
    """Return the lines of each row as one list, empty for a row without lines.

    Args:
        lines: Columns `LINE_FIELDS` and any others, ordered by row; texts may be by number.
        borders: Where the lines of each row begin, and the end of the last one.
    """
    records = pl.DataFrame([lines.get_column(name) for name in LINE_FIELDS]).to_struct()
    # Grouping takes polars 1 us a row. From Arrow come lists of nothing, and the records are put in the place
    # of it: as Arrow they would be looked at again, the number of each text.
    places = pl.Series(COSTS, pa.LargeListArray.from_arrays(pa.array(borders), pa.nulls(len(records))))
    put = pl.element().map_batches(lambda _: records, return_dtype=records.dtype, is_elementwise=True)
    return places.list.eval(put)


def borders_of(lines: pl.DataFrame, height: int) -> Longs:
    """Return where the lines of each of so many rows begin, and the end of the last one.

    Args:
        lines: Column `ROW`, ascending.
        height: Number of rows.
    """
    return _ends(np.bincount(lines.get_column(ROW).to_numpy(), minlength=height))


def padded(borders: Longs, height: int) -> Longs:
    """Return the borders of so many rows, the last of which have no lines."""
    lacking = height + 1 - len(borders)
    return np.pad(borders, (0, lacking), mode="edge") if lacking > 0 else borders


def _ends(sizes: NDArray[np.int64]) -> Longs:
    ends = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=ends[1:])
    return ends


def charge(rows: pl.DataFrame, cards: CardList, *, revision: str) -> Charges:
    """Return the cost lines of calls.

    A meter with the quantity zero has no line, so a call may have none.

    Args:
        rows: Columns `ROW`, ascending, `CARD` (number in `cards`, never null) and those of `usage.counts_of`.
        cards: Price cards that the rows name.
        revision: Revision of the price book, written on each line.
    """
    table = card_table(cards)
    counts = Counts.of((column for column in rows if column.name not in {ROW, CARD}), rows.height)
    numbers = rows.get_column(ROW).to_numpy()
    steps = table.steps(rows.get_column(CARD).to_numpy(), counts.values.get(_TOTAL_INPUT))
    ways = ways_of(table.shapes, counts.keys)
    refused = [_NO_REFUSALS]
    quantities = _quantities(counts, ways, steps.shape, numbers, refused)
    is_billed = quantities > 0
    billed = np.flatnonzero(is_billed)
    rates = (steps.rate[:, np.newaxis] + ways.places.take(steps.shape, axis=0)).ravel().take(billed)
    of_line = numbers.take(billed // max(ways.width, 1))
    sizes = np.zeros(int(numbers[-1]) + 1 if len(numbers) else 0, np.int64)
    sizes[numbers] = sum(is_billed[:, place].astype(np.int64) for place in range(ways.width))
    lines, listed, contracted = _whole(rates, quantities.ravel().take(billed), of_line, table, revision)
    return Charges(lines, _ends(sizes), pl.concat(refused), listed, contracted)


_NO_REFUSALS = pl.DataFrame(schema={ROW: pl.UInt32, REFUSAL: pl.String, UNPRICED_METER: pl.String})


def _quantities(
    counts: Counts, ways: Ways, shapes: Longs, numbers: NDArray[np.uint32], refused: list[pl.DataFrame]
) -> Longs:
    """Return what each call is billed for, by place of its way's meters; adds to `refused` who has no price.

    Way by way, as arrays of calls that follow each other: a block can have many ways with few calls each.
    """
    order, parts = ways.ordered(shapes)
    counts = counts if order is None else counts.take(order)
    numbers = numbers if order is None else numbers.take(order)
    found = np.zeros((counts.height, ways.width), np.int64)
    for way, begin, end in parts:
        part, of_way = counts.between(begin, end), found[begin:end]
        for meter, share in way.split.quantities:
            of_meter, least = quantity(part, share), way.least[meter]
            of_way[:, meter] = np.where(of_meter > 0, np.maximum(of_meter, least), 0) if least else of_meter
        why = _refusals(part, way.split)
        if why:
            places = np.flatnonzero(np.logical_or.reduce([mask for _, mask in why]))
            of_way[places] = 0
            refused.append(_refused(numbers[begin:end], part, way.split, why, places))
    if order is None:
        return found
    in_order = np.empty_like(found)
    in_order[order] = found
    return in_order


def _refusals(counts: Counts, split: Split) -> list[tuple[NoPrice, Mask]]:
    """Return why some of the calls have no price and which ones, in order of rank."""
    judged = ((why, test(counts)) for why, test in split.refusals)
    return [(why, mask) for why, mask in judged if mask is not None]


def _refused(
    numbers: NDArray[np.uint32],
    counts: Counts,
    split: Split,
    why: list[tuple[NoPrice, Mask]],
    places: NDArray[np.intp],
) -> pl.DataFrame:
    """Return why calls at some places have no price, and for want of which meter where it is for that."""
    reasons = _first_named([(str(reason), mask.take(places)) for reason, mask in why], len(places))
    used = [(key, counts.values[key].take(places) > 0) for key in split.uncovered]
    missing = _first_named(used, len(places)).set(reasons != str(NoPrice.NO_METER_PRICE), None)
    return pl.DataFrame(
        [
            pl.Series(ROW, numbers.take(places)),
            reasons.alias(REFUSAL),
            missing.alias(UNPRICED_METER),
        ]
    )


def _first_named(named: list[tuple[str, Mask]], height: int) -> pl.Series:
    """Return for each row the name of the first mask that holds for it; null where none does."""
    found = np.full(height, len(named), np.uint32)
    for number in range(len(named) - 1, -1, -1):
        found[named[number][1]] = number
    return pl.Series([*(name for name, _ in named), None], dtype=pl.String).gather(pl.Series(found))


def _whole(
    rates: Longs, counts: Longs, of_line: NDArray[np.uint32], table: CardTable, revision: str
) -> tuple[pl.DataFrame, Units, Units]:
    """Return lines with every field of a cost line, and what they cost by the list and under the contract."""
    listed_of = table.listed_of.take(rates)
    listed = table.listed[listed_of].times(counts)
    # Most calls are under no contract.
    contracted = listed if table.contracted is None else table.contracted[rates].times(counts)
    amounts = {"list": as_decimals(listed, AMOUNT)}
    amount = amounts["list"] if contracted is listed else as_decimals(contracted, AMOUNT)
    places = pl.Series(listed_of.astype(np.uint32))
    said = (_said_at(column, places) for column in table.said)
    quantities = _decimals(counts, LINE_FIELDS[_QUANTITY])
    fields = {
        _QUANTITY: quantities,
        **{name: amounts.get(name, amount) for name in AMOUNTS},
        **{column.name: column for column in said},
        **{one.name: one.new_from_index(0, len(quantities)) for one in _said_by_all(revision)},
    }
    columns = (fields[name].alias(name) for name in LINE_FIELDS)
    return pl.DataFrame([pl.Series(ROW, of_line), *columns]), listed, contracted


def _said_at(column: pl.Series, places: pl.Series) -> pl.Series:
    # All prices of a book are in one currency most often.
    return column.new_from_index(0, len(places)) if says_one(column) else column.gather(places)


@lru_cache(maxsize=16)
def _said_by_all(revision: str) -> list[pl.Series]:
    """Return what every line of a price book says, once."""
    texts = {**_SAID_BY_ALL, "price_book_rev": revision}
    said = [pl.Series(name, [text], pl.Enum([text])) for name, text in texts.items()]
    return said + [pl.Series(name, [None], LINE_FIELDS[name]) for name in _SAID_BY_NONE]


def _decimals(counts: NDArray[np.int64], kind: pl.Decimal) -> pl.Series:
    one = np.full(len(counts), 10**kind.scale)
    return as_decimals(Factors(1, one, None).times(counts), kind)
