"""Checkpoints, rule by rule (c2sp.org/tlog-checkpoint), and what other verifiers were seen to accept."""

from __future__ import annotations

import base64

import pytest

from auditstream.ledger.checkpoints import (
    Checkpoint,
    CheckpointError,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.merkle import EMPTY_ROOT
from auditstream.ledger.notes import Note, NoteError, sign_note

LOG = SignerKey("audit.example/demo/events/0/5f3759df", b"l" * 32)
OTHER = SignerKey("audit.example/demo/events/1/5f3759df", b"o" * 32)
WITNESS = CosignerSecretKey("witness.example/w1", b"w" * 32)
ROOT = bytes(range(224, 256))  # its base64 has both letters that url-safe base64 writes otherwise
CHECKPOINT = Checkpoint(LOG.name, 20_852_163, ROOT)
ROOT_LINE = base64.b64encode(ROOT).decode()
DATA = sign_checkpoint(CHECKPOINT, LOG).to_bytes()


def signed(text: str, *signers: SignerKey) -> bytes:
    return sign_note(text, *(signers or [LOG])).to_bytes()


def test_the_text_is_origin_size_and_root():
    assert CHECKPOINT.text == f"{LOG.name}\n20852163\n{ROOT_LINE}\n"


def test_a_checkpoint_is_opened_with_the_key_of_its_log():
    opened = open_checkpoint(DATA, LOG.verifier)

    assert opened.checkpoint == CHECKPOINT
    assert [each.key for each in opened.by_log] == [LOG.verifier]
    assert opened.note.to_bytes() == DATA


def test_the_empty_log_has_size_0_and_the_empty_root():
    empty = Checkpoint(LOG.name, 0, EMPTY_ROOT)

    assert open_checkpoint(sign_checkpoint(empty, LOG).to_bytes(), LOG.verifier).checkpoint == empty


def test_a_signed_size_0_with_another_root_is_refused():
    with pytest.raises(CheckpointError, match="size 0 cannot have root"):
        open_checkpoint(signed(f"{LOG.name}\n0\n{ROOT_LINE}\n"), LOG.verifier)


def test_a_signed_size_above_0_with_the_empty_root_is_refused():
    empty = base64.b64encode(EMPTY_ROOT).decode()

    with pytest.raises(CheckpointError, match="size 1 cannot have root"):
        open_checkpoint(signed(f"{LOG.name}\n1\n{empty}\n"), LOG.verifier)


def test_a_signed_origin_that_is_not_the_name_of_the_key_is_refused():
    with pytest.raises(CheckpointError, match=r"events/0.*the checkpoint of .*events/1"):
        open_checkpoint(signed(f"{OTHER.name}\n1\n{ROOT_LINE}\n"), LOG.verifier)


def test_no_checkpoint_of_another_origin_is_signed():
    with pytest.raises(CheckpointError):
        sign_checkpoint(CHECKPOINT, OTHER)


def test_a_checkpoint_of_an_unknown_log_is_refused():
    with pytest.raises(NoteError, match="no known key"):
        open_checkpoint(DATA, OTHER.verifier)


@pytest.mark.parametrize(
    "size",
    ["", "-1", "+1", "01", "00", " 1", "1 ", "1.0", "1e3", "0x1", "1_000", "\u0661", str(2**63), "9" * 5000],
)
def test_a_size_is_a_decimal_number_without_leading_zeros_below_2_63(size):
    with pytest.raises(CheckpointError):
        open_checkpoint(signed(f"{LOG.name}\n{size}\n{ROOT_LINE}\n"), LOG.verifier)


def test_the_largest_size_is_accepted():
    text = f"{LOG.name}\n{2**63 - 1}\n{ROOT_LINE}\n"

    assert open_checkpoint(signed(text), LOG.verifier).checkpoint.text == text


@pytest.mark.parametrize(
    "root",
    [
        "",
        base64.b64encode(ROOT[:31]).decode(),
        base64.b64encode(ROOT + b"\0").decode(),
        base64.urlsafe_b64encode(ROOT).decode(),
        ROOT_LINE.rstrip("="),
        ROOT_LINE + "=",
        ROOT_LINE[:-2] + "9=",
        ROOT_LINE + " ",
        ROOT.hex(),
    ],
    ids=["empty", "short", "long", "url-safe", "unpadded", "overpadded", "stray bits", "space", "hex"],
)
def test_a_root_is_padded_standard_base64_of_32_bytes(root):
    assert "/" in ROOT_LINE
    assert "+" in ROOT_LINE

    with pytest.raises(CheckpointError):
        open_checkpoint(signed(f"{LOG.name}\n1\n{root}\n"), LOG.verifier)


@pytest.mark.parametrize("text", ["\n", f"{LOG.name}\n", f"{LOG.name}\n1\n", f"\n1\n{ROOT_LINE}\n"])
def test_three_lines_are_needed_and_none_is_empty(text):
    with pytest.raises(CheckpointError):
        parse_checkpoint(text)


def test_carriage_returns_and_a_missing_final_newline_are_refused():
    for data in (DATA.replace(b"\n", b"\r\n"), DATA.replace(b"\n", b"\r\n", 1), DATA[:-1]):
        with pytest.raises(NoteError):
            open_checkpoint(data, LOG.verifier)
    with pytest.raises(CheckpointError, match="newline"):
        parse_checkpoint(CHECKPOINT.text[:-1])


def test_extension_lines_are_kept_and_covered_by_the_signature():
    extended = Checkpoint(LOG.name, 1, ROOT, ("one", "two"))
    data = sign_checkpoint(extended, LOG).to_bytes()

    assert open_checkpoint(data, LOG.verifier).checkpoint == extended
    with pytest.raises(NoteError, match="does not hold"):
        open_checkpoint(data.replace(b"two", b"2wo"), LOG.verifier)


def test_an_empty_extension_line_is_refused():
    for text in (f"{CHECKPOINT.text}\n", f"{CHECKPOINT.text}\none\n", f"{CHECKPOINT.text}one\n\n"):
        with pytest.raises(CheckpointError):
            open_checkpoint(signed(text), LOG.verifier)
    with pytest.raises(CheckpointError):
        Checkpoint(LOG.name, 1, ROOT, ("two\nlines",))


def test_cosigners_alone_do_not_make_a_checkpoint():
    data = Note(CHECKPOINT.text, (WITNESS.cosign(CHECKPOINT, 1),)).to_bytes()

    with pytest.raises(CheckpointError, match="itself has not signed"):
        open_checkpoint(data, LOG.verifier, cosigners=[WITNESS.verifier])


def test_either_of_two_keys_of_a_log_opens_its_checkpoint():
    successor = SignerKey(LOG.name, b"s" * 32)

    for signers in ([LOG], [successor], [LOG, successor]):
        opened = open_checkpoint(signed(CHECKPOINT.text, *signers), LOG.verifier, successor.verifier)
        assert [each.key for each in opened.by_log] == [signer.verifier for signer in signers]
