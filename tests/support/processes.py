"""Child processes that tests freeze, resume and kill, and that leave nothing behind.

A child dies with the thread that started it (PR_SET_PDEATHSIG), so start children from a test's main thread.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.support.fork_server import ForkedProcess, ForkServer
from tests.support.patience import patient

# How often a condition is looked at: at first often, later as seldom as a twelfth of the wait so far, for a
# look may be a query; well under any time-out of the protocol.
_POLL_S = (0.05, 0.5)
_POLL_SHARE = 0.08
_REAP_S = 10.0  # SIGKILL is final; this only covers a machine that is overloaded

# Set in the child itself and not by `preexec_fn`, which runs Python between fork and exec in a process with
# threads. The second line covers a parent that died before the first one ran.
_LEASH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]): os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


Process = subprocess.Popen[bytes] | ForkedProcess


class Child:
    """One running child; what it prints goes to `log`."""

    def __init__(self, start: Callable[[Path], Process], *, log: Path) -> None:
        """Start a process.

        Args:
            start: Starts it, with stdout and stderr appended to the file that it is given.
            log: That file.
        """
        self.log = log
        self._start_of_log = log.stat().st_size if log.exists() else 0
        self._popen = start(log)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Whether the child has not ended; a frozen child runs."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative signal number, or None while it runs."""
        return self._popen.poll()

    def freeze(self) -> None:
        """Stop the child (SIGSTOP) and wait until all its threads stand still."""
        self._popen.send_signal(signal.SIGSTOP)
        wait_until(lambda: self._state() in "TZ", within_s=_REAP_S, what=f"process {self.pid} is stopped")

    def resume(self) -> None:
        """Let a frozen child go on (SIGCONT)."""
        self._popen.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask the child to end (SIGTERM)."""
        self._popen.send_signal(signal.SIGTERM)

    def kill(self) -> int:
        """End the child at once (SIGKILL), frozen or not; return its exit code."""
        self._popen.kill()
        return self._popen.wait(_REAP_S)

    def wait(self, within_s: float) -> int:
        """Wait for the child's own end; return its exit code.

        Raises:
            TimeoutError: It is still running; quotes the end of its log.
        """
        limit_s = patient(within_s)
        try:
            return self._popen.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self} did not end in {limit_s} s\n{self.tail()}") from None

    def lines(self) -> list[str]:
        """Return what this child has printed so far; a last line without its end is left out."""
        with self.log.open("rb") as file:
            file.seek(self._start_of_log)
            text = file.read().decode("utf-8", "replace")
        return text.split("\n")[:-1]

    def tail(self, count: int = 15) -> str:
        """Return the last lines, for messages."""
        return "\n".join(self.lines()[-count:])

    def wait_for_line(self, pattern: str, *, times: int = 1, within_s: float) -> re.Match[str]:
        """Wait until `times` lines contain `pattern`; return the match in the last of them.

        Raises:
            TimeoutError: They do not, in time.
            ChildProcessError: The child ended without them.
        """

        def found() -> list[re.Match[str]]:
            return [match for line in self.lines() if (match := re.search(pattern, line))]

        what = f"{pattern!r} x {times} in the log of {self}"
        self.wait_until(lambda: len(found()) >= times, within_s=within_s, what=what)
        return found()[times - 1]

    def wait_until(self, predicate: Callable[[], bool], *, within_s: float, what: str) -> None:
        """Wait until `predicate` holds, as long as the child lives.

        Raises:
            TimeoutError: It does not, in time.
            ChildProcessError: The child ended first.
        """

        def holds_or_over() -> bool:
            return predicate() or not self.is_running

        try:
            wait_until(holds_or_over, within_s=within_s, what=what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from None
        if not predicate():
            raise ChildProcessError(f"{self} ended with {self.exit_code} before {what}\n{self.tail()}")

    def _state(self) -> str:
        """Return the letter of proc(5) "stat", or Z when the process is gone."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return "Z"
        return stat.rpartition(")")[2].split()[0]

    def __repr__(self) -> str:
        return f"process {self.pid} ({self.log.name})"


class Children:
    """All children of one test; none outlives the `with` block."""

    def __init__(self, folder: Path, fork_server: ForkServer | None = None) -> None:
        """Put the children's logs into `folder`, one file a name; without a server none can be forked."""
        self._folder = folder
        self._fork_server = fork_server
        self._started: list[Child] = []

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        """Start a program that prints to `<name>.log`; the same name may be used again after its end.

        Args:
            name: Of the log.
            command: Program and arguments; `sys.executable` for Python.
            env: Variables to add to this process's environment.
        """
        return self._kept(name, lambda log: _started(command, env or {}, log))

    def fork(self, name: str, module: str, env: Mapping[str, str]) -> Child:
        """Start `main()` of a worker's module, which saves its imports; else as `start`."""
        server = self._fork_server
        assert server is not None
        return self._kept(name, lambda log: server.start(module, env=env, log=log))

    def _kept(self, name: str, start: Callable[[Path], Process]) -> Child:
        child = Child(start, log=self._folder / f"{name}.log")
        self._started.append(child)
        return child

    def end(self) -> None:
        """End every child at once; those that have ended are left as they are."""
        for child in self._started:
            child.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _started(command: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    leash = [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid())]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*leash, *command],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until(predicate: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Wait until `predicate` holds, on a slow machine as long as `patient` says.

    Raises:
        TimeoutError: It does not within `within_s`; says `what` was waited for.
    """
    started, within_s = time.monotonic(), patient(within_s)
    while not predicate():
        waited = time.monotonic() - started
        if waited > within_s:
            raise TimeoutError(f"not in {within_s} s: {what}")
        time.sleep(min(max(_POLL_S[0], waited * _POLL_SHARE), _POLL_S[1]))
