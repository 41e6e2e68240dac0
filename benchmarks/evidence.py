"""What evidence costs: leaves and sealing next to plain SHA-256 over the same entries."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auditstream.ledger.keys import SignerKey
from auditstream.ledger.leaves import LeafRun, StoredLeaves
from auditstream.ledger.tiles import CHECKPOINT
from auditstream.sealer.folder_store import FolderRegister, FolderStore
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.sealing import seal_once
from auditstream.sealer.tile_store import Register, TileStore

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class SealingFigures:
    """Seconds of the same leaves, the quickest of some rounds each.

    Attributes:
        leaves: How many.
        plain_s: SHA-256 over each entry, and nothing else.
        leaves_s: Entries made from columns, and each hashed, as the worker does.
        sealed_s: Tiles, bundles and a signed checkpoint, kept in memory.
        files_s: The same as files in a temporary folder, synced.
        bare_files_s: As many files of a tile's size created there, and nothing else.
    """

    leaves: int
    plain_s: float
    leaves_s: float
    sealed_s: float
    files_s: float
    bare_files_s: float


def measure_sealing(leaves: int) -> SealingFigures:
    """Measure a fresh log of so many leaves in this process."""
    source = _Leaves(leaves)
    entries = source.run.entries()
    sha256 = hashlib.sha256
    with tempfile.TemporaryDirectory(prefix="auditstream-bench-") as folder:
        fresh = (Path(folder) / str(number) for number in range(100))
        return SealingFigures(
            leaves,
            plain_s=_best(lambda: [sha256(entry).digest() for entry in entries]),
            leaves_s=_best(source.run.hashes),
            sealed_s=_best(lambda: _seal(source, _MemoryStore(), _MemoryRegister())),
            files_s=_best(lambda: _seal(source, *_in_folder(next(fresh))), rounds=1),
            bare_files_s=_best(lambda: _bare_files(next(fresh), leaves // 128), rounds=1),
        )


def _best(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _seal(source: _Leaves, store: TileStore, memory: Register) -> None:
    key = SignerKey("bench.example/log", bytes(32))
    sealed = seal_once(source, store, key, memory, most_leaves=len(source))
    assert sealed is not None
    assert sealed.head.size == len(source)


def _in_folder(folder: Path) -> tuple[TileStore, Register]:
    folder.mkdir()
    return FolderStore(LockedFolder(folder, "log")), FolderRegister(LockedFolder(folder, "memory"), "signed")


def _bare_files(folder: Path, count: int) -> None:
    """Create files of a tile's size, each synced, eight at once."""
    folder.mkdir()
    data = bytes(8192)

    def create(number: int) -> None:
        fd = os.open(folder / str(number), os.O_WRONLY | os.O_CREAT)
        os.write(fd, data)
        os.fsync(fd)
        os.close(fd)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(create, range(count)))


class _Leaves:
    """Leaves as the store gives them: with the hashes that it has derived."""

    def __init__(self, count: int) -> None:
        indexes = np.arange(count, dtype=np.uint64)
        self.run = LeafRun(
            kinds=np.zeros(count, np.uint8),
            first_index=0,
            offsets=indexes,
            timestamps_ms=indexes + np.uint64(1_767_355_200_000),
            event_ids=_random(count, 16),
            value_sha256=_random(count, 32),
        )
        self._hashes = self.run.hashes()

    def __len__(self) -> int:
        return len(self._hashes)

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        """Return some of them; see the port `LeafSource`."""
        some = slice(first_index, first_index + limit)
        run = self.run
        columns = (
            np.asarray(run.offsets)[some],
            np.asarray(run.timestamps_ms)[some],
            run.event_ids[some],
            run.value_sha256[some],
        )
        hashes = self._hashes[some]
        return StoredLeaves(LeafRun(np.asarray(run.kinds)[some], first_index, *columns), hashes, hashes)


def _random(count: int, width: int) -> list[bytes]:
    rows: list[bytes] = np.frombuffer(os.urandom(count * width), f"V{width}").tolist()
    return rows


class _MemoryRegister:
    """A value in memory; see the port `Register`."""

    def __init__(self) -> None:
        self._value: bytes | None = None

    def read(self) -> bytes | None:
        return self._value

    def replace(self, former: bytes | None, new: bytes) -> None:
        assert former == self._value
        self._value = new


class _MemoryStore:
    """Files in memory; see the port `TileStore`."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        return self._files.get(name)

    def write_once(self, files: Mapping[str, bytes]) -> None:
        self._files.update(files)

    def replace_checkpoint(self, former: bytes | None, new: bytes) -> None:
        assert former == self._files.get(CHECKPOINT)
        self._files[CHECKPOINT] = new

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._files.pop(name, None)

    def list(self, prefix: str = "") -> Iterator[str]:
        return (name for name in self._files if name.startswith(prefix))
