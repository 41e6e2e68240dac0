"""Remarks of commands: lines on stderr that are not data."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from auditstream.cli.context import Context


def remark(context: Context, line: str) -> None:
    """Write a line to stderr, unless remarks were asked not to be."""
    remarks(context, (line,))


def remarks(context: Context, lines: Iterable[str]) -> None:
    """Write lines to stderr, unless remarks were asked not to be."""
    if not context.quiet:
        for line in lines:
            typer.echo(line, err=True)
