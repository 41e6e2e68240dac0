"""One growth of a log that a fault interrupts, and what must hold at once, and after the log has gone on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from auditstream.ledger.checkpoints import open_checkpoint
from auditstream.ledger.leaves import StoredLeaves
from auditstream.ledger.merkle import leaf_hash, root_of
from auditstream.ledger.tile_reader import HashReader
from auditstream.ledger.tiles import CHECKPOINT, FULL_WIDTH, new_bundles, parse_bundle, whole
from auditstream.sealer.seal_memory import EMPTY_TREE, TreeHead, parse_head
from auditstream.sealer.sealing import seal_once
from tests.support.logs import KEY, LeavesInMemory, Place, run_of


@dataclass(frozen=True)
class Growth:
    """A log that was sealed at one size and is to be sealed at another."""

    before: int
    after: int

    def prepare(self, place: Place) -> None:
        """Seal the first size."""
        seal_once(LeavesInMemory(self.before), place.store, KEY, place.memory)

    def go_on(self, place: Place) -> None:
        """Seal the second size."""
        seal_once(LeavesInMemory(self.after), place.store, KEY, place.memory)

    def check(self, place: Place) -> None:
        """Check that what is published is one of the two, whole, and not ahead of the memory."""
        head = published(place)
        assert head in {
            TreeHead(size, root_of(run_of(0, size).hashes())) for size in (self.before, self.after)
        }
        assert HashReader(head.size, place.store.read).root() == head.root
        assert entries_in(place, head.size) == run_of(0, head.size).entries()
        assert remembered(place).size >= head.size


def published(place: Place) -> TreeHead:
    """Return what the published checkpoint says."""
    data = place.store.read(CHECKPOINT)
    if data is None:
        return EMPTY_TREE
    checkpoint = open_checkpoint(data, KEY.verifier).checkpoint
    return TreeHead(checkpoint.size, checkpoint.root)


def remembered(place: Place) -> TreeHead:
    """Return what was signed last."""
    data = place.memory.read()
    return EMPTY_TREE if data is None else parse_head(data)


def entries_in(place: Place, size: int) -> list[bytes]:
    """Return the entries of the log, read from its bundles as any client does."""
    entries: list[bytes] = []
    for bundle in new_bundles(0, size):
        data = place.store.read(bundle.path)
        width = bundle.width if data is not None else FULL_WIDTH
        data = data if data is not None else place.store.read(whole(bundle).path)
        assert data is not None, f"{bundle.path} is missing"
        entries += parse_bundle(data, width)[: bundle.width]
    assert [leaf_hash(entry) for entry in entries] == run_of(0, size).hashes()
    return entries


class Rewritten(LeavesInMemory):
    """Rows that were forged after the fact, hashes and all: one leaf is another one."""

    def __init__(self, size: int, forged: int) -> None:
        super().__init__(size)
        self._forged = forged

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        """Return leaves; see the port."""
        stored = super().read(first_index, limit)
        run = stored.run
        at = self._forged - first_index
        if 0 <= at < len(stored):
            run = replace(run, value_sha256=[*run.value_sha256[:at], bytes(32), *run.value_sha256[at + 1 :]])
        return StoredLeaves(run, run.hashes())
