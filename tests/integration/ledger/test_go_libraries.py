"""Go's log libraries agree with ours: trees, proofs, notes, checkpoints, cosignatures, receipts.

golang.org/x/mod (sumdb) and github.com/transparency-dev/formats; neither was a model for this code.
"""

from __future__ import annotations

import random
import struct

import pytest

from auditstream.ledger.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from auditstream.ledger.cosignatures import CosignerSecretKey, cosigned_at
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.merkle import Frontier, leaf_hash
from auditstream.ledger.notes import Note
from auditstream.ledger.proofs import ProofError, verify_consistency, verify_inclusion
from auditstream.ledger.receipts import Receipt, parse_receipt
from auditstream.ledger.tile_edge import TileEdge
from auditstream.ledger.tiles import new_tiles, right_edge
from tests.support import go_log
from tests.support.go_log import octets
from tests.support.merkle_trees import Tree

ENTRIES = 100_000
LOG = SignerKey("audit.example/demo/events/0/5f3759df", bytes(range(32)))
COSIGNER = CosignerSecretKey("witness.example/w1", bytes(range(32, 64)))

# The first build compiles Go's own library.
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    return go_log.build(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def entries():
    dice = random.Random(20260801)
    return [dice.randbytes(dice.choice((0, 1, 31, 64, 74, dice.randrange(1000)))) for _ in range(ENTRIES)]


@pytest.fixture(scope="module")
def tree(entries):
    return Tree([leaf_hash(entry) for entry in entries])


@pytest.fixture(scope="module")
def entries_file(entries, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "entries"
    path.write_bytes(b"".join(struct.pack(">I", len(entry)) + entry for entry in entries))
    return str(path)


@pytest.fixture(scope="module")
def pairs():
    """Pairs of a smaller and a larger size, many of them at the edges of full subtrees."""
    dice = random.Random(4)
    edges = [size for power in range(17) for size in (2**power - 1, 2**power, 2**power + 1) if size]
    sizes = [*edges, ENTRIES, *(dice.randint(1, ENTRIES) for _ in range(50))]
    return [tuple(sorted((dice.choice(sizes), dice.choice(sizes)))) for _ in range(1000)]


def test_the_roots_of_a_log_of_100_000_entries_of_random_sizes(ask, tree, entries_file, pairs):
    sizes = sorted({0, 1, ENTRIES, *(size for _, size in pairs)})

    roots = ask(entries=entries_file, sizes=sizes)["Roots"]

    frontier, ours = Frontier(), []
    for size in sizes:
        frontier = frontier.extend(tree.leaf_hashes[frontier.size : size])
        ours.append(frontier.root)
    assert [octets(root) for root in roots] == ours


@pytest.mark.parametrize("steps", [(ENTRIES,), (1, 255, 257, 65_535, 70_000, ENTRIES)])
def test_its_tiles(ask, tree, entries_file, steps):
    edge, ours = TileEdge(), {}
    for size in steps:
        ours |= dict(edge.extend(tree.leaf_hashes[edge.size : size]))
        ours |= dict(edge.partial_tiles())
    tiles = list(ours)

    theirs = ask(entries=entries_file, tiles=[(tile.level, tile.index, tile.width) for tile in tiles])[
        "Tiles"
    ]

    assert {tile for tile in tiles if tile.width == 256} | set(right_edge(ENTRIES)) == set(
        new_tiles(0, ENTRIES)
    )
    assert set(new_tiles(0, ENTRIES)) <= set(tiles)
    assert [octets(data) for data in theirs] == list(ours.values())


def test_its_inclusion_proofs(ask, tree, entries_file, pairs):
    asked = [(smaller - 1, larger) for smaller, larger in pairs]

    proofs = ask(entries=entries_file, inclusion=asked)["Inclusion"]

    assert [[octets(each) for each in proof] for proof in proofs] == [tree.inclusion(*each) for each in asked]
    for (index, size), proof in zip(asked, proofs, strict=True):
        theirs = [octets(each) for each in proof]
        verify_inclusion(index, size, tree.leaf_hashes[index], theirs, tree.root(size))
        with pytest.raises(ProofError):
            verify_inclusion(index, size, tree.leaf_hashes[index - 1], theirs, bytes(32))


def test_its_consistency_proofs(ask, tree, entries_file, pairs):
    proofs = ask(entries=entries_file, consistency=pairs)["Consistency"]

    assert [[octets(each) for each in proof] for proof in proofs] == [
        tree.consistency(*each) for each in pairs
    ]
    for (size1, size2), proof in zip(pairs, proofs, strict=True):
        theirs = [octets(each) for each in proof]
        verify_consistency(size1, size2, tree.root(size1), tree.root(size2), theirs)
        with pytest.raises(ProofError):
            verify_consistency(size1, size2, bytes(32), tree.root(size2), theirs)


def test_a_checkpoint_signed_and_cosigned_here_opens_there(ask, tree):
    note, checkpoint = signed(tree)

    found = ask(
        open={
            "Note": note.to_bytes(),
            "Origin": LOG.name,
            "LogVkey": LOG.verifier.text,
            "CosignerVkey": COSIGNER.verifier.text,
        }
    )["Opened"]

    assert found["Origin"] == checkpoint.origin
    assert found["Size"] == checkpoint.size
    assert octets(found["Root"]) == checkpoint.root
    assert found["Signatures"] == 2
    assert found["Time"] == 1_790_000_000


def test_a_checkpoint_signed_and_cosigned_there_opens_here(ask, tree):
    theirs = octets(
        ask(
            sign={
                "Origin": LOG.name,
                "LogKey": LOG.secret_text,
                "CosignerKey": COSIGNER.secret_text,
                "Size": ENTRIES,
                "Root": tree.root(ENTRIES),
            }
        )["Signed"]
    )

    opened = open_checkpoint(theirs, LOG.verifier, cosigners=[COSIGNER.verifier])

    assert opened.checkpoint == Checkpoint(LOG.name, ENTRIES, tree.root(ENTRIES))
    (cosignature,) = opened.by_cosigners
    assert cosigned_at(cosignature.signature) > 1_700_000_000
    # Ed25519 has one signature of a text, so the log's line is the same to the byte.
    assert opened.note.signatures[0] == sign_checkpoint(opened.checkpoint, LOG).signatures[0]


@pytest.mark.parametrize("extra", [b"", b"value \x00 of the entry"])
def test_a_receipt_is_read_and_written_alike(ask, tree, extra):
    note, checkpoint = signed(tree)
    ours = Receipt(73_894, tuple(tree.inclusion(73_894, checkpoint.size)), note.to_bytes(), extra).to_bytes()

    theirs = ask(receipt=ours)["Receipt"]

    assert theirs["Index"] == 73_894
    assert [octets(each) for each in theirs["Hashes"]] == tree.inclusion(73_894, checkpoint.size)
    assert octets(theirs["Checkpoint"]) == note.to_bytes()
    assert octets(theirs["Extra"]) == extra
    assert octets(theirs["Again"]) == ours
    assert parse_receipt(octets(theirs["Again"])).to_bytes() == ours


def signed(tree) -> tuple[Note, Checkpoint]:
    checkpoint = Checkpoint(LOG.name, ENTRIES, tree.root(ENTRIES))
    note = sign_checkpoint(checkpoint, LOG)
    cosignature = COSIGNER.cosign(checkpoint, 1_790_000_000)
    return Note(note.text, (*note.signatures, cosignature)), checkpoint
