"""Starts and stops the process that owns a chDB data path."""

from __future__ import annotations

import importlib.util
import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Self

from auditstream.core.errors import AuditStreamError, ConfigError, RetryableError
from auditstream.embedded.clickhouse_admission import AdmissionLimits
from auditstream.embedded.clickhouse_credentials import Credential
from auditstream.embedded.clickhouse_lock import PathOwnedError
from auditstream.embedded.clickhouse_permissions import Limits
from auditstream.embedded.clickhouse_settings import AuditSettings, FrontSettings
from auditstream.embedded.loopback_ports import free_port

_PROGRAM = (sys.executable, "-m", "auditstream.embedded.clickhouse_front")
_LOG_FILE = "clickhouse.log"
_READY_S = 60.0  # two seconds on a quiet machine, most of it Python's imports
_STOP_S = 30.0  # over the process's own last resort


class RunningClickHouse:
    """An embedded ClickHouse that answers on loopback.

    Attributes:
        host: Always 127.0.0.1.
        port: Its HTTP port.
        user: Name of the first owner among its credentials.
        password: That user's token.
        path: The data path.
        pid: Process id.
    """

    def __init__(
        self, child: subprocess.Popen[bytes], ready: dict[str, Any], owner: Credential, path: Path
    ) -> None:
        self._child = child
        self.host = str(ready["host"])
        self.port = int(ready["port"])
        self.user = owner.user
        self.password = owner.token
        self.path = path
        self.pid = child.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._child.poll() is None

    def stop(self, timeout_s: float = _STOP_S) -> int:
        """Ask the process to end (SIGTERM), wait, and kill it when it has not ended in time.

        Returns:
            Its exit code; 0 when it ended cleanly.
        """
        self._child.terminate()
        try:
            return self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()
        finally:
            self._close_pipes()

    def kill(self) -> int:
        """End the process at once (SIGKILL); the next start on its path recovers."""
        self._child.kill()
        code = self._child.wait()
        self._close_pipes()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_running:
            self.stop()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()


def start_clickhouse(
    data_dir: Path,
    *,
    port: int = 0,
    credentials: Sequence[Credential] = (),
    databases: Sequence[str] = ("default",),
    limits: Limits = Limits(),  # noqa: B008 - frozen
    admission: AdmissionLimits = AdmissionLimits(),  # noqa: B008 - frozen
    patience_s: float = 30.0,
    audit: AuditSettings | None = None,
    timeout_s: float = _READY_S,
) -> RunningClickHouse:
    """Start an embedded ClickHouse on `data_dir` and wait until it answers.

    The process ends when this one does, however this one ends.

    Args:
        data_dir: The data path; made when it does not exist. What the process logs is in `clickhouse.log`.
        port: Loopback port; 0 for a free one.
        credentials: Who may ask; by default one owner `default` with a random token.
        databases: Databases of the product, made when they do not exist; the first is the default one.
        limits: Bounds of a reader's statement.
        admission: Bounds on queries in flight.
        patience_s: How long a client may take to send or to take one piece of a body.
        audit: How to tell of what is asked; None to tell nobody.
        timeout_s: Bound on the start.

    Raises:
        PathOwnedError: Another process owns the path.
        ConfigError: chDB is not installed, no credential is an owner, or the process refuses to start.
        RetryableError: It does not answer in time.
    """
    if importlib.util.find_spec("chdb") is None:
        raise ConfigError(
            "the embedded ClickHouse needs chDB", hint="Install it: pip install 'auditstream[embedded]'."
        )
    users = list(credentials) or [Credential("default", secrets.token_urlsafe(24))]
    owner = next((each for each in users if each.statements == "owner"), None)
    if owner is None:
        raise ConfigError("one credential of the embedded ClickHouse has to be an owner")
    settings = FrontSettings(
        credentials=tuple(users),
        databases=tuple(databases),
        limits=limits,
        admission=admission,
        patience_s=patience_s,
        audit=audit,
    )
    data_dir.mkdir(parents=True, exist_ok=True)
    child = _spawn(data_dir, port or free_port())
    try:
        _tell(child, settings)
        return RunningClickHouse(child, _ready(child, data_dir, timeout_s), owner, data_dir)
    except BaseException:
        child.kill()
        child.communicate()
        raise


def _tell(child: subprocess.Popen[bytes], settings: FrontSettings) -> None:
    assert child.stdin is not None
    with suppress(BrokenPipeError):  # it ended already, and has said why or left it in its log
        child.stdin.write(json.dumps(asdict(settings)).encode() + b"\n")
        child.stdin.flush()


def _spawn(data_dir: Path, port: int) -> subprocess.Popen[bytes]:
    command = [*_PROGRAM, "--data-dir", str(data_dir), "--port", str(port)]
    with (data_dir / _LOG_FILE).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - this package's own module
            command,
            stdin=subprocess.PIPE,  # stays open: its end tells the process that this one is gone
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches only this process, which then stops its children
        )


def _ready(child: subprocess.Popen[bytes], data_dir: Path, timeout_s: float) -> dict[str, Any]:
    """Wait for the line that says where the process listens, or why it does not."""
    lines: Queue[bytes] = Queue()
    assert child.stdout is not None
    threading.Thread(target=lambda: lines.put(_line_of(child)), daemon=True).start()
    log = data_dir / _LOG_FILE
    try:
        line = lines.get(timeout=timeout_s)
    except Empty:
        raise RetryableError(f"the embedded ClickHouse did not answer in {timeout_s} s; see {log}") from None
    try:
        message: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        raise ConfigError(f"the embedded ClickHouse ended at its start; see {log}") from None
    if "error" in message:
        raise _refused(message)
    return message


def _line_of(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout is not None
    return child.stdout.readline()


def _refused(message: dict[str, Any]) -> AuditStreamError:
    kind = PathOwnedError if message["code"] == PathOwnedError.code else ConfigError
    return kind(str(message["error"]), hint=str(message["hint"]))
