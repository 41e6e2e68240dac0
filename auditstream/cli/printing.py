"""Rows and documents on stdout, in the form that was asked for."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from auditstream.cli.context import Context, Output


def form_of(context: Context) -> Output:
    """Return the form of the data: as asked for, else a table on a terminal and JSONL in a pipe."""
    return context.output or (Output.TABLE if sys.stdout.isatty() else Output.JSONL)


def print_rows(context: Context, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows to stdout; JSONL and CSV as they come.

    Args:
        context: Global options.
        columns: Names of the columns.
        rows: Values of each row, in the order of the columns.
    """
    plain = ([as_json(value) for value in row] for row in rows)
    match form_of(context):
        case Output.JSON:
            objects = [dict(zip(columns, row, strict=True)) for row in plain]
            sys.stdout.write(json.dumps(objects, ensure_ascii=False, indent=2) + "\n")
        case Output.JSONL:
            for row in plain:
                sys.stdout.write(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n")
        case Output.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_as_text(value) for value in row] for row in plain)
        case Output.TABLE:
            _print_table(context, columns, plain)


def print_document(context: Context, document: Mapping[str, Any]) -> None:
    """Write one object to stdout; as a table or CSV, a name and its value a line."""
    match form_of(context):
        case Output.JSON:
            sys.stdout.write(json.dumps(as_json(document), ensure_ascii=False, indent=2) + "\n")
        case Output.JSONL:
            sys.stdout.write(json.dumps(as_json(document), ensure_ascii=False) + "\n")
        case Output.CSV:
            print_rows(context, ("name", "value"), list(document.items()))
        case Output.TABLE:
            width = max(map(len, document), default=0)
            for name, value in document.items():
                sys.stdout.write(f"{name:<{width}}  {_as_text(as_json(value))}\n")


def as_json(value: Any) -> Any:
    """Return a value as JSON has it: decimals as text, times as ISO 8601 in UTC with Z, bytes as hex."""
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment.isoformat().removesuffix("+00:00") + "Z"
    if isinstance(value, Mapping):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _as_word(value)


def _as_word(value: object) -> str:
    match value:
        case Decimal():
            return f"{value:f}"
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _print_table(context: Context, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name)
    for row in rows:
        table.add_row(*(Text(_as_text(value)) for value in row))
    Console(no_color=not context.color, highlight=False).print(table)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
