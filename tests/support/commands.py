"""The product's command line as a child process, and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from tests.support.forked_programs import ForkedPrograms
from tests.support.patience import patient
from tests.support.processes import wait_until

# The first line ends the command with the test run, however that ends (PR_SET_PDEATHSIG).
_PROGRAM = """
import ctypes, signal; ctypes.CDLL(None).prctl(1, signal.SIGKILL)
from auditstream.cli.main import main; main()
"""
COMMAND = (sys.executable, "-P", "-c", _PROGRAM)
_END_S = 40.0


class Command:
    """A running command.

    Attributes:
        process: Its process.
        data_dir: Its data directory.
    """

    def __init__(
        self, arguments: list[str], data_dir: Path, log: Path, program: Sequence[str] = COMMAND
    ) -> None:
        self.data_dir = data_dir
        self._log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [*program, "--data-dir", str(data_dir), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @property
    def errors(self) -> str:
        """What it has printed on stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, text: str, *, within_s: float) -> None:
        """Wait until stderr has a text."""
        self.wait_until(lambda: text in self.errors, within_s=within_s, what=text)

    def wait_ready(self, *, within_s: float = 60.0) -> dict[str, Any]:
        """Wait for `runtime.json`, and return it."""
        file = self.data_dir / "runtime.json"
        self.wait_until(file.exists, within_s=within_s, what="runtime.json")
        runtime: dict[str, Any] = json.loads(file.read_text())
        return runtime

    def wait_until(self, holds: Callable[[], bool], *, within_s: float, what: str) -> None:
        """Wait until something holds, for as long as the command runs."""

        def holds_or_over() -> bool:
            return holds() or self.process.poll() is not None

        try:
            wait_until(holds_or_over, within_s=within_s, what=what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.errors}") from None
        code = self.process.poll()
        assert code is None or holds(), f"ended with {code}: {self.errors}"

    def end(self, *, within_s: float = _END_S) -> str:
        """Wait for the command's end and return what it has printed on stdout."""
        output, _ = self.process.communicate(timeout=patient(within_s))
        return output


@contextmanager
def started(*arguments: str, data_dir: Path, programs: ForkedPrograms | None = None) -> Iterator[Command]:
    """Run a command for the length of the block; neither it nor a child of it outlives the block.

    Args:
        arguments: Of the command line.
        data_dir: Its data directory.
        programs: What forks it, and what it starts, without their imports; a process of its own when None.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    command = Command(list(arguments), data_dir, data_dir.with_suffix(".log"), program_of(programs))
    try:
        yield command
    finally:
        family = family_of(command.process.pid)
        if command.process.poll() is None:
            command.process.terminate()
            try:
                command.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                command.process.kill()
                command.process.wait()
        assert command.process.stdout is not None
        command.process.stdout.close()
        for each in psutil.wait_procs(list(family), timeout=_END_S)[1]:
            each.kill()


def family_of(pid: int) -> set[psutil.Process]:
    """Return a process's children, and theirs."""
    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def survivors(processes: set[psutil.Process], *, within_s: float) -> list[psutil.Process]:
    """Return which processes have not ended in time."""
    _, alive = psutil.wait_procs(list(processes), timeout=patient(within_s))
    return alive


def program_of(programs: ForkedPrograms | None) -> Sequence[str]:
    """Return what a command line begins with."""
    return COMMAND if programs is None else (programs.auditstream,)


def ran(
    *arguments: str, data_dir: Path, programs: ForkedPrograms | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; see `started`."""
    return subprocess.run(
        [*program_of(programs), "--data-dir", str(data_dir), *arguments],
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
