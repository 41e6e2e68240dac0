"""Signed notes (c2sp.org/signed-note): a text and signature lines, the form of every checkpoint.

Layout: the text, which ends in a newline; an empty line; and for each signature an em dash, a space, the key
name, a space, base64 of the key id (4 bytes) and the signature, a newline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from auditstream.core.errors import VerificationError
from auditstream.ledger.keys import KEY_ID_BYTES, SignerKey, VerifierKey, is_key_name
from auditstream.ledger.strict_text import from_base64, to_base64

MAX_NOTE_BYTES = 1_000_000  # as Go's golang.org/x/mod/sumdb/note
MAX_SIGNATURES = 256  # the format asks for 16; a checkpoint may carry 200 cosignatures (tlog-witness)

_DASH = "\u2014 "  # the em dash; an ASCII hyphen is another format
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteError(VerificationError):
    """The bytes are no signed note, or nobody who is trusted signed it."""

    code = "note"
    hint = "Check that the file was not edited or cut off, and that the verifier key is the right one."


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, not verified.

    Attributes:
        name: Name of the key.
        key_id: 4 bytes that tell keys of one name apart.
        payload: What the key made of the text; its form depends on the kind of key.
    """

    name: str
    key_id: bytes
    payload: bytes

    @property
    def line(self) -> str:
        """The line in a note, without its newline."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.payload)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text with signatures that nobody has verified yet.

    Attributes:
        text: With its final newline.
        signatures: At least one.
    """

    text: str
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """Return the note as it is published."""
        lines = [f"{signature.line}\n" for signature in self.signatures]
        return f"{self.text}\n{''.join(lines)}".encode()


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature that its known key has verified over the text of its note."""

    key: VerifierKey
    signature: Signature


def sign_note(text: str, *signers: SignerKey) -> Note:
    """Return a note over the text with the signature of each key.

    Raises:
        NoteError: No note can have this text, or so many signatures.
    """
    _check_text(text)
    signatures = tuple(
        Signature(signer.verifier.name, signer.verifier.key_id, signer.sign(text.encode()))
        for signer in signers
    )
    _check_count(len(signatures))
    return Note(text, signatures)


def parse_note(data: bytes) -> Note:
    """Return the note that these bytes hold. Its text is not to be used before a signature is verified.

    Raises:
        NoteError: They are not a note: not UTF-8, a control character, a malformed line, too long.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise NoteError(f"a note has at most {MAX_NOTE_BYTES} bytes, found {len(data)}")
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteError(f"a note is UTF-8: {error}") from error
    text, separator, lines = content.rpartition("\n\n")
    if not separator:
        raise NoteError("a note has an empty line between text and signatures, found none")
    text += "\n"
    _check_text(text)
    if not lines.endswith("\n"):
        raise NoteError("a note ends with a signature line and its newline")
    _check_count(lines.count("\n"))
    return Note(text, tuple(_parse_line(line) for line in lines[:-1].split("\n")))


def verify_note(data: bytes, known: Iterable[VerifierKey]) -> tuple[Note, list[VerifiedSignature]]:
    """Return the note and those of its signatures that known keys made, in the note's order; one or more.

    Signatures of unknown keys are passed over. A key that signed twice is there twice.

    Raises:
        NoteError: Not a note, no signature of a known key, or one that does not hold.
    """
    note = parse_note(data)
    keys = _by_name_and_id(known)
    verified = []
    for signature in note.signatures:
        key = keys.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(note.text.encode(), signature.payload):
            raise NoteError(f"the signature of {key.text} does not hold")
        verified.append(VerifiedSignature(key, signature))
    if not verified:
        names = ", ".join(sorted({name for name, _ in keys})) or "none"
        raise NoteError(f"no known key signed the note; known: {names}")
    return note, verified


def _by_name_and_id(known: Iterable[VerifierKey]) -> dict[tuple[str, bytes], VerifierKey]:
    keys: dict[tuple[str, bytes], VerifierKey] = {}
    for key in known:
        if keys.setdefault((key.name, key.key_id), key) != key:
            raise NoteError(
                f"two known keys have the name and id of {key.text}: a signature could be either's"
            )
    return keys


def _parse_line(line: str) -> Signature:
    dash, name, encoded = line[: len(_DASH)], *line[len(_DASH) :].partition(" ")[::2]
    if dash != _DASH or not is_key_name(name):
        raise NoteError(f"not a signature line: {line[:80]!r}")
    try:
        payload = from_base64(encoded)
    except ValueError as error:
        raise NoteError(f"signature of {name[:80]}: {error}") from error
    if len(payload) <= KEY_ID_BYTES:
        raise NoteError(
            f"signature of {name[:80]}: {len(payload)} bytes have no room for key id and signature"
        )
    return Signature(name, payload[:KEY_ID_BYTES], payload[KEY_ID_BYTES:])


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends in a newline")
    if control := _CONTROL.search(text):
        raise NoteError(f"a note has no control characters but newlines, found {control.group()!r}")


def _check_count(signatures: int) -> None:
    if not 1 <= signatures <= MAX_SIGNATURES:
        raise NoteError(f"a note has 1 to {MAX_SIGNATURES} signatures, found {signatures}")
