"""Signed notes, rule by rule (c2sp.org/signed-note)."""

from __future__ import annotations

import base64

import pytest

from auditstream.ledger.keys import SignerKey, VerifierKey
from auditstream.ledger.notes import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteError,
    Signature,
    parse_note,
    sign_note,
    verify_note,
)

ALICE = SignerKey("alice.example/a", b"a" * 32)
BOB = SignerKey("bob.example/b", b"b" * 32)
TEXT = "What was seen.\n"
NOTE = sign_note(TEXT, ALICE, BOB)
DATA = NOTE.to_bytes()
STRANGER = Signature("stranger.example", b"\x00\x01\x02\x03", b"anything")


def test_a_note_is_text_empty_line_and_signature_lines():
    encoded = base64.b64encode(ALICE.verifier.key_id + ALICE.sign(TEXT.encode())).decode()

    assert sign_note(TEXT, ALICE).to_bytes() == f"{TEXT}\n\u2014 alice.example/a {encoded}\n".encode()


def test_the_signature_is_over_the_text_with_its_newline_and_without_the_empty_line():
    (signature, _) = parse_note(DATA).signatures

    assert ALICE.verifier.verifies(b"What was seen.\n", signature.payload)
    assert not ALICE.verifier.verifies(b"What was seen.", signature.payload)
    assert not ALICE.verifier.verifies(b"What was seen.\n\n", signature.payload)


def test_a_note_is_read_back_byte_for_byte():
    assert parse_note(DATA) == NOTE
    assert parse_note(DATA).to_bytes() == DATA


def test_empty_lines_in_the_text_belong_to_it():
    text = "one\n\n\ntwo\n\n"

    note, _ = verify_note(sign_note(text, ALICE).to_bytes(), [ALICE.verifier])

    assert note.text == text


def test_signatures_of_unknown_keys_are_passed_over():
    data = Note(TEXT, (STRANGER, *NOTE.signatures)).to_bytes()

    _, verified = verify_note(data, [BOB.verifier])

    assert [each.key for each in verified] == [BOB.verifier]


def test_a_key_is_known_by_name_and_id_together():
    same_name = SignerKey(ALICE.name, b"c" * 32).verifier

    with pytest.raises(NoteError, match="no known key"):
        verify_note(DATA, [same_name])


def test_a_note_without_a_known_signature_is_refused():
    with pytest.raises(NoteError, match="no known key signed the note; known: none"):
        verify_note(DATA, [])


@pytest.mark.parametrize("position", range(4, 4 + 64, 9))
def test_a_known_key_whose_signature_does_not_hold_refuses_the_whole_note(position):
    first = NOTE.signatures[0]
    flipped = bytes(byte ^ (index == position - 4) for index, byte in enumerate(first.payload))
    forged = Note(TEXT, (Signature(first.name, first.key_id, flipped), NOTE.signatures[1]))

    with pytest.raises(NoteError, match="does not hold"):
        verify_note(forged.to_bytes(), [ALICE.verifier, BOB.verifier])


@pytest.mark.parametrize("length", [1, 63, 65, 2420])
def test_a_signature_of_another_length_does_not_hold(length):
    odd = Signature(
        ALICE.name, ALICE.verifier.key_id, NOTE.signatures[0].payload.ljust(length, b"\0")[:length]
    )

    with pytest.raises(NoteError, match="does not hold"):
        verify_note(Note(TEXT, (odd,)).to_bytes(), [ALICE.verifier])


def test_a_changed_text_is_refused():
    with pytest.raises(NoteError, match="does not hold"):
        verify_note(DATA.replace(b"seen", b"sent"), [ALICE.verifier])


def test_two_known_keys_that_cannot_be_told_apart_are_refused(monkeypatch):
    other = VerifierKey(ALICE.name, bytes(32))
    monkeypatch.setattr(VerifierKey, "key_id", property(lambda _: b"same"))

    with pytest.raises(NoteError, match="two known keys"):
        verify_note(DATA, [ALICE.verifier, other])


def test_a_known_key_may_be_named_twice():
    _, verified = verify_note(DATA, [ALICE.verifier, ALICE.verifier])

    assert len(verified) == 1


LINE = DATA.decode().split("\n")[2]


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace("\u2014", "-"),
        LINE.replace("\u2014", "\u2013"),
        LINE.replace("\u2014 ", "\u2014"),
        LINE.replace("\u2014 ", "\u2014  "),
        LINE.replace("alice.example/a ", "alice.example/a  "),
        LINE.replace("alice.example/a", "alice+example"),
        LINE.replace("alice.example/a", "alice\u00a0example"),
        LINE.replace("alice.example/a ", " "),
        LINE + " ",
        LINE.rstrip("="),
        LINE.replace("+", "-").replace("/", "_"),
        "\u2014 alice.example/a",
        "\u2014 alice.example/a ",
        "\u2014 alice.example/a AAAAAA==",
        "\u2014 alice.example/a AAAAAAB=",
        "\u2014 alice.example/a AAAA AAAA",
        "not a signature",
    ],
    ids=[
        "ASCII dash",
        "en dash",
        "no space behind the dash",
        "two spaces behind the dash",
        "two spaces behind the name",
        "plus sign in the name",
        "Unicode space in the name",
        "no name",
        "trailing space",
        "no padding",
        "url-safe base64",
        "no signature",
        "empty signature",
        "a key id alone",
        "stray last bits",
        "space in the signature",
        "other words",
    ],
)
def test_a_malformed_signature_line_is_refused_whoever_signed_the_others(line):
    data = DATA + f"{line}\n".encode()

    with pytest.raises(NoteError):
        verify_note(data, [ALICE.verifier])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DATA.replace(b"\n", b"\r\n"), "empty line"),
        (DATA.replace(b"seen.\n", b"seen.\r\n"), "control characters"),
        (DATA[:-1], "ends with"),
        (DATA + b"\n", "ends with"),
        (b"\n" + DATA[len(TEXT) + 1 :], "empty line"),
        (TEXT.encode(), "empty line"),
        (TEXT.encode() + b"\n", "ends with"),
        (b"", "empty line"),
        (DATA.replace(b"was", b"w\ts"), "control characters"),
        (DATA.replace(b"was", b"w\x00s"), "control characters"),
        (DATA.replace(b"was", b"w\xffs"), "UTF-8"),
        (DATA.replace(b"was", b"w\xed\xa0\x80s"), "UTF-8"),
        (DATA.replace(b"was", b"w\xc0\xafs"), "UTF-8"),
        (b"\xef\xbb\xbf" + DATA, "does not hold"),
    ],
)
def test_bytes_that_are_no_note_are_refused(data, reason):
    with pytest.raises(NoteError, match=reason):
        verify_note(data, [ALICE.verifier])


def test_16_signatures_and_200_cosignatures_are_accepted():
    for count in (16, 201, MAX_SIGNATURES):
        data = Note(TEXT, (*[STRANGER] * (count - 1), NOTE.signatures[0])).to_bytes()

        assert len(verify_note(data, [ALICE.verifier])[0].signatures) == count


def test_more_signatures_are_refused_before_they_are_looked_at():
    lines = DATA[len(TEXT) + 1 :] + "\u2014 x y\n".encode() * MAX_SIGNATURES
    with pytest.raises(NoteError, match=f"{MAX_SIGNATURES} signatures, found {MAX_SIGNATURES + 2}"):
        parse_note(TEXT.encode() + b"\n" + lines)

    with pytest.raises(NoteError, match="signatures, found 300000"):
        parse_note(TEXT.encode() + b"\n" + b"x\n" * 300_000)


def test_a_note_of_more_than_a_million_bytes_is_refused_unread():
    with pytest.raises(NoteError, match="at most 1000000 bytes"):
        parse_note(b"\xff" * (MAX_NOTE_BYTES + 1))


@pytest.mark.parametrize("text", ["", "no newline", "carriage\r\n", "tab\t\n", "nul\0\n"])
def test_no_other_text_is_signed(text):
    with pytest.raises(NoteError):
        sign_note(text, ALICE)
    with pytest.raises(NoteError, match="found 0"):
        sign_note(TEXT)
