"""`auditstream doctor`: one line a check and what to do about what fails; `rebuild` mends what was found."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

_WIDTH = 8


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(doctor)
    group.command()(rebuild)
    app.add_typer(group, name="doctor")


def doctor(context: typer.Context) -> None:
    """Check settings, Kafka and its topics, the schema registry, ClickHouse and its tables, clocks, leases.

    Ends with 0 when nothing failed, 6 when a service does not answer, 78 when something is set up wrong.
    """
    if context.invoked_subcommand is not None:
        return
    from auditstream.cli import running
    from auditstream.cli.checkup import Finding, failure_code, findings
    from auditstream.cli.context import Output
    from auditstream.cli.printing import form_of, print_rows

    deployment = running.find(context.obj)
    found: list[Finding] = []
    as_table = form_of(context.obj) is Output.TABLE
    for finding in findings(deployment):
        found.append(finding)
        if as_table:
            typer.echo(f"{finding.state:<{_WIDTH}}{finding.check}: {finding.detail}")
            if finding.advice:
                typer.echo(f"{'':<{_WIDTH}}  -> {finding.advice}")
    if not as_table:
        rows = [(each.check, each.state, each.detail, each.advice) for each in found]
        print_rows(context.obj, ("check", "state", "detail", "advice"), rows)
    code = failure_code(found)
    if code:
        raise typer.Exit(code)


def rebuild(
    context: typer.Context,
    *,
    segment: Annotated[str, typer.Option(help="Its id, as the worker's error and view segments have it.")],
) -> None:
    """Add a segment to the rollups that lack it: an insert into them was cut off and never replayed.

    Compares, under the segment's keys, what each rollup has summed with table events, and adds the segment
    where just that is missing. Running it again changes nothing.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from sinks.clients import http_client
    from sinks.feeds import rebuild as add_what_is_missing
    from sinks.refusals import translated

    settings = running.find(context.obj).settings
    with (
        closing(http_client(settings.clickhouse)) as client,
        translated(f"rebuild of {segment}"),
    ):
        mended = add_what_is_missing(client, segment)
    print_rows(context.obj, ("table", "segment"), [(table, segment) for table in mended])
    if not context.obj.quiet:
        typer.echo(f"added to {len(mended)} tables" if mended else "nothing is missing", err=True)
