"""A command of the product as a child process that is started again when it dies."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from auditstream.core.settings import PREFIX, Settings
from auditstream.embedded.leash import LeashedProcess

_PROGRAM = (sys.executable, "-P", "-c", "from auditstream.cli.main import main; main()")
_POLL_S = 0.2
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0
_LIVED_S = 60.0  # a process that ran for so long was no failed start
_STOP_S = 20.0  # over a worker's own drain


class WatchedProcess:
    """A command that runs until `stop`, however often its process dies.

    Attributes:
        name: What it is called when somebody is told of it.
        log: What its processes print.
        deaths: How many of its processes have ended by themselves.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        settings: Settings,
        *,
        folder: Path,
        log: Path,
        say: Callable[[str], None],
    ) -> None:
        """Start the first process.

        Args:
            name: What it is called when somebody is told of it, as `worker`.
            arguments: Command line of the product, as `worker`.
            settings: What the command is told.
            folder: Its working folder.
            log: File that its output is appended to.
            say: Is told, from another thread, when a process dies.

        Raises:
            OSError: Python cannot be started.
        """
        self.log = log
        self.name = name
        self._command = (*_PROGRAM, *arguments)
        self._folder = folder
        self._environment = environment(settings)
        self._say = say
        self.deaths = 0
        self._stopping = threading.Event()
        self._process = self._start()
        self._watch = threading.Thread(target=self._keep_alive, name=f"{name}-watch", daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        """Process id of the present process, or of the last one while none runs."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether a process is there now."""
        return self._process.is_running

    def stop(self) -> None:
        """Ask the process to end in order, and wait; kill it when it does not in 20 seconds."""
        self._stopping.set()
        self._watch.join()
        self._process.stop(_STOP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> LeashedProcess:
        return LeashedProcess(self._command, folder=self._folder, log=self.log, env=self._environment)

    def _keep_alive(self) -> None:
        """Start the process again when it dies, after a wait that doubles as long as it dies early."""
        wait_s, started_s = _FIRST_WAIT_S, time.monotonic()
        while not self._stopping.wait(_POLL_S):
            if self._process.is_running:
                continue
            self._process.stop()
            self.deaths += 1
            self._say(
                f"the {self.name} ended with {self._process.exit_code}; again in {wait_s:.0f} s ({self.log})"
            )
            if self._stopping.wait(wait_s):
                return
            lived = time.monotonic() - started_s - wait_s > _LIVED_S
            wait_s = _FIRST_WAIT_S if lived else min(2 * wait_s, _LONGEST_WAIT_S)
            self._process, started_s = self._start(), time.monotonic()


def environment(settings: Settings) -> Mapping[str, str]:
    """Return the environment in which `load` gives these settings: this process's own, with ours over it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | dict(_variables(settings.model_dump(mode="python"), PREFIX))


def _variables(values: Mapping[str, object], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        variable = prefix + name.upper()
        if isinstance(value, Mapping):
            found += _variables(value, variable + "__")
        elif value is not None:
            found.append((variable, _text(value)))
    return found


def _text(value: object) -> str:
    """Return a setting as pydantic-settings reads it from the environment."""
    get_secret = getattr(value, "get_secret_value", None)
    if callable(get_secret):
        return str(get_secret())
    if isinstance(value, tuple):
        return json.dumps(value)
    return str(value)
