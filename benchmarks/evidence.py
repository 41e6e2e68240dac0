"""What evidence costs: leaves, sealing and verifying, each next to plain SHA-256 over the same bytes."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auditstream.evidence.listing import Trust
from auditstream.evidence.published import LISTING, PublishedFolder
from auditstream.evidence.stored_rows import StoredRows
from auditstream.evidence.verification import Scope, Verification
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.leaves import LeafRun, StoredLeaves
from auditstream.ledger.log_list import ListedLog, log_list, sign_log_list
from auditstream.ledger.tiles import CHECKPOINT
from auditstream.ledger.vkeys import Vkeys
from auditstream.query.reader import Reader
from auditstream.sealer.folder_store import FolderRegister, FolderStore
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.sealing import seal_once
from auditstream.sealer.tile_store import Register, TileStore
from benchmarks.bed import Bed
from benchmarks.events import Size
from benchmarks.workers import running
from sinks.clients import ClientPool
from sinks.leaf_source import ClickHouseLeaves

_ROUNDS = 3
_DEPLOYMENT = "bench.example/bench"


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


@dataclass(frozen=True, slots=True)
class VerificationFigures:
    """Seconds of one table.

    Attributes:
        rows: Leaves in it.
        bytes: Average bytes of a value.
        plain_s: The store's SHA-256 over each value, added up; the quickest of three.
        sealed_s: Sealing all logs, read from the store, into a temporary folder.
        verified_s: Verifying all logs against the rows.
    """

    rows: int
    bytes: float
    plain_s: float
    sealed_s: float
    verified_s: float


def measure_verification(bed: Bed, size: Size, rows: int) -> VerificationFigures:
    """Record so many events, seal them, and verify them.

    Raises:
        RuntimeError: They do not verify.
    """
    topic, database = bed.fill(size, rows), bed.new_database()
    client = bed.client(database)
    with running(bed, topic, database, 0, 1):
        _await(client, "SELECT sum(rows) FROM segment_ranges", rows)
    _await(client, "SELECT count() FROM system.merges", 0)
    plain = "SELECT sum(reinterpretAsUInt64(SHA256(raw))) FROM events"
    plain_s = _best(lambda: client.query(plain))
    clients = ClientPool(lambda: bed.client(database))
    with tempfile.TemporaryDirectory(prefix="auditstream-bench-") as folder:
        root = Path(folder) / "evidence"
        logs = [log_id for (log_id,) in client.query("SELECT DISTINCT log_id FROM events").result_rows]
        sealed_s = _best(lambda: _publish(clients, logs, root), rounds=1)
        run = Verification(PublishedFolder(root), Trust(_keys(logs), None, _DEPLOYMENT), None, Scope())
        read = StoredRows(Reader(clients))
        verified_s = _best(lambda: run.against_rows(read, lambda done, total: None), rounds=1)
    clients.close()
    if not run.report.holds or run.report.leaves != rows:
        raise RuntimeError(f"{run.report.leaves} leaves, {run.report.findings[:3]}")
    return VerificationFigures(rows, bed.sizes[topic], plain_s, sealed_s, verified_s)


def _await(client: Any, query: str, value: int) -> None:
    while int(client.query(query).result_rows[0][0]) != value:
        time.sleep(0.2)


def _publish(clients: ClientPool, logs: list[str], root: Path) -> None:
    """Seal logs and publish the list of them."""
    root.mkdir()
    listed = []
    for log_id in logs:
        key, source = _key(log_id), ClickHouseLeaves(clients, log_id)
        store = FolderStore(LockedFolder(root, log_id))
        sealed = seal_once(source, store, key, _MemoryRegister(), most_leaves=1 << 62)
        assert sealed is not None
        listed.append(ListedLog(key.verifier, sealed.head.size, sealed.head.root))
    note = sign_log_list(log_list(_DEPLOYMENT, int(time.time()), listed), SignerKey(_DEPLOYMENT, bytes(32)))
    (root / LISTING).write_bytes(note.to_bytes())


def _key(log_id: str) -> SignerKey:
    origin = f"{_DEPLOYMENT}/{log_id}"
    return SignerKey(origin, hashlib.sha256(origin.encode()).digest())


def _keys(logs: list[str]) -> Vkeys:
    deployment = SignerKey(_DEPLOYMENT, bytes(32))
    return Vkeys(tuple(key.verifier for key in [deployment, *map(_key, logs)]))


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
