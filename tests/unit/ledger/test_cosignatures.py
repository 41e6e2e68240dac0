"""Cosignatures, rule by rule (c2sp.org/tlog-cosignature, the Ed25519 kind)."""

from __future__ import annotations

import struct

import pytest

from auditstream.ledger.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from auditstream.ledger.cosignatures import CosignerKey, CosignerSecretKey, cosigned_at
from auditstream.ledger.keys import SignerKey, VerifierKey
from auditstream.ledger.notes import Note, NoteError, Signature, verify_note

LOG = SignerKey("audit.example/demo/events/0/5f3759df", b"l" * 32)
WITNESS = CosignerSecretKey("witness.example/w1", b"w" * 32)
CHECKPOINT = Checkpoint(LOG.name, 9, bytes(range(32)))
TIME_S = 1_679_315_147
COSIGNATURE = WITNESS.cosign(CHECKPOINT, TIME_S)


def cosigned(*cosignatures: Signature, checkpoint: Checkpoint = CHECKPOINT) -> bytes:
    return Note(checkpoint.text, (*sign_checkpoint(checkpoint, LOG).signatures, *cosignatures)).to_bytes()


def payload(time_s: int, message: bytes) -> bytes:
    return struct.pack(">Q", time_s) + WITNESS.sign_message(message)


def test_a_payload_is_the_time_and_a_signature_over_header_time_and_checkpoint():
    message = f"cosignature/v1\ntime 1679315147\n{CHECKPOINT.text}".encode()

    assert COSIGNATURE.payload == payload(TIME_S, message)
    assert COSIGNATURE.key_id == WITNESS.verifier.key_id
    assert cosigned_at(COSIGNATURE) == TIME_S


def test_a_cosignature_is_verified_beside_the_signature_of_the_log():
    opened = open_checkpoint(cosigned(COSIGNATURE), LOG.verifier, cosigners=[WITNESS.verifier])

    assert [each.key for each in opened.by_cosigners] == [WITNESS.verifier]
    assert [cosigned_at(each.signature) for each in opened.by_cosigners] == [TIME_S]


def test_extension_lines_are_cosigned_too():
    extended = Checkpoint(LOG.name, 9, bytes(range(32)), ("extension",))
    data = cosigned(WITNESS.cosign(extended, TIME_S), checkpoint=extended)

    assert open_checkpoint(data, LOG.verifier, cosigners=[WITNESS.verifier]).by_cosigners
    with pytest.raises(NoteError, match=r"w1.* does not hold"):
        verify_note(data.replace(b"extension", b"eXtension"), [WITNESS.verifier])


@pytest.mark.parametrize(
    "forged",
    [
        payload(TIME_S, CHECKPOINT.text.encode()),
        payload(TIME_S + 1, f"cosignature/v1\ntime {TIME_S}\n{CHECKPOINT.text}".encode()),
        payload(TIME_S, f"cosignature/v1\ntime 0{TIME_S}\n{CHECKPOINT.text}".encode()),
        payload(TIME_S, f"cosignature/v2\ntime {TIME_S}\n{CHECKPOINT.text}".encode()),
        payload(2**63, f"cosignature/v1\ntime {2**63}\n{CHECKPOINT.text}".encode()),
        COSIGNATURE.payload[:-1],
        COSIGNATURE.payload + b"\0",
        COSIGNATURE.payload[8:],
        COSIGNATURE.payload[:8],
        b"\0",
    ],
    ids=[
        "no header",
        "another time",
        "leading zero",
        "another version",
        "time above 2^63 - 1",
        "cut",
        "longer",
        "no time",
        "time alone",
        "one byte",
    ],
)
def test_any_other_payload_is_refused(forged):
    data = cosigned(Signature(WITNESS.name, WITNESS.verifier.key_id, forged))

    with pytest.raises(NoteError, match=r"w1.* does not hold"):
        open_checkpoint(data, LOG.verifier, cosigners=[WITNESS.verifier])


def test_times_of_0_and_2_63_less_1_are_accepted():
    for time_s in (0, 2**63 - 1):
        data = cosigned(WITNESS.cosign(CHECKPOINT, time_s))
        assert open_checkpoint(data, LOG.verifier, cosigners=[WITNESS.verifier]).by_cosigners


@pytest.mark.parametrize("time_s", [-1, 2**63])
def test_no_other_time_is_cosigned(time_s):
    with pytest.raises(ValueError, match="seconds since 1970"):
        WITNESS.cosign(CHECKPOINT, time_s)


def test_a_note_that_is_no_checkpoint_has_no_cosignature():
    text = "Some other text.\n"
    message = f"cosignature/v1\ntime {TIME_S}\n{text}".encode()
    note = Note(text, (Signature(WITNESS.name, WITNESS.verifier.key_id, payload(TIME_S, message)),))

    with pytest.raises(NoteError, match="does not hold"):
        verify_note(note.to_bytes(), [WITNESS.verifier])


def test_a_plain_signature_of_the_same_key_is_no_cosignature():
    plain = SignerKey(WITNESS.name, WITNESS.seed)
    (signature,) = sign_checkpoint(Checkpoint(plain.name, 9, bytes(range(32))), plain).signatures

    assert not WITNESS.verifier.verifies(CHECKPOINT.text.encode(), signature.payload)
    assert VerifierKey(WITNESS.name, WITNESS.verifier.public_key) != WITNESS.verifier
    assert isinstance(WITNESS.verifier, CosignerKey)
