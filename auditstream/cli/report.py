"""`auditstream report`: what the record comes to."""

from __future__ import annotations

import typer

from auditstream.cli.report_cost import cost
from auditstream.cli.report_wrapper import wrapper


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="report", help="What the record comes to.", no_args_is_help=True)
    group.command("cost")(cost)
    group.command("wrapper")(wrapper)
    app.add_typer(group)
