"""A sign on stderr, where that is a terminal, that something is under way, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from auditstream.cli.context import Context


@contextmanager
def waiting(context: Context, what: str) -> Iterator[None]:
    """Show it for the length of the block.

    Args:
        context: Tells whether it is wanted.
        what: What is under way, as `counting`.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, no_color=not context.color)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=context.quiet, transient=True) as progress:
        progress.add_task(what, total=None)
        yield
