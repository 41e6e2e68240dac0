"""Command lines as the product's own parser reads them, without running anything."""

from __future__ import annotations

import typer.main

from auditstream.cli.main import app, global_options_first


def command_of(arguments: list[str]) -> str:
    """Return the command that the arguments call, as `migrate apply`.

    Raises:
        Exception: The parser's own, if it does not know the command, or one of the options or values.
    """
    command, rest, words = typer.main.get_command(app), global_options_first(arguments), ["auditstream"]
    context = None
    while True:
        context = command.make_context(words[-1], rest, parent=context)
        below = [*context._protected_args, *context.args]
        if not hasattr(command, "resolve_command") or (command.invoke_without_command and not below):
            return " ".join(words[1:])
        name, command, rest = command.resolve_command(context, below)
        assert name is not None
        assert command is not None
        words.append(name)
