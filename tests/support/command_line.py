"""The command line in this process, with only the commands that a test names."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import typer

from auditstream.cli import main

Run = Callable[..., int]


def command_line(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> Run:
    """Return a function that runs one command line and returns its exit code."""
    app = typer.Typer()
    app.callback()(main._options)
    for module in modules:
        module.register(app)
    monkeypatch.setattr(main, "app", app)
    return lambda *arguments: main.run([str(argument) for argument in arguments])


def rows_of(output: str) -> list[dict[str, Any]]:
    """Return the JSON lines that a command wrote to stdout."""
    return [json.loads(line) for line in output.splitlines()]
