"""Rows on stdout as they come, however many there are; and one object, in the same four forms.

Values are written as `printing.as_json` says; what JSON has no number for (NaN, infinity) is null.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from rich.cells import cell_len, set_cell_size

from auditstream.cli.context import Context, Output
from auditstream.cli.printing import as_json, form_of

_FITTED_ROWS = 200  # a table's widths are those of its first rows: it is printed before the last is known
_WIDEST = 60


def stream_rows(context: Context, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows to stdout; holds at most some 200 of them at once.

    Args:
        context: Tells the form.
        columns: Names of the columns; should a name come twice, JSON has the last of its values.
        rows: A value a column each.
    """
    match form_of(context):
        case Output.TABLE:
            _write_table(columns, rows)
        case Output.CSV:
            _write_csv(columns, rows)
        case Output.JSONL:
            sys.stdout.writelines(f"{_line(dict(zip(columns, row, strict=True)))}\n" for row in rows)
        case Output.JSON:
            _write_array(dict(zip(columns, row, strict=True)) for row in rows)


def print_document(context: Context, document: Mapping[str, Any]) -> None:
    """Write one object to stdout: JSON over several lines, JSONL on one, else name and value a line."""
    match form_of(context):
        case Output.JSON:
            sys.stdout.write(json.dumps(_plain(document), indent=2, ensure_ascii=False) + "\n")
        case Output.JSONL:
            sys.stdout.write(_line(document) + "\n")
        case Output.CSV:
            _write_csv(("name", "value"), document.items())
        case Output.TABLE:
            width = max(map(len, document), default=0)
            sys.stdout.writelines(f"{name:<{width}}  {_cell(value)}\n" for name, value in document.items())


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(as_json(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return as_json(value)


def _line(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _write_array(records: Iterable[Mapping[str, Any]]) -> None:
    separator = "["
    for record in records:
        sys.stdout.write(f"{separator}\n  {_line(record)}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def _write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(value) for value in row] for row in rows)


def _text(value: Any) -> str:
    """Return a value as one piece of text: nothing for null, JSON for lists and maps."""
    simple = _plain(value)
    if simple is None:
        return ""
    return simple if isinstance(simple, str) else json.dumps(simple, ensure_ascii=False)


def _write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    coming = iter(rows)
    first = [[_cell(value) for value in row] for row in islice(coming, _FITTED_ROWS)]
    widths = [min(_WIDEST, max(map(cell_len, cells))) for cells in zip(columns, *first, strict=True)]
    rest: Iterator[list[str]] = ([_cell(value) for value in row] for row in coming)
    lines = chain([list(columns)], first, rest)
    sys.stdout.writelines("  ".join(map(_fitted, cells, widths)).rstrip() + "\n" for cells in lines)


def _fitted(cell: str, width: int) -> str:
    """Return a cell padded to its column; one that is wider stays whole, so that nothing is hidden."""
    return cell if cell_len(cell) >= width else set_cell_size(cell, width)


def _cell(value: Any) -> str:
    """Return a value for a terminal: control characters, which could steer it, are written as escapes."""
    return "".join(each if each.isprintable() else _escape(each) for each in _text(value))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
