"""A log to seal: leaves in memory, a key, and a place on disk."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from auditstream.ledger.keys import SignerKey
from auditstream.ledger.leaves import NO_EVENT_ID, LeafRun, StoredLeaves, value_hashes
from auditstream.sealer.file_system import FileSystem
from auditstream.sealer.folder_store import FolderRegister, FolderStore
from auditstream.sealer.locked_folder import LockedFolder

KEY = SignerKey.generate("log.example.org/acme/audit.events.v1/0/0a1b2c3d")


@lru_cache(maxsize=64)
def run_of(first: int, count: int) -> LeafRun:
    """Return the leaves at some indexes: always the same ones."""
    indexes = range(first, first + count)
    return LeafRun(
        kinds=[index % 3 for index in indexes],
        first_index=first,
        offsets=[2 * index for index in indexes],
        timestamps_ms=[1_767_355_200_000 + index for index in indexes],
        event_ids=[hashlib.sha256(b"id%d" % i).digest()[:16] if i % 3 == 0 else NO_EVENT_ID for i in indexes],
        value_sha256=value_hashes(b"value %d" % index for index in indexes),
    )


class LeavesInMemory:
    """A source with leaves up to a size that a test changes; see the port `LeafSource`."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        """Return leaves; see the port."""
        run = run_of(first_index, max(0, min(limit, self.size - first_index)))
        return StoredLeaves(run, run.hashes())


class Place:
    """Where one log is kept: its files, and the memory of what was signed."""

    def __init__(self, base: Path, files: FileSystem | None = None) -> None:
        self.folder = base / "log"
        # Faults are counted by operation, in an order that is the same each time.
        at_once = 8 if files is None else 1
        self.store = FolderStore(LockedFolder(base, "log", files, syncs_at_once=at_once))
        self.memory = FolderRegister(LockedFolder(base, "memory", files), "sealed")

    def contents(self) -> dict[str, bytes]:
        """Return every file of the log by name."""
        return {name: self.store.read(name) or b"" for name in self.store.list()}
