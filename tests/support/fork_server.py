"""Starts worker processes by forking one that has imported what they import.

A worker spends a second and a half of processor time on its imports, and a run of the suite starts a hundred
of them. What is forked runs `main()` of its module from its first line on, and ends as any Python program
does. Only imports are shared: nothing that starts a thread which a fork would lose may be among them.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import inspect
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

# What Faust imports when an application is made.
FAUST = (
    "faust.app.router",
    "faust.assignor.leader_assignor",
    "faust.fixups.django",
    "faust.stores.base",
    "faust.tables.objects",
    "faust.tables.sets",
    "faust.transport.utils",
)
# pyarrow imports it with its first array, where it is installed.
PANDAS = ("pandas", "pyarrow.pandas_compat") if importlib.util.find_spec("pandas") else ()
_SHARED = (
    *FAUST,
    *PANDAS,
    "aiokafka",
    "auditstream.reference.snapshot",
    "fastavro",
    "faust",
    "genai_prices.data",
    "polars_avro",
    "pyarrow",
    "rich.pretty",
    "sinks.clickhouse",
    "streams.process",
    "streams.recording.assembly",
    "streams.worker",
)
_LOST_BY_A_FORK = ("polars-0", "tokio-rt-worker")
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_ANSWER_S = 60.0  # the first one waits for the imports


class ForkedProcess:
    """A process that a `ForkServer` has started; the part of `subprocess.Popen` that `Child` uses."""

    def __init__(self, server: ForkServer, number: int, pid: int) -> None:
        self._server = server
        self._number = number
        self.pid = pid

    def poll(self) -> int | None:
        """Return the exit code or the negative signal number, None while the process runs."""
        return self._server.code_of(self._number, within_s=0.0)

    def wait(self, timeout: float) -> int:
        """Wait for the end.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        code = self._server.code_of(self._number, within_s=timeout)
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)


class ForkServer:
    """One server process; it ends with the block, and all that it started with it.

    What it starts is numbered: in a long run a process id comes again, and with it would the exit code of the
    process that had it before.

    Args:
        command: The server, where it is another one than this module.
    """

    def __init__(self, command: Sequence[str] = (sys.executable, "-m", __name__)) -> None:
        self._codes: dict[int, int] = {}
        self._started: list[tuple[int, int]] = []
        self._rest = b""
        self._popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def start(self, module: str, *, env: Mapping[str, str], log: Path) -> ForkedProcess:
        """Run `main()` of a module in a process of its own session, with this process's environment and more.

        Args:
            module: Its dotted name.
            env: Variables to add.
            log: File that stdout and stderr are appended to.
        """
        log.touch()  # whoever reads it need not wait for the process to open it
        assert self._popen.stdin is not None
        order = {"module": module, "env": {**os.environ, **env}, "log": str(log), "folder": str(Path.cwd())}
        self._popen.stdin.write(json.dumps(order).encode() + b"\n")
        self._popen.stdin.flush()
        deadline = time.monotonic() + _ANSWER_S
        while not self._started:
            self._hear(deadline - time.monotonic())
            if time.monotonic() > deadline:
                raise TimeoutError(f"the fork server has started nothing in {_ANSWER_S} s")
        return ForkedProcess(self, *self._started.pop())

    def code_of(self, number: int, *, within_s: float) -> int | None:
        """Return how the process of a number ended, None when it has not in time."""
        deadline = time.monotonic() + within_s
        while number not in self._codes:
            left = deadline - time.monotonic()
            if not self._hear(max(left, 0.0)) and left <= 0:
                return None
        return self._codes[number]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._popen.communicate()

    def _hear(self, within_s: float) -> bool:
        """Take in what the server says next; False when it says nothing in time."""
        assert self._popen.stdout is not None
        if not select.select([self._popen.stdout], [], [], within_s)[0]:
            return False
        heard = os.read(self._popen.stdout.fileno(), 1 << 16)
        if not heard:
            raise ChildProcessError(f"the fork server ended with {self._popen.wait()}")
        *lines, self._rest = (self._rest + heard).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "code" in said:
                self._codes[said["number"]] = said["code"]
            else:
                self._started.append((said["number"], said["pid"]))
        return True


def serve() -> dict[str, Any]:
    """Fork for every line of standard input; returns, in each forked process, what it is to run.

    Does not return in the server itself, which ends with its standard input and kills what it has started.
    """
    import_all(_SHARED)
    gc.freeze()  # so that collections in the forked processes do not copy every page
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running: dict[int, int] = {}
    count = 0
    pending = b""
    while True:
        ready = select.select([0, woken], [], [])[0]
        if woken in ready:
            os.read(woken, 1 << 16)
            _reap(running)
        if 0 not in ready:
            continue
        heard = os.read(0, 1 << 16)
        if not heard:
            break
        *orders, pending = (pending + heard).split(b"\n")
        for order in orders:
            parent, pid = os.getpid(), os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(woken)
                os.close(wake)
                return _settled(json.loads(order), parent)
            count += 1
            running[pid] = count
            _say({"number": count, "pid": pid})
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    sys.exit(0)


def import_all(modules: Iterable[str]) -> None:
    """Import what forked processes shall have.

    Raises:
        RuntimeError: That started threads, which no fork has.
    """
    for name in modules:
        importlib.import_module(name)
    # Faust asks which module declares an agent: that of every loaded file is found out once.
    inspect.getmodule(sys._getframe())
    threads = [file.read_text().strip() for file in Path("/proc/self/task").glob("*/comm")]
    lost = sorted(set(threads) & set(_LOST_BY_A_FORK))
    if lost:
        raise RuntimeError(f"the shared imports start threads that no fork has: {lost}")


def _reap(running: dict[int, int]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _say({"number": running.pop(pid), "code": os.waitstatus_to_exitcode(status)})


def _say(message: Mapping[str, int]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _settled(order: dict[str, Any], parent: int) -> dict[str, Any]:
    """Give a forked process its session, its streams and its environment."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    os.setsid()
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    return order


if __name__ == "__main__":
    importlib.import_module(serve()["module"]).main()
