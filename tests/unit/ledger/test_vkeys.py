"""The published verifier keys: whose they are, in which order, and what is refused."""

from __future__ import annotations

import pytest

from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.vkeys import MAX_KEYS, MAX_VKEYS_BYTES, Vkeys, VkeysError, parse_vkeys

OLD = SignerKey("audit.example/demo/events/0/5f3759df", b"1" * 32).verifier
NEW = SignerKey(OLD.name, b"2" * 32).verifier
WITNESS = CosignerSecretKey("witness.example/w1", b"w" * 32).verifier
KEYS = Vkeys((OLD, WITNESS, NEW))  # type: ignore[arg-type]
DATA = f"{OLD.name} {OLD.text}\n{WITNESS.name} {WITNESS.text}\n{OLD.name} {NEW.text}\n".encode()


def test_a_file_is_a_line_a_key():
    assert KEYS.to_bytes() == DATA
    assert parse_vkeys(DATA) == KEYS
    assert parse_vkeys(b"") == Vkeys()


def test_keys_of_a_log_come_oldest_first_and_without_cosigners():
    assert KEYS.signers(OLD.name) == (OLD, NEW)
    assert KEYS.signers(WITNESS.name) == ()
    assert KEYS.cosigners() == (WITNESS,)


def test_keys_are_added_behind_those_that_are_there_and_never_twice():
    assert Vkeys((OLD,)).with_keys([WITNESS, OLD, NEW]) == KEYS
    assert KEYS.with_keys([NEW]) == KEYS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DATA[:-1], "newline"),
        (DATA + b"\n", "line 4"),
        (DATA + DATA.split(b"\n")[0] + b"\n", "line 4: the key of line 1 again"),
        (DATA.replace(b"events/0/5f3759df ", b"events/1/5f3759df "), "line 1: the key is of"),
        (DATA.replace(b" ", b"  ", 1), "line 1"),
        (DATA.replace(b"\n", b"\r\n"), "line 1"),
        (b"\xff\n", "UTF-8"),
        (b"\n" * (MAX_KEYS + 1), "at most 40000 keys"),
        (b"x" * (MAX_VKEYS_BYTES + 1), "bytes"),
    ],
)
def test_any_other_text_is_refused(data: bytes, reason: str):
    with pytest.raises(VkeysError, match=reason):
        parse_vkeys(data)
