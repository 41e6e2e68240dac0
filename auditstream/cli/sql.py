"""`auditstream sql`: a read-only statement of the user's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.core.errors import AuditStreamError, PartialResultError

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.query.reader import Reader

TIMEOUT_S = 60.0
"""How long a statement may run when nothing else is said; also what the deployments of ours allow at most."""

# The server stops a statement, and says so, before the client stops waiting for it.
_PATIENCE_S = 10.0
_A_DAY_S = 86_400.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sql)


def sql(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(help="One SELECT; - reads it from standard input.")],
    *,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds it may run; 0 leaves that to the server's own limit.")
    ] = TIMEOUT_S,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows at most; all when not given.")] = None,
) -> int:
    """Run a read-only statement as the analyst, and print its rows as they come.

    The server keeps it read-only, and reads what the user's role may read. Exit code 7 when only part of the
    answer was printed: there were more rows than --limit, or the server broke off.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader

    text = (sys.stdin.read() if statement == "-" else statement).strip()
    patience_s = timeout + _PATIENCE_S if timeout else _A_DAY_S
    deployment = running.find(context.obj)
    with told_reader(deployment, Reading("sql", text), analyst=True, answer_within_s=patience_s) as reader:
        is_whole = _print(context.obj, reader, text, timeout, limit)
    if is_whole:
        return 0
    if not context.obj.quiet:
        sys.stderr.write(f"{limit} rows; there are more: --limit\n")
    return PartialResultError.exit_code


def _print(context: Context, reader: Reader, text: str, timeout_s: float, limit: int | None) -> bool:
    """Print the answer, and return whether that was all of it."""
    from auditstream.cli.printing import print_rows

    printed = 0

    def counted(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        nonlocal printed
        for row in islice(rows, limit):
            yield row
            printed += 1

    try:
        with reader.stream(text, limit_s=timeout_s) as answer:
            print_rows(context, answer.columns, counted(answer.rows))
            return limit is None or next(answer.rows, None) is None
    except AuditStreamError as error:
        if not printed:
            raise
        raise PartialResultError(f"after {printed} rows: {error.message}", hint=error.hint) from error
