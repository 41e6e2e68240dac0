"""The `auditstream` command: global options, error printing, exit codes.

Data goes to stdout, everything else to stderr. Commands import what they need when they run, so that
`auditstream --help` is quick.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from auditstream.cli.context import Context, Output
from auditstream.cli.examples import add_examples
from auditstream.core.errors import AuditStreamError

# Commands in the order of the help page; each module has `register(app)`.
COMMANDS = (
    "up",
    "demo",
    "gateway",
    "serve",
    "worker",
    "seal",
    "forward",
    "witness",
    "migrate",
    "apply",
    "keys",
    "tokens",
    "assets",
    "emit",
    "schema",
    "price",
    "prices",
    "reprice",
    "report",
    "search",
    "show",
    "trace",
    "tail",
    "unseal",
    "sql",
    "status",
    "dlq",
    "budgets",
    "detectors",
    "rules",
    "findings",
    "slos",
    "verify",
    "prove",
    "evidence",
    "export",
    "reconcile",
    "erase",
    "doctor",
    "config",
)

CLOSED_PIPE = 141
"""Exit code when nobody reads the output any more, as after `| head`: a shell's for SIGPIPE (128 + 13)."""

# Global options may stand anywhere on the line; these take a value, those do not.
_WITH_VALUE = ("--data-dir", "--output")
_FLAGS = ("--quiet", "-q", "--verbose", "-v", "--no-color")

app = typer.Typer(
    name="auditstream",
    help="The record of every AI action: what happened, what it cost, who owes it.",
    epilog="Global options may also follow the command.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"auditstream {version('auditstream')}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    data_dir: Annotated[
        Path, typer.Option(help="Where an embedded deployment keeps its data.", envvar="AUDITSTREAM_DATA_DIR")
    ] = Path(".auditstream"),
    output: Annotated[
        Output | None, typer.Option(help="Form of the data on stdout; table on a terminal, else jsonl.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no remarks.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tracebacks and debug logs.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", envvar="NO_COLOR", help="No colours.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    context.obj = Context(data_dir, output, quiet=quiet, verbose=verbose, color=not no_color)


for _name in COMMANDS:
    import_module(f"auditstream.cli.{_name}").register(app)
add_examples(app)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 bug, and the error classes' own otherwise."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_output()
        return CLOSED_PIPE
    return code


def _run(arguments: list[str]) -> int:
    arguments = global_options_first(arguments)
    verbose = "-v" in arguments or "--verbose" in arguments
    try:
        outcome: Any = app(arguments, standalone_mode=False)
    except AuditStreamError as error:
        _print_error(error, verbose=verbose)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("interrupted", err=True)
        return 130
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        raise
    except SystemExit as end:  # typer's answer to a closed pipe, with the code of a bug
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise
    except Exception as error:  # noqa: BLE001  the last resort before the interpreter's own traceback
        return _other_error(error)
    return outcome if isinstance(outcome, int) else 0


def _let_go_of_output() -> None:
    """Lead what is still buffered nowhere: the interpreter writes it at its end, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            with suppress(OSError):  # not a file
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def global_options_first(arguments: list[str]) -> list[str]:
    """Return the arguments with the global options moved in front of the command."""
    front: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            rest += [argument, *waiting]
            break
        if argument in _WITH_VALUE and waiting:
            front += [argument, waiting.pop(0)]
        elif argument in _FLAGS or argument.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest


def _print_error(error: AuditStreamError, *, verbose: bool) -> None:
    typer.echo(f"error[{error.code}]: {error.message}", err=True)
    if error.hint:
        typer.echo(f"  hint: {error.hint}", err=True)
    if verbose:
        traceback.print_exception(error)


def _other_error(error: Exception) -> int:
    """Print a usage error of the parser, or anything unforeseen with its traceback."""
    show = getattr(error, "show", None)
    if callable(show):
        show(file=sys.stderr)
        return int(getattr(error, "exit_code", 2))
    typer.echo(f"error[bug]: {error!r}", err=True)
    traceback.print_exception(error)
    return 1
