"""A folder that processes write to in turn, so that a kill or a loss of power leaves whole files only.

A file is written under `.new/`, synced, and then given its name; a write is over when the folders of its
names are synced. The lock is the kernel's (`flock` on `.lock`): it ends with its owner, so that none is ever
stale, and what an owner that was killed left under `.new/` is removed by the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from auditstream.sealer.file_system import FileSystem
from auditstream.sealer.tile_store import StoreDownError

_LOCK = ".lock"
_NEW = ".new"


class LockedFolder:
    """One such folder; made when it is first written to.

    Args:
        base: A folder that exists.
        name: The folder's path below it.
        files: File operations.
        syncs_at_once: How many files to sync at once: a disk does many in little more time than one.
    """

    def __init__(
        self, base: Path, name: str, files: FileSystem | None = None, *, syncs_at_once: int = 8
    ) -> None:
        self.path = base.absolute() / name
        self._base = str(base.absolute())
        self._root = str(self.path)
        self._new = f"{self._root}/{_NEW}"
        self._files = files or FileSystem()
        self._syncs_at_once = syncs_at_once

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against other writers for the length of the block; waits for its turn.

        Raises:
            StoreDownError: The system refuses, here or in the block.
        """
        with self._answering():
            self._make(self._new)
            fd = self._files.open_lock(f"{self._root}/{_LOCK}")
            try:
                self._files.lock(fd)
                for name, _ in self._files.names(self._new):
                    self._files.unlink(f"{self._new}/{name}")
                yield
            finally:
                self._files.close(fd)

    def read(self, name: str) -> bytes | None:
        """Return a file, None when there is none; needs no lock.

        Raises:
            StoreDownError: The system refuses.
        """
        with self._answering():
            return self._found(f"{self._root}/{name}")

    def add(self, files: Mapping[str, bytes]) -> None:
        """Give bytes names that the caller has seen to be free; locked, and then to be synced."""
        new = [(f"{self._new}/{at}", data) for at, data in enumerate(files.values())]
        with ThreadPoolExecutor(self._syncs_at_once) as threads:
            shares = [new[first :: self._syncs_at_once] for first in range(self._syncs_at_once)]
            list(threads.map(self._write, shares))
        for folder in sorted({_folder(name) for name in files}):
            self._make(f"{self._root}/{folder}" if folder else self._root)
        for name, (written, _) in zip(files, new, strict=True):
            self._files.rename(written, f"{self._root}/{name}")

    def put(self, name: str, data: bytes) -> None:
        """Give bytes a name, in place of what had it; locked, and then to be synced."""
        new = f"{self._new}/0"
        self._write([(new, data)])
        self._files.rename(new, f"{self._root}/{name}")

    def remove(self, name: str) -> None:
        """Take a name away, if it is there, and its folder with the last of them; locked."""
        path = f"{self._root}/{name}"
        with suppress(FileNotFoundError, NotADirectoryError):
            self._files.unlink(path)
        if not any(self._listed(_folder(path))):
            with suppress(FileNotFoundError):
                self._files.remove_folder(_folder(path))

    def sync(self, names: Iterable[str]) -> None:
        """Make names outlive a loss of power, whoever gave them; locked."""
        for folder in sorted(
            {above for name in {_folder(name) for name in names} for above in self._above(name)}
        ):
            fd = self._files.open_folder(folder)
            try:
                self._files.sync(fd)
            finally:
                self._files.close(fd)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of the files under a path that ends in a slash; "" for all.

        Raises:
            StoreDownError: The system refuses.
        """
        for name, is_folder in self._listed(f"{self._root}/{prefix}"):
            if is_folder and name != _NEW:
                yield from self.names(f"{prefix}{name}/")
            elif name not in {_LOCK, _NEW}:
                yield prefix + name

    def _listed(self, folder: str) -> list[tuple[str, bool]]:
        with self._answering():
            try:
                return self._files.names(folder)
            except (FileNotFoundError, NotADirectoryError):
                return []

    def _above(self, folder_name: str) -> Iterator[str]:
        """Yield a folder of names, and those above it, up to the one that was there before us."""
        folder = f"{self._root}/{folder_name}" if folder_name else self._root
        while folder != self._base:
            yield folder
            folder = _folder(folder)
        yield folder

    def _found(self, path: str) -> bytes | None:
        try:
            return self._files.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _write(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write new files, one after the other, and sync each."""
        for path, data in files:
            fd = self._files.create(path)
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[self._files.write(fd, rest) :]
                self._files.sync(fd)
            finally:
                self._files.close(fd)

    def _make(self, folder: str) -> None:
        try:
            self._files.make_folder(folder)
        except FileExistsError:
            return
        except FileNotFoundError:
            if folder == self._base:
                raise
            self._make(_folder(folder))
            self._make(folder)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreDownError(f"{self.path}: {error}") from error


def _folder(name: str) -> str:
    """Return the folder that a file or a folder is in, "" where the name has none."""
    return name.rpartition("/")[0]
