"""File operations that end the process, fail, or lose what was not synced, where a test says."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from auditstream.sealer.file_system import FileSystem

OPERATIONS = frozenset(name for name in vars(FileSystem) if not name.startswith("_"))
_OPENING = frozenset({"create", "open_folder", "open_lock"})


class DeadError(BaseException):
    """The process has ended: no handler of the code under test may act on it."""


class DyingFiles(FileSystem):
    """Ends the process at the n-th operation, half done if it is a write.

    Ended is ended: every later operation ends it again, also one in a `finally` block.

    Args:
        at: Number of the operation, from 0; none when None.
        done: Whether that operation itself is still done.
        die: What ends the process, `DeadError` when None.
        files: What does the operations.
    """

    def __init__(
        self,
        at: int | None = None,
        *,
        done: bool = False,
        die: Callable[[], None] | None = None,
        files: FileSystem | None = None,
    ) -> None:
        self.operated: list[str] = []
        self._at = at
        self._done = done
        self._die = die or _dead
        self._files = files or FileSystem()
        self._open: set[int] = set()

    def bury(self) -> None:
        """Do what a kernel does with an ended process: close what is open, and so give back its locks."""
        for fd in self._open:
            self._files.close(fd)
        self._open.clear()

    def __getattribute__(self, name: str) -> Any:
        if name not in OPERATIONS:
            return super().__getattribute__(name)
        return lambda *arguments: self._operate(name, arguments)

    def _operate(self, name: str, arguments: tuple[Any, ...]) -> Any:
        number = len(self.operated)
        self.operated.append(name)
        at = self._at
        if at is not None and (number > at or (number == at and not self._done)):
            self._die()
        if number == at and name == "write":
            arguments = (arguments[0], arguments[1][: len(arguments[1]) // 2])
        result = getattr(self._files, name)(*arguments)
        if name in _OPENING:
            self._open.add(result)
        if name == "close":
            self._open.discard(arguments[0])
        if number == at:
            self._die()
        return result


def moments(operated: Sequence[str]) -> Iterator[tuple[int, bool]]:
    """Yield where to end a process: before every operation, within every write, and after the last operation.

    After an operation is before the next one, where operations come one at a time.

    Args:
        operated: The operations of a process that was not ended.

    Yields:
        Number of the operation and whether it is done, as `DyingFiles` takes them.
    """
    for at, name in enumerate(operated):
        yield at, False
        if name == "write" or at == len(operated) - 1:
            yield at, True


class FailingFiles(FileSystem):
    """Refuses the n-th operation, as a disk that is full or broken does, and no other.

    Args:
        at: Number of the operation, from 0.
        files: What does the others.
    """

    def __init__(self, at: int, files: FileSystem) -> None:
        self._left = at
        self._files = files

    def __getattribute__(self, name: str) -> Any:
        if name not in OPERATIONS:
            return super().__getattribute__(name)
        return lambda *arguments: self._operate(name, arguments)

    def _operate(self, name: str, arguments: tuple[Any, ...]) -> Any:
        self._left -= 1
        if self._left != -1:
            return getattr(self._files, name)(*arguments)
        if name == "close":  # a kernel closes also what it reports an error of
            self._files.close(*arguments)
        raise OSError(errno.EIO, "broken on purpose")


class VolatileFiles(FileSystem):
    """Files in memory, of which a loss of power leaves what was synced, and by chance some of the rest."""

    def __init__(self, base: Path) -> None:
        self._folders: dict[Path, _Folder] = {base: _Folder()}
        self._open: dict[int, _File | _Folder] = {}
        self._last_fd = 0

    def lose_power(self, random: Random) -> None:
        """Forget what was not synced: of a file's bytes all or some, of a folder's names any."""
        for folder in self._folders.values():
            folder.fall_back(random)
        for file in {
            id(file): file for folder in self._folders.values() for file in folder.names.values()
        }.values():
            if isinstance(file, _File):
                file.fall_back(random)
        self._open.clear()
        # What hangs from a folder whose name was lost is gone with it.
        for path in sorted(self._folders):
            if path.parent in self._folders and path.name not in self._folders[path.parent].names:
                self._folders = {
                    p: f for p, f in self._folders.items() if p != path and path not in p.parents
                }

    def create(self, path: str) -> int:
        place = Path(path)
        names = self._folder(place.parent).names
        if place.name in names:
            raise FileExistsError(path)
        names[place.name] = file = _File()
        return self._opened(file)

    def write(self, fd: int, data: memoryview) -> int:
        file = self._open[fd]
        assert isinstance(file, _File)
        file.data += data
        return len(data)

    def sync(self, fd: int) -> None:
        self._open[fd].sync()

    def close(self, fd: int) -> None:
        del self._open[fd]

    def rename(self, path: str, name: str) -> None:
        place, target = Path(path), Path(name)
        self._folder(target.parent).names[target.name] = self._folder(place.parent).names.pop(place.name)

    def unlink(self, path: str) -> None:
        place = Path(path)
        if self._folder(place.parent).names.pop(place.name, None) is None:
            raise FileNotFoundError(path)

    def make_folder(self, path: str) -> None:
        place = Path(path)
        if place in self._folders:
            raise FileExistsError(path)
        self._folder(place.parent).names[place.name] = folder = _Folder()
        self._folders[place] = folder

    def remove_folder(self, path: str) -> None:
        place = Path(path)
        assert not self._folder(place).names
        del self._folders[place], self._folders[place.parent].names[place.name]

    def open_folder(self, path: str) -> int:
        place = Path(path)
        return self._opened(self._folder(place))

    def open_lock(self, path: str) -> int:
        place = Path(path)
        return self._opened(self._folder(place.parent).names.setdefault(place.name, _File()))

    def lock(self, fd: int) -> None:
        assert fd in self._open

    def read(self, path: str) -> bytes:
        place = Path(path)
        file = self._folder(place.parent).names.get(place.name)
        if not isinstance(file, _File):
            raise FileNotFoundError(path)
        return file.data

    def names(self, path: str) -> list[tuple[str, bool]]:
        place = Path(path)
        return [(name, isinstance(node, _Folder)) for name, node in self._folder(place).names.items()]

    def _opened(self, node: _File | _Folder) -> int:
        self._last_fd += 1
        self._open[self._last_fd] = node
        return self._last_fd

    def _folder(self, path: Path) -> _Folder:
        if path not in self._folders:
            raise FileNotFoundError(path)
        return self._folders[path]


class _File:
    def __init__(self) -> None:
        self.data = self._synced = b""

    def sync(self) -> None:
        self._synced = self.data

    def fall_back(self, random: Random) -> None:
        kept = len(self._synced) + random.choice([0, random.randint(0, len(self.data) - len(self._synced))])
        self.data = self._synced = self.data[:kept]


class _Folder:
    def __init__(self) -> None:
        self.names: dict[str, _File | _Folder] = {}
        self._synced: dict[str, _File | _Folder] = {}

    def sync(self) -> None:
        self._synced = dict(self.names)

    def fall_back(self, random: Random) -> None:
        either = {name: random.choice([self.names, self._synced]) for name in self.names | self._synced}
        self.names = {name: kept[name] for name, kept in either.items() if name in kept}
        self._synced = dict(self.names)


def _dead() -> NoReturn:
    raise DeadError
