"""Remarks of commands: lines on stderr that are not data."""

from __future__ import annotations

import typer

from auditstream.cli.context import Context


def remark(context: Context, line: str) -> None:
    """Write a line to stderr, unless remarks were asked not to be."""
    if not context.quiet:
        typer.echo(line, err=True)
