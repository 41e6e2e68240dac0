"""`auditstream doctor`: one line a check, and what to do about each that fails."""

from __future__ import annotations

import typer

_WIDTH = 8


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(context: typer.Context) -> None:
    """Check settings, Kafka and its topics, the schema registry, ClickHouse and its tables, clocks, leases.

    Ends with 0 when nothing failed, 6 when a service does not answer, 78 when something is set up wrong.
    """
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
