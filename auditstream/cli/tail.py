"""`auditstream tail`: events as they are recorded."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.permalinks import OpenOption

if TYPE_CHECKING:
    from auditstream.query.arrivals import Arrivals
    from auditstream.query.reader import Table

_LOOK_S = 1.0  # a second apart a person sees a stream, and the store is asked once for what a segment brings

# Columns of a line on a terminal, with widths that fit what is usual; what is wider stays whole.
_COLUMNS = (
    ("event_time", 27),
    ("tenant_id", 12),
    ("event_type", 16),
    ("model", 20),
    ("outcome", 8),
    ("cost_effective", 14),
    ("cost_currency", 3),
    ("event_id", 36),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings={"ignore_unknown_options": True})(tail)


def tail(
    context: typer.Context,
    query: Annotated[list[str] | None, typer.Argument(help="As of search; all terms must hold.")] = None,
    *,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Newest events, shown first.")] = 10,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's events.")] = None,
    once: Annotated[bool, typer.Option("--once", help="End after the newest events.")] = False,
    opens: OpenOption = False,
) -> None:
    """Show the newest events, the oldest of them first, then each that is recorded, until Ctrl-C.

    What arrives late is shown when it arrives, whatever its time.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.context import Output
    from auditstream.cli.permalinks import open_live
    from auditstream.cli.printing import form_of, print_rows
    from auditstream.core.errors import RequestError
    from auditstream.query import events, grammar
    from auditstream.query.arrivals import Arrivals

    if not 0 <= lines <= events.MOST_ROWS:
        raise RequestError(f"--lines {lines}: not between 0 and {events.MOST_ROWS}")
    form = form_of(context.obj)
    if form is Output.JSON and not once:
        hint = "Take --output jsonl, or end after the newest: --once."
        raise RequestError("--output json: an array has an end, and this has none", hint=hint)
    text = " ".join(query or ())
    terms = grammar.parse(text)
    deployment = running.find(context.obj)
    if opens:
        open_live(context.obj, deployment, text, tenant or "")
        return
    asked = Reading("tail", text, (events.FOUND_IN,), tenant or "", whole=True)
    with told_reader(deployment, asked) as reader:
        # Begun before the newest are read: what comes between is then in one of the two.
        arrivals = None if once else Arrivals(reader, terms, tenant=tenant)
        newest = events.search(reader, events.Search(terms, tenant=tenant, limit=lines)) if lines else None
        rows = _rows(newest, arrivals)
        if form is Output.TABLE:
            _print_lines(rows)
        else:
            print_rows(context.obj, events.LIST_COLUMNS, rows)


def _rows(newest: Table | None, arrivals: Arrivals | None) -> Iterator[tuple[Any, ...]]:
    """Yield the newest and then what arrives; what is printed so far is on its way before each look."""
    from auditstream.query.events import LIST_COLUMNS

    at = LIST_COLUMNS.index("event_id")
    shown = set()
    for row in reversed(newest.rows if newest is not None else ()):
        shown.add(row[at])
        yield row
    while arrivals is not None:
        sys.stdout.flush()
        time.sleep(_LOOK_S)
        yield from (row for row in arrivals.look().rows if row[at] not in shown)


def _print_lines(rows: Iterator[tuple[Any, ...]]) -> None:
    from auditstream.cli.printing import fitted
    from auditstream.core.values import as_cell
    from auditstream.query.events import LIST_COLUMNS

    places = [(LIST_COLUMNS.index(name), width) for name, width in _COLUMNS]
    for row in rows:
        line = "  ".join(fitted(as_cell(row[place]), width) for place, width in places).rstrip()
        sys.stdout.write(f"{line}\n")
