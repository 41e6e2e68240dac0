"""`auditstream slos`: how burn of error budgets is watched."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="slos", help="How burn of error budgets is watched.", no_args_is_help=True)
    group.callback()(_group)
    group.command("windows")(windows)
    app.add_typer(group)


def _group() -> None:
    """How burn of error budgets is watched."""


def windows(
    *,
    days: Annotated[int, typer.Option(min=7, max=366, help="Length of the objective's period.")] = 30,
) -> None:
    """Print the windows of a period as a document of Sloth (AlertWindows), for other tools to watch by."""
    import yaml

    from auditstream.notify.alert_windows import alert_windows

    yaml.safe_dump(alert_windows(days), sys.stdout, sort_keys=False)
