"""One owner a data path: a lock that the kernel gives back however the owner ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from auditstream.core.errors import ConfigError


class PathOwnedError(ConfigError):
    """Another process owns the data path."""

    code = "path_owned"
    hint = "Ask the running one over HTTP (runtime.json says where), or stop it first."


class OwnerLock:
    """The lock on a data path; its file holds the owner's process id for people to read."""

    def __init__(self, file: Path) -> None:
        """Take the lock.

        Raises:
            PathOwnedError: Another process, or another lock of this one, has it.
        """
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._fd, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise PathOwnedError(f"{file.parent} is owned by process {owner}") from error
        os.truncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
