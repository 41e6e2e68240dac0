"""`auditstream sql`: a read-only statement of the user's own."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sql)


def sql(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(help="One SELECT; - reads it from standard input.")],
) -> None:
    """Run a read-only statement as the analyst, and print its rows as they come.

    The server keeps it read-only: it runs under readonly = 1, and reads what the user's role may read.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows

    text = (sys.stdin.read() if statement == "-" else statement).strip()
    reader = running.open_reader(running.find(context.obj), analyst=True)
    try:
        with reader.stream(text) as answer:
            print_rows(context.obj, answer.columns, answer.rows)
    finally:
        reader.close()
