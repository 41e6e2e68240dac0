"""Parsers of evidence as targets for hostile bytes: what goes in, and what must hold whatever comes out.

Each target refuses bytes in its parser's own words, or can write the very same bytes again; what a signature
covers never differs from what was signed. Hypothesis draws for them in `tests/property`, a fuzzer in
`tests/fuzz`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from auditstream.core.errors import VerificationError
from auditstream.ledger.checkpoints import (
    Checkpoint,
    CheckpointError,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from auditstream.ledger.completeness import (
    Completeness,
    CompletenessError,
    Counted,
    Missing,
    Numbered,
    OfLog,
    RestsOn,
    Unnumbered,
    parse_completeness,
)
from auditstream.ledger.cosignatures import CosignerKey, CosignerSecretKey
from auditstream.ledger.gaps import Gap, GapError, gap_of
from auditstream.ledger.hashing import HASH_BYTES
from auditstream.ledger.keys import KeyTextError, SignerKey, VerifierKey
from auditstream.ledger.log_list import ListedLog, LogListError, log_list, parse_log_list
from auditstream.ledger.merkle import Frontier, TreeError, leaf_hash, node_hash
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
from auditstream.ledger.tiles import TileError, entries_bundle, parse_bundle, parse_tile_path
from auditstream.ledger.vkeys import VkeysError, parse_vkeys
from auditstream.ledger.witnessing import (
    RefusedError,
    WitnessingError,
    WitnessRequest,
    judge,
    parse_answer,
    parse_request,
    parse_size,
)
from auditstream.sealer.places import LogIdError, checked_log_id
from auditstream.sealer.seal_memory import TreeHead, parse_head
from auditstream_verify.notes import BrokenError
from auditstream_verify.notes import open_checkpoint as open_checkpoint_apart
from auditstream_verify.notes import open_log_list as open_log_list_apart
from auditstream_verify.notes import open_note as open_note_apart
from auditstream_verify.notes import parse_key as parse_key_apart
from auditstream_verify.notes import parse_policy as parse_policy_apart
from auditstream_verify.notes import parse_vkeys as parse_vkeys_apart
from auditstream_verify.receipts import check_receipt as check_receipt_apart

LOG = SignerKey("audit.example/demo/events/0/5f3759df", b"l" * 32)
WITNESS = CosignerSecretKey("witness.example/w1", b"w" * 32)
LEAF, SIBLING = leaf_hash(b"leaf"), leaf_hash(b"sibling")
CHECKPOINT = Checkpoint(LOG.name, 2, node_hash(LEAF, SIBLING))
NOTE = Note(
    CHECKPOINT.text, (*sign_checkpoint(CHECKPOINT, LOG).signatures, WITNESS.cosign(CHECKPOINT, 1))
).to_bytes()
RECEIPT = Receipt(0, (SIBLING,), NOTE, b"extra").to_bytes()
GAP = Gap("events/0/5f3759df", 12, 51, "never_planned")
VKEY, COSIGNER_VKEY = LOG.verifier.text, WITNESS.verifier.text
POLICY_TEXT = f"log {VKEY}\nwitness w {COSIGNER_VKEY}\ngroup g 1 w\nquorum g\n"
POLICY = parse_policy(POLICY_TEXT.encode())
LOGS = log_list("audit.example/demo", 1_790_000_000, [ListedLog(LOG.verifier, 2, CHECKPOINT.root)])
STATEMENT = Completeness(
    deployment="audit.example/demo",
    day=date(2026, 1, 31),
    time_s=1_790_000_000,
    scope="urn:a b",
    state="open",
    logs=(RestsOn(LOG.name, 2, CHECKPOINT.root, 2),),
    numbered=(Numbered("urn:a b", "", -1, 8, 7, 6, 5),),
    missing=(Missing("urn:a b", "", 3, 4),),
    more_missing=(Counted("urn:a b", "", 1),),
    reused=(Counted("urn:a b", "", 1),),
    unnumbered=(Unnumbered("urn:b", "-", 3, 2, 1),),
    rejected=(OfLog("events/0/5f3759df", 1),),
    lost=(OfLog("events/0/5f3759df", 40),),
    unsealed=(OfLog("events/0/5f3759df", 1),),
)
VKEYS = f"{LOG.name} {VKEY}\n{WITNESS.name} {COSIGNER_VKEY}\n".encode()
REQUEST = WitnessRequest(1, (SIBLING,), NOTE).to_bytes()
ANSWER = f"{WITNESS.cosign(CHECKPOINT, 1).line}\n".encode()


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under fire.

    Attributes:
        check: Takes any bytes; returns when they were refused as they should be or hold; else raises.
        seeds: Bytes that the parser takes.
    """

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def text_of(data: bytes) -> str:
    """Return bytes as a caller may have decoded them."""
    return data.decode("utf-8", "surrogateescape")


def _note(data: bytes) -> None:
    with suppress(NoteError):
        assert parse_note(data).to_bytes() == data
    with suppress(NoteError):
        note, _ = verify_note(data, [LOG.verifier, WITNESS.verifier])
        assert note.text == CHECKPOINT.text  # nothing else has ever been signed


def _checkpoint(data: bytes) -> None:
    with suppress(CheckpointError):
        assert parse_checkpoint(text_of(data)).text == text_of(data)


def _receipt(data: bytes) -> None:
    with suppress(ReceiptError):
        receipt = parse_receipt(data)
        assert receipt.to_bytes() == data
        with suppress(NoteError, CheckpointError, ProofError):
            assert receipt.verify(LEAF, POLICY).checkpoint == CHECKPOINT
            assert (receipt.index, receipt.proof) == (0, (SIBLING,))


def _policy(data: bytes) -> None:
    with suppress(PolicyError):
        policy = parse_policy(data)
        assert policy.quorum in {"none", *(each.name for each in (*policy.witnesses, *policy.groups))}


def _log_list(data: bytes) -> None:
    with suppress(LogListError):
        assert parse_log_list(text_of(data)).text == text_of(data)


def _completeness(data: bytes) -> None:
    with suppress(CompletenessError):
        assert parse_completeness(text_of(data)).text == text_of(data)


def _vkeys(data: bytes) -> None:
    with suppress(VkeysError):
        assert parse_vkeys(data).to_bytes() == data


def _witness_request(data: bytes) -> None:
    with suppress(WitnessingError):
        request = parse_request(data)
        assert request.to_bytes() == data
        with suppress(RefusedError):
            opened = judge(request, [LOG.verifier], Checkpoint(LOG.name, 1, LEAF))
            assert opened.checkpoint == CHECKPOINT


def _witness_answer(data: bytes) -> None:
    with suppress(WitnessingError):
        lines = [f"{signature.line}\n" for signature in parse_answer(data, CHECKPOINT)]
        assert "".join(lines).encode() == data
    with suppress(WitnessingError):
        assert data in {b"%d" % parse_size(data), b"%d\n" % parse_size(data)}


def _log_id(data: bytes) -> None:
    with suppress(LogIdError):
        assert {"", ".", ".."}.isdisjoint(checked_log_id(text_of(data)).split("/"))


def _verifier_key(data: bytes) -> None:
    with suppress(KeyTextError):
        assert VerifierKey.parse(text_of(data)).text == text_of(data)
    with suppress(KeyTextError):
        assert CosignerKey.parse(text_of(data)).text == text_of(data)


def _signer_key(data: bytes) -> None:
    with suppress(KeyTextError):
        assert SignerKey.parse(text_of(data)).secret_text == text_of(data)


def _frontier(data: bytes) -> None:
    with suppress(TreeError):
        assert Frontier.from_bytes(data).to_bytes() == data


def _gap(data: bytes) -> None:
    with suppress(GapError):
        assert gap_of(data).text() == data


def _seal_memory(data: bytes) -> None:
    with suppress(TreeError):
        assert parse_head(data).to_bytes() == data


def _tile_path(data: bytes) -> None:
    with suppress(TileError):
        assert parse_tile_path(text_of(data)).path == text_of(data)


def _bundle(data: bytes) -> None:
    width, rest = data[:1], data[1:]
    with suppress(TileError):
        assert entries_bundle(parse_bundle(rest, width[0] + 1 if width else 0)) == rest


def _proof(data: bytes) -> None:
    """Take three numbers of nine bytes, two hashes and a proof; the last hash may be too short."""
    first, second, third = (int.from_bytes(data[at : at + 9], "big") for at in (0, 9, 18))
    one, other, *proof = [*_cut(data[27:], HASH_BYTES), b"", b""][: 2 + len(data) // HASH_BYTES]
    with suppress(ProofError):
        verify_inclusion(first, second, one, proof, other)
        assert proof or (first, second, one) == (0, 1, other)
    with suppress(ProofError):
        verify_consistency(first, second, one, other, proof)
        assert proof or (first == second and one == other)
    with suppress(ProofError):
        verify_subtree_inclusion(first, second, third, leaf_hash=one, proof=proof, root=other)
        assert proof or (third - second == 1 and one == other)
    with suppress(ProofError):
        verify_subtree_consistency(first, second, third, subtree_root=one, root=other, proof=proof)
        assert proof or one == other


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _proof_seed(numbers: tuple[int, int, int], *hashes: bytes) -> bytes:
    return b"".join(number.to_bytes(9, "big") for number in numbers) + b"".join(hashes)


def _apart_note(data: bytes) -> None:
    """Check that the verifier of its own distribution takes the notes that ours takes, and no other."""
    keys = [parse_key_apart(VKEY), parse_key_apart(COSIGNER_VKEY)]
    assert _takes(lambda: verify_note(data, [LOG.verifier, WITNESS.verifier]), NoteError) == _takes(
        lambda: open_note_apart(data, keys), BrokenError
    )
    assert _takes(
        lambda: open_checkpoint(data, LOG.verifier, cosigners=[WITNESS.verifier]), VerificationError
    ) == _takes(lambda: open_checkpoint_apart(data, LOG.name, keys), BrokenError)


def _takes(call: Callable[[], object], refusal: type[Exception]) -> bool:
    try:
        call()
    except refusal:
        return False
    return True


def _apart_texts(data: bytes) -> None:
    with suppress(BrokenError):
        parse_policy_apart(data)
    with suppress(BrokenError):
        parse_vkeys_apart(data)
    with suppress(BrokenError):
        open_log_list_apart(data, [parse_key_apart(VKEY)])
    with suppress(BrokenError):
        check_receipt_apart(data, [parse_key_apart(VKEY)])


TARGETS = {
    "apart_note": Target(_apart_note, (NOTE,)),
    "apart_texts": Target(_apart_texts, (POLICY_TEXT.encode(), VKEYS, RECEIPT, NOTE, LOGS.text.encode())),
    "bundle": Target(_bundle, (b"\0" + entries_bundle([b"one"]), b"\2" + entries_bundle([b"", b"a", b"bc"]))),
    "checkpoint": Target(_checkpoint, (CHECKPOINT.text.encode(),)),
    "completeness": Target(_completeness, (STATEMENT.text.encode(),)),
    "frontier": Target(_frontier, (Frontier().to_bytes(), Frontier().extend([LEAF] * 21).to_bytes())),
    "gap": Target(_gap, (GAP.text(),)),
    "log_id": Target(_log_id, (b"audit.events.v1/0/0a1b2c3d",)),
    "log_list": Target(_log_list, (LOGS.text.encode(),)),
    "note": Target(_note, (NOTE,)),
    "policy": Target(_policy, (POLICY_TEXT.encode(), b"# nobody\nquorum none\n")),
    "proof": Target(
        _proof,
        (
            _proof_seed((0, 2, 2), LEAF, CHECKPOINT.root, SIBLING),
            _proof_seed((1, 2, 0), LEAF, CHECKPOINT.root, SIBLING),
            _proof_seed((0, 0, 1), LEAF, LEAF),
        ),
    ),
    "receipt": Target(_receipt, (RECEIPT,)),
    "seal_memory": Target(_seal_memory, (TreeHead(2, CHECKPOINT.root).to_bytes(),)),
    "signer_key": Target(_signer_key, (LOG.secret_text.encode(),)),
    "tile_path": Target(_tile_path, (b"tile/0/x001/234.p/17", b"tile/entries/067", b"tile/63/000")),
    "verifier_key": Target(_verifier_key, (VKEY.encode(), COSIGNER_VKEY.encode())),
    "vkeys": Target(_vkeys, (VKEYS,)),
    "witness_answer": Target(_witness_answer, (ANSWER, b"20852014\n")),
    "witness_request": Target(_witness_request, (REQUEST, b"old 0\n\n" + NOTE)),
}
