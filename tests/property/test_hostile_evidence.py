"""Whatever the bytes, a parser of evidence refuses them in its own words or can write the very same again."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from auditstream.ledger.checkpoints import Checkpoint, CheckpointError, parse_checkpoint, sign_checkpoint
from auditstream.ledger.cosignatures import CosignerKey, CosignerSecretKey
from auditstream.ledger.keys import KeyTextError, SignerKey, VerifierKey
from auditstream.ledger.merkle import HASH_BYTES, Frontier, TreeError, leaf_hash, node_hash
from auditstream.ledger.notes import Note, NoteError, parse_note, verify_note
from auditstream.ledger.policies import PolicyError, parse_policy
from auditstream.ledger.proofs import (
    ProofError,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from auditstream.ledger.receipts import Receipt, ReceiptError, parse_receipt

LOG = SignerKey("audit.example/demo/events/0/5f3759df", b"l" * 32)
WITNESS = CosignerSecretKey("witness.example/w1", b"w" * 32)
LEAF, SIBLING = leaf_hash(b"leaf"), leaf_hash(b"sibling")
CHECKPOINT = Checkpoint(LOG.name, 2, node_hash(LEAF, SIBLING))
NOTE = Note(
    CHECKPOINT.text, (*sign_checkpoint(CHECKPOINT, LOG).signatures, WITNESS.cosign(CHECKPOINT, 1))
).to_bytes()
RECEIPT = Receipt(0, (SIBLING,), NOTE, b"extra").to_bytes()
VKEY, COSIGNER_VKEY = LOG.verifier.text, WITNESS.verifier.text
POLICY_TEXT = f"log {VKEY}\nwitness w {COSIGNER_VKEY}\ngroup g 1 w\nquorum g\n"
POLICY = parse_policy(POLICY_TEXT.encode())
FRONTIER = Frontier().extend([LEAF] * 21).to_bytes()

# What formats like these are usually broken with.
PIECES = st.binary(max_size=12) | st.sampled_from(
    [
        *(
            b"\n",
            b"\n\n",
            b"\r\n",
            b" ",
            b"\t",
            b"\0",
            b"\x7f",
            b"+",
            b"=",
            b"-",
            b"_",
            b"/",
            b"0",
            b"-1",
            b"#",
        ),
        *(piece.encode() for piece in ("\u2014 ", "\u2013 ", "\u00a0", str(2**63), str(2**64), "A" * 44)),
        *(b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf", LOG.name.encode()),
    ]
)


@st.composite
def broken(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw a published text with some pieces cut out, put in, doubled or replaced."""
    data = whole
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([0, 1, 2, 50, 500])))))
        data = data[:start] + draw(PIECES | st.just(data[start:end] * 2)) + data[end:]
    return data


def of(whole: bytes) -> st.SearchStrategy[bytes]:
    return broken(whole) | st.binary(max_size=200)


@given(of(NOTE))
def test_notes(data):
    with suppress(NoteError):
        assert parse_note(data).to_bytes() == data
    with suppress(NoteError):
        note, _ = verify_note(data, [LOG.verifier, WITNESS.verifier])
        assert note.text == CHECKPOINT.text  # nothing else has ever been signed


@given(of(CHECKPOINT.text.encode()).map(lambda data: data.decode("utf-8", "surrogateescape")))
@example("log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
def test_checkpoints(text):
    with suppress(CheckpointError):
        assert parse_checkpoint(text).text == text


@given(of(RECEIPT))
def test_receipts(data):
    with suppress(ReceiptError):
        receipt = parse_receipt(data)
        assert receipt.to_bytes() == data
        with suppress(NoteError, CheckpointError, ProofError):
            assert receipt.verify(LEAF, POLICY).checkpoint == CHECKPOINT
            assert (receipt.index, receipt.proof) == (0, (SIBLING,))


@given(of(POLICY_TEXT.encode()))
def test_policies(data):
    with suppress(PolicyError):
        policy = parse_policy(data)
        assert policy.quorum in {"none", *(each.name for each in (*policy.witnesses, *policy.groups))}
        assert {log.key for log in policy.logs} <= {LOG.verifier}  # any other key would need its own id


@given(of(VKEY.encode()).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_verifier_keys(text):
    with suppress(KeyTextError):
        assert VerifierKey.parse(text).text == text
    with suppress(KeyTextError):
        assert CosignerKey.parse(text).text == text


@given(of(LOG.secret_text.encode()).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_signer_keys(text):
    with suppress(KeyTextError):
        assert SignerKey.parse(text).secret_text == text


@given(of(FRONTIER))
def test_frontiers(data):
    with suppress(TreeError):
        assert Frontier.from_bytes(data).to_bytes() == data


NUMBERS = (
    st.integers(-2, 40) | st.integers(-(2**70), 2**70) | st.sampled_from([2**62, 2**63 - 1, 2**63, 2**64])
)
HASHES = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES) | st.binary(max_size=40)
PROOFS = st.lists(HASHES, max_size=70)


@given(numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS), hashes=st.tuples(HASHES, HASHES), proof=PROOFS)
def test_proofs(numbers, hashes, proof):
    (first, second, third), (one, other) = numbers, hashes

    with suppress(ProofError):
        verify_inclusion(first, second, one, proof, other)
        assert second == 1  # where leaf and root are one
        assert one == other
    with suppress(ProofError):
        verify_consistency(first, second, one, other, proof)
        assert first == second
        assert one == other
    with suppress(ProofError):
        verify_subtree_inclusion(first, second, third, leaf_hash=one, proof=proof, root=other)
        assert third - second == 1
    with suppress(ProofError):
        verify_subtree_consistency(first, second, third, subtree_root=one, root=other, proof=proof)
        assert first == second or (first, second) == (0, third)
