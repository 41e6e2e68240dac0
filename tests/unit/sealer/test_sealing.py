"""Rounds of sealing: what they publish, and what they refuse to sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditstream.core.errors import RetryableError
from auditstream.ledger.checkpoints import (
    Checkpoint,
    CheckpointError,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from auditstream.ledger.cosignatures import CosignerSecretKey, cosigned_at
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.leaves import LeafError, LeafRun, StoredLeaves
from auditstream.ledger.merkle import TreeError, leaf_hash, root_of
from auditstream.ledger.notes import Note, NoteError
from auditstream.ledger.tile_reader import HashReader
from auditstream.ledger.tiles import CHECKPOINT, Bundle, parse_bundle
from auditstream.sealer import sealing
from auditstream.sealer.seal_memory import EMPTY_TREE, TreeHead, parse_head
from auditstream.sealer.sealing import (
    MemoryLostError,
    SealRefusedError,
    StoreBehindError,
    adopt,
    publish_again,
    publish_signed,
    seal_once,
)
from auditstream.sealer.tile_store import MovedError, OtherBytesError
from tests.support.logs import KEY, LeavesInMemory, Place, run_of

COSIGNER = CosignerSecretKey.generate(f"{KEY.name}/cosigner")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def seal(place: Place, size: int, **options: object) -> sealing.Sealed | None:
    return seal_once(LeavesInMemory(size), place.store, KEY, place.memory, **options)  # type: ignore[arg-type]


def published(place: Place) -> Checkpoint:
    return open_checkpoint(place.store.read(CHECKPOINT) or b"", KEY.verifier).checkpoint


def corrupt(place: Place, name: str) -> None:
    path = place.folder / name
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_a_round_publishes_a_checkpoint_over_the_tiles(place: Place) -> None:
    sealed = seal(place, 700)

    assert sealed is not None
    assert (sealed.former_size, sealed.head.size) == (0, 700)
    assert sealed.checkpoint == place.store.read(CHECKPOINT)
    assert published(place) == Checkpoint(KEY.name, 700, root_of(run_of(0, 700).hashes()))
    assert HashReader(700, place.store.read).root() == published(place).root


def test_bundles_hold_the_entries_under_the_tiles(place: Place) -> None:
    seal(place, 100)
    seal(place, 700)

    bundles = [Bundle(0), Bundle(1), Bundle(2, 188)]
    entries = [e for b in bundles for e in parse_bundle(place.store.read(b.path) or b"", b.width)]
    assert entries == run_of(0, 700).entries()
    assert [leaf_hash(entry) for entry in entries] == run_of(0, 700).hashes()


def test_rounds_end_with_the_files_of_one_round(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    at_once = Place(tmp_path / "other")
    for size in (1, 255, 256, 257, 512, 70_000):
        seal(place, size)
    seal(at_once, 70_000)

    assert place.contents() == at_once.contents()


def test_without_news_nothing_is_signed(place: Place) -> None:
    assert seal(place, 0) is None
    assert place.contents() == {}
    seal(place, 5)
    before = place.contents()

    assert seal(place, 5) is None
    assert place.contents() == before


def test_a_round_stops_at_its_bound(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "PAGE_LEAVES", 256)
    sizes = [seal(place, 1_000, most_leaves=400).head.size for _ in range(3)]  # type: ignore[union-attr]

    assert sizes == [400, 800, 1_000]
    assert published(place).root == root_of(run_of(0, 1_000).hashes())


def test_partial_tiles_vanish_once_they_are_full(place: Place) -> None:
    for size in (3, 200, 255):
        seal(place, size)
    assert "tile/0/000.p/3" in place.contents()
    seal(place, 300)

    assert {name for name in place.contents() if ".p/" in name} == {
        "tile/0/001.p/44",
        "tile/entries/001.p/44",
        "tile/1/000.p/1",
    }
    assert not (place.folder / "tile/0/000.p").exists()


def test_the_log_goes_on_where_a_partial_tile_has_vanished_already(place: Place) -> None:
    seal(place, 200)
    before = place.store.read(CHECKPOINT), place.memory.read()
    seal(place, 256)
    (place.folder / CHECKPOINT).write_bytes(before[0] or b"")

    assert seal(place, 300) is not None
    assert published(place).root == root_of(run_of(0, 300).hashes())


def test_a_memory_ahead_of_the_checkpoint_must_be_come_through(place: Place) -> None:
    seal(place, 200)
    place.memory.replace(place.memory.read(), TreeHead(300, root_of(run_of(0, 300).hashes())).to_bytes())

    sealed = seal(place, 450)

    assert sealed is not None
    assert (sealed.former_size, sealed.head.size) == (200, 450)


def test_another_root_than_the_remembered_one_is_not_signed(place: Place) -> None:
    seal(place, 200)
    before = place.store.read(CHECKPOINT)
    place.memory.replace(place.memory.read(), TreeHead(300, bytes(32)).to_bytes())

    with pytest.raises(SealRefusedError, match="size 300"):
        seal(place, 450)
    assert place.store.read(CHECKPOINT) == before


def test_a_log_smaller_than_the_remembered_one_is_not_signed(place: Place) -> None:
    seal(place, 200)
    seal(place, 300)
    for name in place.contents():
        (place.folder / name).unlink()

    with pytest.raises(StoreBehindError, match="size 300 was signed, the store has 250 rows"):
        seal(place, 250)
    assert place.store.read(CHECKPOINT) is None


def test_a_checkpoint_that_was_put_back_is_overtaken_by_the_memory(place: Place) -> None:
    seal(place, 200)
    older = place.store.read(CHECKPOINT)
    seal(place, 300)
    (place.folder / CHECKPOINT).write_bytes(older or b"")

    with pytest.raises(StoreBehindError):
        seal(place, 250)
    assert seal(place, 300) is not None


def test_a_memory_that_was_put_back_is_checked_against_the_tiles(place: Place) -> None:
    seal(place, 200)
    older = place.memory.read()
    seal(place, 300)
    place.memory.replace(place.memory.read(), older or b"")
    assert seal(place, 310) is not None

    place.memory.replace(place.memory.read(), TreeHead(200, bytes(32)).to_bytes())
    with pytest.raises(SealRefusedError, match="size 200"):
        seal(place, 320)


def test_a_lost_memory_is_not_made_up(place: Place) -> None:
    seal(place, 200)
    (place.folder.parent / "memory" / "sealed").unlink()

    with pytest.raises(MemoryLostError):
        seal(place, 300)
    assert adopt(place.store, [KEY.verifier], place.memory).size == 200
    assert seal(place, 300) is not None
    with pytest.raises(MovedError):
        adopt(place.store, [KEY.verifier], place.memory)


@pytest.mark.parametrize("name", ["tile/0/001.p/44", "tile/1/000.p/1"])
def test_a_changed_tile_is_not_built_upon(place: Place, name: str) -> None:
    seal(place, 300)
    corrupt(place, name)

    with pytest.raises(SealRefusedError):
        seal(place, 400)


def test_a_changed_bundle_is_not_built_upon(place: Place) -> None:
    seal(place, 300)
    corrupt(place, "tile/entries/001.p/44")

    with pytest.raises(SealRefusedError, match=r"tile/entries/001\.p/44"):
        seal(place, 400)


@pytest.mark.parametrize("name", ["tile/0/001.p/44", "tile/entries/001.p/44"])
def test_a_missing_file_is_not_made_up(place: Place, name: str) -> None:
    seal(place, 300)
    (place.folder / name).unlink()

    with pytest.raises(SealRefusedError, match="lacks"):
        seal(place, 400)


def test_a_full_tile_with_other_bytes_stops_the_round(place: Place) -> None:
    seal(place, 200)
    path = place.folder / "tile/0/000"
    path.write_bytes(bytes(8192))

    with pytest.raises(OtherBytesError, match="tile/0/000"):
        seal(place, 300)
    assert published(place).size == 200
    assert path.read_bytes() == bytes(8192)


class ChangedRow(LeavesInMemory):
    def read(self, first_index: int, limit: int) -> StoredLeaves:
        stored = super().read(first_index, limit)
        timestamps = list(stored.run.timestamps_ms)  # type: ignore[arg-type]
        timestamps[-3] += 1
        run = stored.run
        changed = LeafRun(run.kinds, first_index, run.offsets, timestamps, run.event_ids, run.value_sha256)
        return StoredLeaves(changed, stored.recorded)


def test_a_row_that_was_changed_is_named_and_not_sealed(place: Place) -> None:
    with pytest.raises(LeafError, match=f"leaf 97: expected hash {run_of(97, 1).hashes()[0].hex()}"):
        seal_once(ChangedRow(100), place.store, KEY, place.memory)
    assert place.contents() == {}


def test_a_checkpoint_of_somebody_else_is_not_built_upon(place: Place) -> None:
    seal(place, 200)
    impostor = SignerKey.generate(KEY.name)
    head = published(place)
    (place.folder / CHECKPOINT).write_bytes(sign_checkpoint(head, impostor).to_bytes())
    with pytest.raises(NoteError):
        seal(place, 300)

    other = SignerKey.generate("log.example.org/other")
    elsewhere = Checkpoint(other.name, head.size, head.root)
    (place.folder / CHECKPOINT).write_bytes(sign_checkpoint(elsewhere, other).to_bytes())
    with pytest.raises(CheckpointError):
        seal(place, 300, former_keys=[other.verifier])


def test_a_log_goes_on_under_a_new_key(place: Place) -> None:
    seal(place, 200)
    new = SignerKey.generate(KEY.name)

    with pytest.raises(NoteError):
        seal_once(LeavesInMemory(300), place.store, new, place.memory)
    seal_once(LeavesInMemory(300), place.store, new, place.memory, former_keys=[KEY.verifier])

    assert open_checkpoint(place.store.read(CHECKPOINT) or b"", new.verifier).checkpoint.size == 300


class Racing(LeavesInMemory):
    """A source that lets another sealer do a whole round while this one reads."""

    def __init__(self, size: int, place: Place, other_size: int) -> None:
        super().__init__(size)
        self._place = place
        self._other_size = other_size

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        seal(self._place, self._other_size)
        return super().read(first_index, limit)


@pytest.mark.parametrize(("mine", "others"), [(300, 400), (400, 300), (300, 300)])
def test_of_two_sealers_one_loses_and_neither_forks(place: Place, mine: int, others: int) -> None:
    seal(place, 200)

    with pytest.raises(MovedError):
        seal_once(Racing(mine, place, others), place.store, KEY, place.memory)
    assert published(place) == Checkpoint(KEY.name, others, root_of(run_of(0, others).hashes()))
    assert parse_head(place.memory.read() or b"") == TreeHead(others, published(place).root)
    assert seal(place, 500) is not None


@pytest.mark.parametrize("head", [EMPTY_TREE, TreeHead(2**63 - 1, bytes(range(32)))])
def test_a_memory_is_read_back(head: TreeHead) -> None:
    assert parse_head(head.to_bytes()) == head


@pytest.mark.parametrize(
    "data",
    [
        b"",
        EMPTY_TREE.to_bytes()[:-1],
        EMPTY_TREE.to_bytes() + b"\n",
        EMPTY_TREE.to_bytes().replace(b"v1", b"v2"),
        EMPTY_TREE.to_bytes().replace(b"\n0\n", b"\n00\n"),
        EMPTY_TREE.to_bytes().replace(b"\n0\n", b"\n9223372036854775808\n"),
        b"auditstream-sealed/v1\n1\nAAAA\n",
        b"\xff",
    ],
)
def test_a_damaged_memory_is_refused(data: bytes) -> None:
    with pytest.raises(TreeError):
        parse_head(data)


class AwayError(RetryableError):
    code = "away"


def nobody(signed: Note, former: Note | None) -> Note:
    raise AwayError("nobody endorses")


def cosigned(signed: Note, former: Note | None) -> Note:
    checkpoint = parse_checkpoint(signed.text)
    time_s = 1 if former is None else 2
    return Note(signed.text, (*signed.signatures, COSIGNER.cosign(checkpoint, time_s)))


def test_what_nobody_endorses_is_remembered_and_not_published(place: Place) -> None:
    seal(place, 200)
    before = place.store.read(CHECKPOINT)

    with pytest.raises(AwayError):
        seal(place, 300, endorse=nobody)
    assert place.store.read(CHECKPOINT) == before
    assert parse_head(place.memory.read() or b"").size == 300


def test_what_was_signed_is_published_from_its_tiles_once_it_is_endorsed(place: Place) -> None:
    seal(place, 200)
    with pytest.raises(AwayError):
        seal(place, 300, endorse=nobody)

    published_now = publish_signed(place.store, KEY, place.memory, endorse=cosigned)

    assert published_now is not None
    assert (published_now.former_size, published_now.head.size) == (200, 300)
    data = place.store.read(CHECKPOINT) or b""
    assert open_checkpoint(data, KEY.verifier, cosigners=[COSIGNER.verifier]).by_cosigners
    assert publish_signed(place.store, KEY, place.memory, endorse=cosigned) is None


def test_what_was_signed_is_derived_again_where_its_tiles_are_gone(place: Place) -> None:
    seal(place, 200)
    with pytest.raises(AwayError):
        seal(place, 300, endorse=nobody)
    (place.folder / "tile/0/001.p/44").unlink()

    assert publish_signed(place.store, KEY, place.memory, endorse=cosigned) is None
    assert seal(place, 310) is not None
    assert published(place).root == root_of(run_of(0, 310).hashes())


def test_a_signed_tree_that_does_not_continue_the_published_one_is_not_published(
    place: Place, tmp_path: Path
) -> None:
    other = Place(tmp_path / "other")
    other.folder.parent.mkdir()
    seal_once(Forged(300), other.store, KEY, other.memory)
    seal(other, 300)
    seal(place, 200)
    other.store.replace_checkpoint(other.store.read(CHECKPOINT), place.store.read(CHECKPOINT) or b"")

    with pytest.raises(SealRefusedError, match="size 200"):
        publish_signed(other.store, KEY, other.memory)


class Forged(LeavesInMemory):
    def read(self, first_index: int, limit: int) -> StoredLeaves:
        run = run_of(first_index + 1_000, max(0, min(limit, self.size - first_index)))
        moved = LeafRun(
            run.kinds, first_index, run.offsets, run.timestamps_ms, run.event_ids, run.value_sha256
        )
        return StoredLeaves(moved, moved.hashes())


def test_unpublished_rounds_leave_no_partial_tiles_behind(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    other.folder.parent.mkdir()
    seal(place, 200)
    for size in (300, 400, 500):
        with pytest.raises(AwayError):
            seal(place, size, endorse=nobody)
    seal(place, 800)
    for size in (200, 300, 400, 500, 800):
        seal(other, size)

    assert place.contents() == other.contents()


def test_a_checkpoint_is_published_again_under_fresh_cosignatures(place: Place) -> None:
    assert publish_again(place.store, KEY, place.memory, endorse=cosigned) is None
    seal(place, 200, endorse=cosigned)

    again = publish_again(place.store, KEY, place.memory, endorse=cosigned)

    assert again is not None
    assert again.checkpoint == place.store.read(CHECKPOINT)
    opened = open_checkpoint(again.checkpoint, KEY.verifier, cosigners=[COSIGNER.verifier])
    assert [cosigned_at(each.signature) for each in opened.by_cosigners] == [2]
    assert opened.checkpoint == Checkpoint(KEY.name, 200, root_of(run_of(0, 200).hashes()))


def test_a_checkpoint_that_was_put_back_over_another_memory_is_not_published_again(place: Place) -> None:
    seal(place, 200)
    place.memory.replace(place.memory.read(), TreeHead(200, bytes(32)).to_bytes())
    with pytest.raises(SealRefusedError):
        publish_again(place.store, KEY, place.memory, endorse=cosigned)

    (place.folder.parent / "memory" / "sealed").unlink()
    with pytest.raises(MemoryLostError):
        publish_again(place.store, KEY, place.memory, endorse=cosigned)
