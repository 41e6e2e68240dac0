"""`auditstream show`: everything that is known of one event."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.permalinks import OpenOption

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.core.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(show)


def show(
    context: typer.Context,
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="Event id, or a leaf as topic/partition/epoch/index.")
    ],
    *,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's rows.")] = None,
    opens: OpenOption = False,
) -> None:
    """Show every row of an event: its fields, cost lines, provenance, and the bytes as received.

    Repeats of the event id are rows too. A dead letter has no event id: name its leaf.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.permalinks import open_event
    from auditstream.cli.printing import form_of, print_rows
    from auditstream.query import events

    deployment = running.find(context.obj)
    if opens:
        open_event(context.obj, deployment, wanted)
        return
    with told_reader(deployment, Reading("show", wanted, (events.SHOWN_FROM,), tenant or "")) as reader:
        rows = events.show(reader, wanted, tenant=tenant)
    decoded = _decoded(rows, deployment.settings, context.obj)
    records = [row | {"decoded": datum} for row, datum in zip(rows, decoded, strict=True)]
    if form_of(context.obj) == "table":
        _print_blocks(context.obj, records)
    else:
        print_rows(context.obj, list(records[0]), [list(record.values()) for record in records])


def _decoded(rows: list[dict[str, Any]], settings: Settings, context: Context) -> list[dict[str, Any] | None]:
    """Return the datum in each row's bytes, None where they are not one; says why on stderr."""
    import asyncio

    from auditstream.core.errors import AuditStreamError
    from auditstream.query.datums import decode_rows

    try:
        return asyncio.run(decode_rows(rows, settings.registry))
    except AuditStreamError as error:
        if not context.quiet:
            sys.stderr.write(f"bytes not decoded: {error.message}\n")
        return [None] * len(rows)


def _print_blocks(context: Context, records: list[dict[str, Any]]) -> None:
    """Print each row as name and value a line, without what is empty; cost lines as a table."""
    from auditstream.cli.printing import print_document, print_rows

    for number, record in enumerate(records, 1):
        if len(records) > 1:
            typer.echo(f"{'' if number == 1 else chr(10)}row {number} of {len(records)}")
        costs = record.get("costs") or []
        said = {name: value for name, value in record.items() if _says_something(value) and name != "costs"}
        print_document(context, said)
        if costs:
            names = [name for name in costs[0] if any(line[name] not in {None, ""} for line in costs)]
            typer.echo("costs")
            print_rows(context, names, [[line[name] for name in names] for line in costs])


def _says_something(value: object) -> bool:
    return value is not None and value not in ("", b"", [], {}, ())
