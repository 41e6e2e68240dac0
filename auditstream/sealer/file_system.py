"""Every file operation that keeping a log takes, one method each: the seam at which tests let them fail.

Paths are strings: a page of leaves is 512 files, and `pathlib` took half of the time that writing them takes.
"""

from __future__ import annotations

import fcntl
import os


class FileSystem:
    """The operating system's. Each method is one system call and raises `OSError`, but for the reads."""

    def create(self, path: str) -> int:
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

    def rename(self, path: str, name: str) -> None:
        """Give a file another name in one step, in place of a file that had it."""
        os.rename(path, name)

    def unlink(self, path: str) -> None:
        """Take a name away."""
        os.unlink(path)

    def make_folder(self, path: str) -> None:
        """Make a folder; refuses one that exists."""
        os.mkdir(path)

    def remove_folder(self, path: str) -> None:
        """Remove a folder; refuses one with something in it."""
        os.rmdir(path)

    def open_folder(self, path: str) -> int:
        """Open a folder, to sync it."""
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open_lock(self, path: str) -> int:
        """Open the file that a lock is on; make it when there is none."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def lock(self, fd: int) -> None:
        """Wait for the lock on an open file; the kernel gives it back however the process ends."""
        fcntl.flock(fd, fcntl.LOCK_EX)

    def read(self, path: str) -> bytes:
        """Return a whole file."""
        with open(path, "rb", buffering=0) as file:
            return file.read()

    def names(self, path: str) -> list[tuple[str, bool]]:
        """Return the names in a folder, and whether each is a folder."""
        with os.scandir(path) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
