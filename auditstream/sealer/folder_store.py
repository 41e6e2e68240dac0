"""A log's files in a folder, and a register in one: safe under kills, power loss and other processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from auditstream.ledger.tiles import CHECKPOINT, parse_tile_path
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.tile_store import MovedError, OtherBytesError


class FolderRegister:
    """A value in a file of a folder; see the port `Register`."""

    def __init__(self, folder: LockedFolder, name: str) -> None:
        self._folder = folder
        self._name = name

    def read(self) -> bytes | None:
        """Return the value, None before the first; see the port."""
        return self._folder.read(self._name)

    def replace(self, former: bytes | None, new: bytes) -> None:
        """Set the value if it still is the former one; see the port."""
        with self._folder.locked():
            if self._folder.read(self._name) != former:
                raise MovedError(f"{self._folder.path / self._name} was replaced by another process")
            self._folder.put(self._name, new)
            self._folder.sync([self._name])


class FolderStore:
    """A log's files in a folder, as a web server may serve them; see the port `TileStore`."""

    def __init__(self, folder: LockedFolder) -> None:
        self._folder = folder
        self._checkpoint = FolderRegister(folder, CHECKPOINT)

    def read(self, name: str) -> bytes | None:
        """Return a whole file; see the port."""
        return self._folder.read(_checked(name))

    def write_once(self, files: Mapping[str, bytes]) -> None:
        """Make files durable that never change; see the port."""
        for name in files:
            parse_tile_path(name)
        if not files:
            return
        with self._folder.locked():
            missing = {name: data for name, data in files.items() if not self._has(name, data)}
            self._folder.add(missing)
            # Also of those that were there: who wrote them may have been killed before this.
            self._folder.sync(files)

    def _has(self, name: str, data: bytes) -> bool:
        present = self.read(name)
        if present not in {None, data}:
            raise OtherBytesError(f"{self._folder.path / name} holds other bytes than the log gives")
        return present is not None

    def replace_checkpoint(self, former: bytes | None, new: bytes) -> None:
        """Set the checkpoint if it still is the former one; see the port."""
        self._checkpoint.replace(former, new)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; see the port."""
        with self._folder.locked():
            for name in names:
                self._folder.remove(_checked(name))

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the names under a folder; see the port."""
        return self._folder.names(prefix)


def _checked(name: str) -> str:
    if name != CHECKPOINT:
        parse_tile_path(name)
    return name
