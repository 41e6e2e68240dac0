"""Rows and documents on stdout, in the form that was asked for; rows as they come, however many there are."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from rich.cells import cell_len, set_cell_size

from auditstream.cli.context import Context, Output
from auditstream.core.errors import RequestError
from auditstream.core.values import as_cell, as_json, as_line, as_text

FORMS = (Output.TABLE, Output.JSON, Output.JSONL, Output.CSV)
"""Forms of every command; commands that write pages look at the option themselves."""

_FITTED_ROWS = 200  # a table's widths are those of its first rows: it is printed before the last is known
_WIDEST = 60


def form_of(context: Context) -> Output:
    """Return the form of the data: as asked for, else a table on a terminal and JSONL in a pipe.

    Raises:
        RequestError: A page or a file was asked for, and the command has none.
    """
    if context.output is not None and context.output not in FORMS:
        raise RequestError(
            f"--output {context.output}: this command has no such form",
            hint=f"It has {', '.join(FORMS)}.",
        )
    return context.output or (Output.TABLE if sys.stdout.isatty() else Output.JSONL)


def print_rows(context: Context, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
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
            sys.stdout.writelines(f"{as_line(each)}\n" for each in _records(columns, rows))
        case Output.JSON:
            _write_array(_records(columns, rows))


def print_document(context: Context, document: Mapping[str, Any]) -> None:
    """Write one object to stdout: JSON over several lines, JSONL on one, else name and value a line."""
    match form_of(context):
        case Output.JSON:
            sys.stdout.write(json.dumps(as_json(document), indent=2, ensure_ascii=False) + "\n")
        case Output.JSONL:
            sys.stdout.write(as_line(document) + "\n")
        case Output.CSV:
            _write_csv(("name", "value"), document.items())
        case Output.TABLE:
            width = max(map(len, document), default=0)
            sys.stdout.writelines(f"{name:<{width}}  {as_cell(value)}\n" for name, value in document.items())


def _records(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _write_array(records: Iterable[Mapping[str, Any]]) -> None:
    separator = "["
    for record in records:
        sys.stdout.write(f"{separator}\n  {as_line(record)}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def _write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([as_text(value) for value in row] for row in rows)


def _write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    cells: Iterator[list[str]] = ([as_cell(value) for value in row] for row in chain([columns], rows))
    first = list(islice(cells, _FITTED_ROWS + 1))
    widths = [min(_WIDEST, max(map(cell_len, column))) for column in zip(*first, strict=True)]
    lines = ("  ".join(map(fitted, each, widths)).rstrip() for each in chain(first, cells))
    sys.stdout.writelines(f"{line}\n" for line in lines)


def fitted(cell: str, width: int) -> str:
    """Return a cell padded to its column; one that is wider stays whole, so that nothing is hidden."""
    return cell if cell_len(cell) >= width else set_cell_size(cell, width)
