"""Files that a caller names, read and written whole; what goes wrong is the caller's to mend."""

from __future__ import annotations

from pathlib import Path

from auditstream.core.errors import RequestError


def read_bytes(path: Path) -> bytes:
    """Return a file.

    Raises:
        RequestError: It cannot be read; names it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, in place of one that is there.

    Raises:
        RequestError: It cannot be written; names it.
    """
    try:
        path.write_bytes(data)
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error
