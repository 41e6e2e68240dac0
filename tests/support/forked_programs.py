"""The product's programs, forked from a process that has imported what they import.

A command spends most of a second of processor time on its imports, and the pages alone type a hundred. A
program here is a small client of a server: it hands over its streams, arguments, folder and environment, and
ends as the forked process does. What a command starts by itself is forked as well: `up` has four commands and
an embedded ClickHouse.

Not for tests of how a process starts or what outlives it: the forked process is the server's child.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.support.fork_server import DIE_WITH_PARENT, FAUST, PANDAS, import_all

ROOT = Path(__file__).parents[2]
# What commands import when they run. Without chDB, which starts threads when it is imported.
_SHARED = (
    *FAUST,
    *PANDAS,
    "aiohttp.web",
    "auditstream.access.oidc",
    "auditstream.cli.main",
    "auditstream.cli.rule_folder",
    "auditstream.cli.settling",
    "auditstream.demo.performance",
    "auditstream.detection.rules.packaged",
    "auditstream.embedded.clickhouse_audit",
    "auditstream.embedded.deployment",
    "auditstream.emit.asset_watching",
    "auditstream.emit.budget_watching",
    "auditstream.emit.detecting",
    "auditstream.emit.notifying",
    "auditstream.emit.slo_watching",
    "auditstream.evidence.verification",
    "auditstream.gateway.app",
    "auditstream.reference.price_import",
    "auditstream.sealer.service",
    "auditstream_verify.command",
    "confluent_kafka.admin",
    "fastavro",
    "genai_prices.data",
    "pyarrow",
    "rich.progress",
    "rich.table",
    "sinks.clickhouse",
    "sinks.reference",
    "sinks.snapshot_cache",
    "streams.agents.detect",
    "streams.findings_feed",
    "streams.process",
    "streams.recording.assembly",
    "streams.worker",
    "uvicorn",
)
_ADDRESS = "server.socket"
_FRONT = "clickhouse-front"
_CLIENT = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
order = dict(module={module!r}, program=sys.argv[0], arguments={first!r} + sys.argv[1:])
order |= dict(folder=os.getcwd(), env=dict(os.environ))
message = json.dumps(order).encode() + b"\\n"
sent = socket.send_fds(server, [message], [0, 1, 2])
server.sendall(message[sent:])
answers = server.makefile("r")
pid = int(answers.readline())
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = int(answers.readline() or -signal.SIGKILL)
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if code != -signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


class ForkedPrograms:
    """One server process, and programs that it forks; all end with the block."""

    def __init__(self, folder: Path) -> None:
        """Start the server.

        Args:
            folder: For its socket and the programs; made when it is not there.
        """
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._auditstream = self.write("auditstream", "auditstream.cli.main")
        self.write(_FRONT, "auditstream.embedded.clickhouse_front")
        command = [sys.executable, "-P", "-c", f"from {__name__} import main; main()", self._auditstream]
        path = os.pathsep.join(str(ROOT / name) for name in ("", "sdk", "verify"))
        self._server = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._server.stdout is not None
        if self._server.stdout.readline() != b"ready\n":
            raise ChildProcessError(f"the server ended with {self._server.wait()}")

    @property
    def auditstream(self) -> str:
        """Path of the program `auditstream`."""
        return self._auditstream

    def write(self, name: str, module: str, *first: str, folder: Path | None = None) -> str:
        """Write a program that runs `main()` of a module, and return its path.

        Args:
            name: Of the file.
            module: Its dotted name.
            first: Arguments before those that the program is called with.
            folder: Where it is written to; beside the socket when None.
        """
        file = (folder or self._folder) / name
        address = str(self._folder / _ADDRESS)
        file.write_text(
            _CLIENT.format(python=sys.executable, address=address, module=module, first=list(first))
        )
        file.chmod(0o755)
        return str(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()


def serve(program: str) -> dict[str, Any]:
    """Fork for every client; returns, in each forked process, what it is to run.

    Does not return in the server itself, which ends with its standard input, and all that it forked with it.
    """
    import_all(_SHARED)
    from auditstream.embedded import clickhouse_process, watched_process

    watched_process._PROGRAM = (program,)  # type: ignore[assignment]
    clickhouse_process._PROGRAM = (str(Path(program).with_name(_FRONT)),)  # type: ignore[assignment]
    gc.freeze()  # so that collections in the forked processes do not copy every page
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(Path(program).with_name(_ADDRESS)))
        listener.listen(64)
        os.write(1, b"ready\n")
        return _Server(listener).run()


class _Server:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._running: dict[int, socket.socket] = {}
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self) -> dict[str, Any]:
        """Serve; see `serve`."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        while True:
            watched: list[int | socket.socket] = [0, self._woken, self._listener, *self._running.values()]
            ready = select.select(watched, [], [])[0]
            if 0 in ready:
                sys.exit(0)
            if self._woken in ready:
                os.read(self._woken, 1 << 16)
                self._reap()
            for pid, client in self._running.items():
                if client in ready:  # it says nothing, so that this is its end
                    os.kill(pid, signal.SIGKILL)
            if self._listener in ready:
                order = self._fork()
                if order is not None:
                    return order

    def _fork(self) -> dict[str, Any] | None:
        """Fork for the next client; return its order in the forked process, None in this one."""
        client, _ = self._listener.accept()
        message, streams, _, _ = socket.recv_fds(client, 1 << 16, 3)
        while not message.endswith(b"\n"):
            message += client.recv(1 << 16)
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            for connection in (client, self._listener, *self._running.values()):
                connection.close()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self._woken)
            os.close(self._wake)
            return _settled(json.loads(message), streams, parent)
        for stream in streams:
            os.close(stream)
        self._running[pid] = client
        client.sendall(b"%d\n" % pid)
        return None

    def _reap(self) -> None:
        for pid in list(self._running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                with self._running.pop(pid) as client:
                    try:
                        client.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
                    except BrokenPipeError:
                        continue  # its client has ended first


def _settled(order: dict[str, Any], streams: list[int], parent: int) -> dict[str, Any]:
    """Give a forked process its client's streams, arguments, folder and environment."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    for target, source in enumerate(streams):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["folder"])
    sys.argv[:] = [order["program"], *order["arguments"]]
    return order


def main() -> None:
    """Be the server of the program that is the argument, and then whatever it forks."""
    sys.exit(importlib.import_module(serve(sys.argv[1])["module"]).main())
