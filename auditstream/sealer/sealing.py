"""One round of sealing: recorded leaves become tiles, bundles and a signed checkpoint, and never a fork.

1. Read the published checkpoint and the memory of the last signature, and check them against the tiles.
2. Read new leaves, derive each hash from its row again, make the tiles and bundles over them durable, and
   remove partial ones that have become full.
3. Write size and root into the memory, by compare-and-set. Only who comes through here signs.
4. Sign, have the checkpoint endorsed, and replace the published one, by compare-and-set.

So a checkpoint is never ahead of its tiles, nor a signature ahead of the memory. Where the memory is ahead of
the checkpoint (a sealer was killed between 3 and 4, or nobody endorsed) `publish_signed` comes first. Where
the tiles do not give what is remembered, a round grows the log again from the checkpoint, must come through
the remembered size with the remembered root, and goes on. Sealers of one log share one memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from auditstream.core.errors import FatalError, RetryableError, VerificationError
from auditstream.ledger.checkpoints import Checkpoint, OpenedCheckpoint, open_checkpoint, sign_checkpoint
from auditstream.ledger.keys import SignerKey, VerifierKey
from auditstream.ledger.leaves import StoredLeaves
from auditstream.ledger.merkle import TreeError, leaf_hash
from auditstream.ledger.notes import Note
from auditstream.ledger.tile_edge import TileEdge
from auditstream.ledger.tile_reader import HashReader
from auditstream.ledger.tiles import (
    CHECKPOINT,
    FULL_WIDTH,
    Bundle,
    Tile,
    TileError,
    entries_bundle,
    new_bundles,
    new_tiles,
    parse_bundle,
    right_edge,
    whole,
)
from auditstream.sealer.leaf_source import LeafSource
from auditstream.sealer.seal_memory import EMPTY_TREE, TreeHead, parse_head
from auditstream.sealer.tile_store import Register, TileStore

# Leaves read and written at once: bounds the memory, about 100 MB, and is a multiple of a tile's width.
PAGE_LEAVES = 1 << 16


Endorse: TypeAlias = Callable[[Note, Note | None], Note]
"""Takes a signed checkpoint, and the note in which the same text is published already, if it is; returns the
checkpoint with the cosignatures of those who must have seen it, or raises."""


class SealRefusedError(VerificationError):
    """What would be signed contradicts what was signed before."""

    code = "seal_refused"
    hint = "Rows, tiles or checkpoint are not what was signed. Keep all three, and run `auditstream verify`."


class StoreBehindError(RetryableError):
    """The store shows fewer rows than were signed: a replica that lags, or rows that were cut off."""

    code = "store_behind"
    hint = "Where the rows do not come back, some were removed: run `auditstream verify`."


class MemoryLostError(FatalError):
    """A checkpoint is published, but the memory of what was signed is gone."""

    code = "seal_memory_lost"
    hint = "Restore it; or, after comparing the checkpoint with a witness's, adopt the published one."


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one round did.

    Attributes:
        former_size: Leaves under the checkpoint before.
        head: What the new checkpoint says.
        checkpoint: The new checkpoint's bytes.
    """

    former_size: int
    head: TreeHead
    checkpoint: bytes


def seal_once(
    source: LeafSource,
    store: TileStore,
    key: SignerKey,
    memory: Register,
    *,
    former_keys: Sequence[VerifierKey] = (),
    most_leaves: int = 1 << 20,
    endorse: Endorse | None = None,
) -> Sealed | None:
    """Seal the leaves that are there; None when there is nothing new.

    Args:
        source: Recorded leaves of the log.
        store: The log's files.
        key: What signs its checkpoints; its name is the log's origin.
        memory: Size and root that were signed last.
        former_keys: Keys of the log from before a rotation, one of which may have signed the published one.
        most_leaves: Where to stop reading and sign; the rest is for the next round.
        endorse: Has the checkpoint cosigned before it is published; what it raises goes through.

    Raises:
        LeafError: A row is missing, there twice, or does not give the hash that it was recorded with.
        SealRefusedError: The log is not the continuation of what was signed.
        StoreBehindError: The rows end before what was signed.
        OtherBytesError: A stored tile or bundle is not what the rows give.
        MemoryLostError: There is a checkpoint, but no memory.
        NoteError, CheckpointError: What is published is not a checkpoint of this log.
        MovedError: Another sealer was quicker; the log is as it made it.
        RetryableError: Source or store do not answer; nothing is lost, call again.
    """
    published = store.read(CHECKPOINT)
    former = _head(published, (key.verifier, *former_keys))
    remembered = memory.read()
    signed = _signed_before(remembered, published)
    growth = _Growth(store, former)
    if signed.size < former.size:
        _check_same(signed, TreeHead(signed.size, HashReader(former.size, store.read).root(signed.size)))
    elif signed.size == former.size:
        _check_same(signed, former)
    else:
        growth.take(source, signed.size)
        if growth.edge.size < signed.size:
            raise StoreBehindError(f"size {signed.size} was signed, the store has {growth.edge.size} rows")
        _check_same(signed, growth.head())
    growth.take(source, former.size + most_leaves)
    if growth.edge.size == former.size:
        return None
    growth.finish()
    # Before the checkpoint: a round that is cut off from here on is done again, and nothing is left behind.
    store.remove(sorted(_outgrown(store, {former.size, signed.size}, growth.edge.size)))
    head = growth.head()
    if head != signed:
        memory.replace(remembered, head.to_bytes())
    checkpoint = _endorsed(key, head, endorse).to_bytes()
    store.replace_checkpoint(published, checkpoint)
    return Sealed(former.size, head, checkpoint)


def publish_signed(
    store: TileStore,
    key: SignerKey,
    memory: Register,
    *,
    former_keys: Sequence[VerifierKey] = (),
    endorse: Endorse | None = None,
) -> Sealed | None:
    """Publish what was signed last and is not published; None where there is no such thing.

    None also where its tiles are not all there: `seal_once` makes them again.

    Raises:
        As `seal_once`, but for what is said of rows.
    """
    published = store.read(CHECKPOINT)
    former = _head(published, (key.verifier, *former_keys))
    signed = _signed_before(memory.read(), published)
    if signed.size <= former.size:
        return None
    try:
        _Growth(store, signed)
        beginning = HashReader(signed.size, store.read).root(former.size)
    except (TileError, TreeError, SealRefusedError):
        return None
    _check_same(former, TreeHead(former.size, beginning))
    checkpoint = _endorsed(key, signed, endorse).to_bytes()
    store.replace_checkpoint(published, checkpoint)
    return Sealed(former.size, signed, checkpoint)


def publish_again(
    store: TileStore,
    key: SignerKey,
    memory: Register,
    *,
    former_keys: Sequence[VerifierKey] = (),
    endorse: Endorse,
) -> Sealed | None:
    """Publish the published checkpoint under fresh cosignatures; None where none is published.

    Nothing new is claimed, so the memory stays; but what it says must be true of the log.

    Raises:
        As `seal_once`, but for what is said of rows.
    """
    published = store.read(CHECKPOINT)
    if published is None:
        return None
    opened = open_checkpoint(published, key.verifier, *former_keys)
    head = _head_of(opened)
    _Growth(store, head)
    signed = _signed_before(memory.read(), published)
    if signed.size <= head.size:
        _check_same(signed, TreeHead(signed.size, HashReader(head.size, store.read).root(signed.size)))
    checkpoint = _endorsed(key, head, endorse, opened.note).to_bytes()
    if checkpoint != published:
        store.replace_checkpoint(published, checkpoint)
    return Sealed(head.size, head, checkpoint)


def adopt(store: TileStore, log_keys: Sequence[VerifierKey], memory: Register) -> TreeHead:
    """Take the published checkpoint for what was signed last, where the memory of it was lost.

    Safe only if nothing later was signed: compare it with what the witnesses saw.

    Raises:
        MovedError: The memory is not lost.
        VerificationError: The checkpoint is not the log's, or its tiles do not give its root.
    """
    head = _head(store.read(CHECKPOINT), log_keys)
    _Growth(store, head)
    memory.replace(None, head.to_bytes())
    return head


def _head(published: bytes | None, log_keys: Sequence[VerifierKey]) -> TreeHead:
    if published is None:
        return EMPTY_TREE
    return _head_of(open_checkpoint(published, *log_keys))


def _head_of(opened: OpenedCheckpoint) -> TreeHead:
    return TreeHead(opened.checkpoint.size, opened.checkpoint.root)


def _endorsed(key: SignerKey, head: TreeHead, endorse: Endorse | None, former: Note | None = None) -> Note:
    signed = sign_checkpoint(Checkpoint(key.name, head.size, head.root), key)
    return signed if endorse is None else endorse(signed, former)


def _signed_before(remembered: bytes | None, published: bytes | None) -> TreeHead:
    if remembered is not None:
        return parse_head(remembered)
    if published is not None:
        raise MemoryLostError("a checkpoint is published, but what was signed last is not remembered")
    return EMPTY_TREE


def _check_same(expected: TreeHead, found: TreeHead) -> None:
    if found != expected:
        raise SealRefusedError(
            f"size {expected.size} with root {expected.root.hex()} was signed, "
            f"found size {found.size} with root {found.root.hex()}"
        )


def _outgrown(store: TileStore, former_sizes: set[int], size: int) -> set[str]:
    """Return the partial tiles and bundles that are full in a log of this size and were not before.

    Args:
        store: The log's files.
        former_sizes: The size that is published, and the one that was signed and perhaps is not.
        size: The new size.
    """
    new = {tile.path for tile in new_tiles(min(former_sizes), size)}
    new |= {bundle.path for bundle in new_bundles(min(former_sizes), size)}
    edges = [tile for former_size in former_sizes for tile in right_edge(former_size)]
    full = {whole(tile).path for tile in edges}
    full |= {Bundle(tile.index).path for tile in edges if tile.level == 0}
    return {name for path in full & new for name in store.list(f"{path}.p/")}


class _Growth:
    """The log as it grows in one round: its edge, and the entries of the bundle that is not full."""

    def __init__(self, store: TileStore, former: TreeHead) -> None:
        self._store = store
        self._former = former
        self.edge = TileEdge.read(former.size, self._tile)
        _check_same(former, self.head())
        self._entries = self._newest_entries()

    def head(self) -> TreeHead:
        return TreeHead(self.edge.size, self.edge.frontier().root)

    def take(self, source: LeafSource, size: int) -> None:
        """Grow to a size, or as far as there are leaves; a page is written while the next one is hashed."""
        with ThreadPoolExecutor(1) as writer:
            writing: Future[None] | None = None
            while self.edge.size < size:
                at = self.edge.size
                # Pages end where tiles do, so that only the last one leaves a part of a bundle in hand.
                leaves = source.read(at, min(PAGE_LEAVES - at % FULL_WIDTH, size - at))
                if not len(leaves):
                    break
                tiles, bundles = self._grown(leaves)
                if writing is not None:
                    writing.result()
                writing = writer.submit(self._write, tiles, bundles)
            if writing is not None:
                writing.result()

    def _grown(self, leaves: StoredLeaves) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Grow by leaves; return the tiles that became full, and the bundles."""
        old = self.edge.size
        entries, hashes = leaves.checked()
        tiles = {tile.path: data for tile, data in self.edge.extend(hashes)}
        self._entries += entries
        full = [bundle for bundle in new_bundles(old, self.edge.size) if bundle.width == FULL_WIDTH]
        starts = range(0, len(full) * FULL_WIDTH, FULL_WIDTH)
        cut = [self._entries[start : start + FULL_WIDTH] for start in starts]
        self._entries = self._entries[len(full) * FULL_WIDTH :]
        return tiles, {b.path: entries_bundle(entries) for b, entries in zip(full, cut, strict=True)}

    def _write(self, tiles: dict[str, bytes], bundles: dict[str, bytes]) -> None:
        """Write tiles, then bundles."""
        self._store.write_once(tiles)
        self._store.write_once(bundles)

    def finish(self) -> None:
        """Write what is not full, tiles first."""
        self._store.write_once({tile.path: data for tile, data in self.edge.partial_tiles()})
        if self._entries:
            bundle = Bundle(self.edge.size // FULL_WIDTH, len(self._entries))
            self._store.write_once({bundle.path: entries_bundle(self._entries)})

    def _tile(self, tile: Tile) -> bytes:
        return self._read(tile)[: tile.size_bytes]

    def _newest_entries(self) -> list[bytes]:
        hashes = list(self.edge.newest_leaves)
        if not hashes:
            return []
        bundle = Bundle(self.edge.size // FULL_WIDTH, len(hashes))
        data = self._store.read(bundle.path)
        if data is None:
            full = parse_bundle(self._read(whole(bundle)), FULL_WIDTH)
            entries = full[: bundle.width]
        else:
            entries = parse_bundle(data, bundle.width)
        if [leaf_hash(entry) for entry in entries] != hashes:
            raise SealRefusedError(f"{bundle.path} does not hold the entries that its tile commits to")
        return entries

    def _read(self, tile: Tile | Bundle) -> bytes:
        """Return a file, or the full one that it has become."""
        data = self._store.read(tile.path)
        if data is None:
            data = self._store.read(whole(tile).path)
        if data is None:
            raise SealRefusedError(f"the checkpoint of size {self._former.size} lacks {tile.path}")
        return data
