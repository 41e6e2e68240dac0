"""`auditstream report`: what the record comes to."""

from __future__ import annotations

import typer

from auditstream.cli.report_cost import cost


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="report", help="What the record comes to.", no_args_is_help=True)
    group.command("cost")(cost)
    app.add_typer(group)
