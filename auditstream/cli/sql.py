"""`auditstream sql`: a read-only statement of the user's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.core.errors import AuditStreamError, PartialResultError

if TYPE_CHECKING:
    from pyarrow import RecordBatch

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

    --output arrow and --output parquet write a file of columns with their types, for BI tools and notebooks.

    The server keeps it read-only, and reads what the user's role may read. Exit code 7 when only part of the
    answer was printed: there were more rows than --limit, or the server broke off.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.arrow_output import refuse_terminal

    refuse_terminal(context.obj.output)
    text = (sys.stdin.read() if statement == "-" else statement).strip()
    patience_s = timeout + _PATIENCE_S if timeout else _A_DAY_S
    deployment = running.find(context.obj)
    with told_reader(deployment, Reading("sql", text), analyst=True, answer_within_s=patience_s) as reader:
        is_whole = _print(context.obj, reader, _Answer(text, timeout, limit))
    if is_whole:
        return 0
    if not context.obj.quiet:
        sys.stderr.write(f"{limit} rows; there are more: --limit\n")
    return PartialResultError.exit_code


@dataclass(slots=True)
class _Answer:
    """What is asked, and how many rows of the answer were printed so far."""

    text: str
    timeout_s: float
    limit: int | None
    printed: int = 0


def _print(context: Context, reader: Reader, answer: _Answer) -> bool:
    """Print the answer, and return whether that was all of it."""
    from auditstream.cli.arrow_output import FORMS

    write = _write_columns if context.output in FORMS else _write_rows
    try:
        return write(context, reader, answer)
    except AuditStreamError as error:
        if not answer.printed:
            raise
        raise PartialResultError(f"after {answer.printed} rows: {error.message}", hint=error.hint) from error


def _write_rows(context: Context, reader: Reader, answer: _Answer) -> bool:
    from auditstream.cli.printing import print_rows

    def counted(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        for row in islice(rows, answer.limit):
            yield row
            answer.printed += 1

    with reader.stream(answer.text, limit_s=answer.timeout_s) as found:
        print_rows(context, found.columns, counted(found.rows))
        return answer.limit is None or next(found.rows, None) is None


def _write_columns(context: Context, reader: Reader, answer: _Answer) -> bool:
    from auditstream.cli.arrow_output import write_batches

    is_whole = True

    def counted(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
        nonlocal is_whole
        for batch in batches:
            room = batch.num_rows if answer.limit is None else answer.limit - answer.printed
            is_whole = batch.num_rows <= room
            yield batch.slice(0, room)
            answer.printed += min(room, batch.num_rows)
            if not is_whole:
                return

    with reader.arrow(answer.text, limit_s=answer.timeout_s) as found:
        write_batches(context.output, found.schema, counted(found.batches))
        return is_whole
