"""Files that only their owner may read: made once, replaced as a whole, refused when others may open them."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from auditstream.core.errors import ConfigError

_MAX_BYTES = 1_000_000
_OTHERS = 0o077


class KeyFileError(ConfigError):
    """A key file is missing, open to others, or not one."""

    code = "key_file"
    hint = "Make one with `auditstream seal keys new`, or restore the one that was there."


def read_secret(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        KeyFileError: There is none, others may open it, or it is much too long.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS:
                raise KeyFileError(
                    f"{path} can be read or written by others (mode {mode & 0o777:o})",
                    hint=f"chmod 600 {path}; and rotate the key if somebody may have read it.",
                )
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise KeyFileError(f"there is no key file {path}") from error
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise KeyFileError(f"{path} is not a key file: more than {_MAX_BYTES} bytes")
    return data


def create_secret(path: Path, data: bytes) -> None:
    """Write a new file; durable on return.

    Raises:
        KeyFileError: There is one already, which stays; or the folder cannot be written.
    """
    with _written(path, data) as new:
        try:
            os.link(new, path)
        except FileExistsError as error:
            hint = "A key that is gone is gone: move the file away if you are sure that it is not needed."
            raise KeyFileError(f"{path} exists and is not overwritten", hint=hint) from error


def replace_secret(path: Path, former: bytes, data: bytes) -> None:
    """Write a file in place of one with these former bytes; durable on return.

    Raises:
        KeyFileError: It holds others by now.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if read_secret(path) != former:
                raise KeyFileError(f"{path} was changed by another process", hint="Run it again.")
            with _written(path, data) as new:
                new.replace(path)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """Lend the bytes as a synced file beside `path`, and make the folder durable afterwards."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        yield new
        _sync_folder(path.parent)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}", hint="May the folder be written?") from error
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            new.unlink()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
