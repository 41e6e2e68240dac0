"""Receipts, rule by rule (c2sp.org/tlog-proof)."""

from __future__ import annotations

import base64
import hashlib

import pytest

from auditstream.ledger.checkpoints import Checkpoint, CheckpointError, sign_checkpoint
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.notes import MAX_NOTE_BYTES, Note, NoteError
from auditstream.ledger.policies import parse_policy
from auditstream.ledger.proofs import ProofError
from auditstream.ledger.receipts import MAX_EXTRA_BYTES, Receipt, ReceiptError, parse_receipt
from tests.support.merkle_trees import Tree

LOG = SignerKey("audit.example/demo/events/0/5f3759df", b"l" * 32)
WITNESS = CosignerSecretKey("witness.example/w1", b"w" * 32)
LEAVES = [hashlib.sha256(b"%d" % number).digest() for number in range(21)]
TREE = Tree(LEAVES)
CHECKPOINT = Checkpoint(LOG.name, 21, TREE.root(21))
SIGNED = Note(
    CHECKPOINT.text, (*sign_checkpoint(CHECKPOINT, LOG).signatures, WITNESS.cosign(CHECKPOINT, 1))
).to_bytes()
POLICY = parse_policy(f"log {LOG.verifier.text}\nwitness w {WITNESS.verifier.text}\nquorum w\n".encode())
RECEIPT = Receipt(11, tuple(TREE.inclusion(11, 21)), SIGNED, b"extra")
DATA = RECEIPT.to_bytes()


def test_a_receipt_is_these_lines_and_the_checkpoint_as_published():
    hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in RECEIPT.proof)

    head = f"c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 11\n{hashes}\n"
    assert head.encode() + SIGNED == DATA


def test_a_receipt_is_read_back_with_and_without_extra_data():
    plain = Receipt(11, RECEIPT.proof, SIGNED)

    assert parse_receipt(DATA) == RECEIPT
    assert b"extra" not in plain.to_bytes()
    assert parse_receipt(plain.to_bytes()) == plain


def test_a_receipt_proves_its_entry_under_a_policy():
    assert parse_receipt(DATA).verify(LEAVES[11], POLICY).checkpoint == CHECKPOINT


def test_a_log_of_one_entry_has_a_receipt_without_hashes():
    one = Checkpoint(LOG.name, 1, LEAVES[0])
    receipt = parse_receipt(Receipt(0, (), sign_checkpoint(one, LOG).to_bytes()).to_bytes())

    receipt.verify(LEAVES[0], parse_policy(f"log {LOG.verifier.text}\nquorum none\n".encode()))


def test_a_receipt_for_another_entry_index_or_root_is_refused():
    with pytest.raises(ProofError, match="expected root"):
        RECEIPT.verify(LEAVES[12], POLICY)
    with pytest.raises(ProofError):
        Receipt(10, RECEIPT.proof, SIGNED).verify(LEAVES[11], POLICY)
    with pytest.raises(ProofError):
        Receipt(21, RECEIPT.proof, SIGNED).verify(LEAVES[11], POLICY)


def test_the_checkpoint_has_to_be_valid_under_the_policy():
    unwitnessed = Receipt(11, RECEIPT.proof, sign_checkpoint(CHECKPOINT, LOG).to_bytes())
    with pytest.raises(CheckpointError, match="quorum"):
        unwitnessed.verify(LEAVES[11], POLICY)

    rewritten = Receipt(11, RECEIPT.proof, SIGNED.replace(b"\n21\n", b"\n22\n"))
    with pytest.raises(NoteError, match="does not hold"):
        rewritten.verify(LEAVES[11], POLICY)


HASH = base64.b64encode(RECEIPT.proof[0])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        DATA.partition(b"\n\n")[0],
        DATA.replace(b"@v1", b"@v2"),
        DATA.replace(b"c2sp", b"C2SP"),
        b"\n" + DATA,
        DATA.replace(b"\n", b"\r\n"),
        DATA.replace(b"index 11\n", b""),
        DATA.replace(b"index 11", b"index 011"),
        DATA.replace(b"index 11", b"index +11"),
        DATA.replace(b"index 11", b"index  11"),
        DATA.replace(b"index 11", b"index 11 "),
        DATA.replace(b"index 11", b"index " + b"9" * 5000),
        DATA.replace(b"index 11", b"index 11\nindex 11"),
        DATA.replace(b"index 11", b"Index 11"),
        DATA.replace(b"extra ZXh0cmE=\nindex 11", b"index 11\nextra ZXh0cmE="),
        DATA.replace(b"extra ZXh0cmE=", b"extra ZXh0cmE=\nextra ZXh0cmE="),
        DATA.replace(b"extra ZXh0cmE=", b"extra "),
        DATA.replace(b"extra ZXh0cmE=", b"extra"),
        DATA.replace(b"extra ZXh0cmE=", b"extra ZXh0cmE"),
        DATA.replace(HASH, HASH + b" "),
        DATA.replace(HASH, HASH[:-1]),
        DATA.replace(HASH, base64.b64encode(RECEIPT.proof[0][:31])),
        DATA.replace(HASH, base64.b64encode(RECEIPT.proof[0] + b"\0")),
        DATA.replace(HASH, b"\n".join([HASH] * 64)),
        DATA.replace(HASH, "\u00e9".encode() * 22),
        DATA.replace(HASH, b"\xff" * 44),
    ],
)
def test_anything_else_is_refused(data):
    with pytest.raises(ReceiptError) as refused:
        parse_receipt(data)

    assert refused.value.exit_code == 3


def test_what_is_too_large_is_refused_unread():
    with pytest.raises(ReceiptError, match="a receipt has not"):
        parse_receipt(DATA + bytes(MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES))
    with pytest.raises(ReceiptError, match="at most 63 hashes, found 20000"):
        parse_receipt(DATA.replace(HASH, b"\n".join([HASH] * 19_996)))


def test_a_receipt_of_the_largest_parts_is_read_back():
    largest = Receipt(2**63 - 1, (bytes(32),) * 63, b"x" * MAX_NOTE_BYTES, bytes(MAX_EXTRA_BYTES))

    assert parse_receipt(largest.to_bytes()) == largest


def test_no_receipt_is_made_of_other_parts():
    for parts in (
        {"index": -1},
        {"index": 2**63},
        {"proof": (bytes(31),)},
        {"proof": (bytes(32),) * 64},
        {"extra": bytes(MAX_EXTRA_BYTES + 1)},
    ):
        with pytest.raises(ReceiptError):
            Receipt(**({"index": 0, "proof": (), "checkpoint": SIGNED} | parts))
