"""Series from CSV: a column `timestamp` and a column `value`; what is wrong is told with line and column."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from auditstream.core.errors import RequestError

_COLUMNS = ("timestamp", "value")
_SECONDS_OF_YEAR_1 = 31_536_000
"""Least time that is taken, 1971: less is a row number, or the seconds of something else."""


@dataclass(frozen=True, slots=True)
class Point:
    """A row.

    Attributes:
        line: Its line in the file, from 1.
        timestamp: As it is written.
        seconds: Since 1970; without a zone it is taken as UTC.
        value: NaN where the cell is empty: nobody took it.
    """

    line: int
    timestamp: str
    seconds: int
    value: float


def read_series(path: Path) -> list[Point]:
    """Return the rows of a file in their order; other columns than the two are left out.

    Raises:
        RequestError: It cannot be read, or a cell is wrong; names line and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            points = [*_points(path.name, lines)]
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: is not UTF-8: {error.reason}") from error
    if not points:
        raise RequestError(f"{path.name}: has no rows", hint="Give it a line `timestamp,value` and rows.")
    return points


def _points(name: str, lines: Iterable[str]) -> Iterator[Point]:
    rows = csv.reader(lines, strict=True)
    try:
        places = _places(name, next(rows, []))
        before = _SECONDS_OF_YEAR_1
        for row in rows:
            if not row:
                continue
            point = _point(name, rows.line_num, row, places)
            if point.seconds < before:
                reason = "is before 1971" if before == _SECONDS_OF_YEAR_1 else "goes back in time"
                raise _wrong(name, point.line, "timestamp", f"{point.timestamp!r} {reason}")
            before = point.seconds
            yield point
    except csv.Error as error:
        raise RequestError(f"{name}: line {rows.line_num}: is not CSV: {error}") from error


def _places(name: str, header: Sequence[str]) -> tuple[int, int]:
    names = [each.strip().lower() for each in header]
    for column in _COLUMNS:
        if names.count(column) != 1:
            reason = "has no column" if column not in names else "has more than one column"
            raise RequestError(
                f"{name}: line 1: {reason} {column}",
                hint="The first line names the columns: timestamp,value.",
            )
    return names.index(_COLUMNS[0]), names.index(_COLUMNS[1])


def _point(name: str, line: int, row: Sequence[str], places: tuple[int, int]) -> Point:
    for place, column in zip(places, _COLUMNS, strict=True):
        if place >= len(row):
            raise _wrong(name, line, column, "is missing")
    timestamp, value = (row[place].strip() for place in places)
    return Point(line, timestamp, _seconds(name, line, timestamp), _value(name, line, value))


def _seconds(name: str, line: int, text: str) -> int:
    try:
        if text.isascii() and text.isdigit():
            return int(datetime.fromtimestamp(int(text), UTC).timestamp())
        time = datetime.fromisoformat(text)
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, OSError):
        raise _wrong(
            name, line, "timestamp", f"{text!r:.40} is neither ISO 8601 nor seconds since 1970"
        ) from None


def _value(name: str, line: int, text: str) -> float:
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(name, line, "value", f"{text!r:.40} is not a finite number") from None
    return value


def _wrong(name: str, line: int, column: str, reason: str) -> RequestError:
    return RequestError(
        f"{name}: line {line}: column {column}: {reason}",
        hint="Leave the cell of a value empty that nobody took." if column == "value" else None,
    )
