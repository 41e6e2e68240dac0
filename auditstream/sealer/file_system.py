"""Every file operation that keeping a log takes, one method each: the seam at which tests let them fail."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class FileSystem:
    """The operating system's. Each method is one system call and raises `OSError`, but for the reads."""

    def create(self, path: Path) -> int:
        """Open a new file for writing; refuses one that exists."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def write(self, fd: int, data: memoryview) -> int:
        """Write some of the bytes; return how many."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Make a file's bytes, or a folder's names, outlive a loss of power."""
        os.fsync(fd)

    def close(self, fd: int) -> None:
        """Close a file or a folder; gives back its lock."""
        os.close(fd)

    def rename(self, path: Path, name: Path) -> None:
        """Give a file another name in one step, in place of a file that had it."""
        path.rename(name)

    def unlink(self, path: Path) -> None:
        """Take a name away."""
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make a folder; refuses one that exists."""
        path.mkdir()

    def remove_folder(self, path: Path) -> None:
        """Remove a folder; refuses one with something in it."""
        path.rmdir()

    def open_folder(self, path: Path) -> int:
        """Open a folder, to sync it."""
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open_lock(self, path: Path) -> int:
        """Open the file that a lock is on; make it when there is none."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def lock(self, fd: int) -> None:
        """Wait for the lock on an open file; the kernel gives it back however the process ends."""
        fcntl.flock(fd, fcntl.LOCK_EX)

    def read(self, path: Path) -> bytes:
        """Return a whole file."""
        return path.read_bytes()

    def names(self, path: Path) -> list[tuple[str, bool]]:
        """Return the names in a folder, and whether each is a folder."""
        with os.scandir(path) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
