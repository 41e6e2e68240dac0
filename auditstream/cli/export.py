"""`auditstream export`: files for other systems, each with a manifest."""

from __future__ import annotations

import typer

from auditstream.cli import export_events, export_focus


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="export", help="Files for other systems, each with a manifest.", no_args_is_help=True
    )
    export_focus.register(group)
    export_events.register(group)
    app.add_typer(group)
