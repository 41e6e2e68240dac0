"""Every command's help ends with an example, and the example is a command line of the product."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from auditstream.cli.examples import EXAMPLES
from auditstream.cli.main import app, global_options_first


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, by its words."""
    inside = getattr(command, "commands", {})
    if not inside or command.invoke_without_command:
        yield " ".join(words), command
    for name, each in inside.items():
        yield from commands(each, (*words, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_every_command_has_one_example_and_every_example_a_command() -> None:
    assert COMMANDS.keys() - {""} == EXAMPLES.keys()


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_one_of_its_command_and_stands_in_its_help(name: str) -> None:
    typed = shlex.split(EXAMPLES[name])
    words = name.split()
    arguments = global_options_first(typed[typed.index("auditstream") + 1 :])
    begin = arguments.index(words[0])

    assert arguments[begin : begin + len(words)] == words
    assert COMMANDS[name].make_context(name, arguments[begin + len(words) :])
    assert COMMANDS[name].epilog == f"Example: {EXAMPLES[name]}"


def test_a_shell_completes_commands() -> None:
    typed = {"_AUDITSTREAM_COMPLETE": "complete_bash", "COMP_WORDS": "auditstream dlq ", "COMP_CWORD": "2"}
    program = "import sys; sys.argv[0] = 'auditstream'; from auditstream.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | typed, capture_output=True, text=True, check=False
    )

    assert done.stdout.split() == ["list", "show", "replay"]
