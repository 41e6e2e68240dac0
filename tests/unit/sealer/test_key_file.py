"""The key file: who may read it, what it never does, and which keys come out of it."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from auditstream.core.secret_file import KeyFileError
from auditstream.ledger.vkeys import Vkeys
from auditstream.sealer.key_file import KeyRing, create_key_file, load_ring, new_ring, replace_key_file
from auditstream.sealer.witness_key import create_witness_key, load_witness_key

NAME = "audit.example/demo/events/0/5f3759df"
RING = KeyRing((bytes(range(32)),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seal" / "key"


def test_a_ring_is_read_back_and_only_its_owner_reads_it(path: Path):
    ring = KeyRing((b"1" * 32, b"2" * 32), Vkeys(RING.verifiers(NAME)))

    create_key_file(path, ring)

    assert load_ring(path) == ring
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_there_is_not_overwritten(path: Path):
    create_key_file(path, RING)

    with pytest.raises(KeyFileError, match="not overwritten"):
        create_key_file(path, new_ring())
    assert load_ring(path) == RING
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_open_is_refused(path: Path, mode: int):
    create_key_file(path, RING)
    path.chmod(mode)

    with pytest.raises(KeyFileError, match=f"mode {mode:o}"):
        load_ring(path)


def test_a_missing_file_says_the_command(path: Path):
    with pytest.raises(KeyFileError) as caught:
        load_ring(path)
    assert "seal keys new" in caught.value.hint
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    "document",
    [
        "no json",
        "[]",
        json.dumps({"format": "other", "generations": [], "former": []}),
        json.dumps({"format": "auditstream-keys/v1", "generations": [], "former": []}),
        json.dumps({"format": "auditstream-keys/v1", "generations": ["c2VjcmV0"], "former": []}),
        json.dumps({"format": "auditstream-keys/v1", "generations": ["not base64 secret"], "former": []}),
        json.dumps({"format": "auditstream-keys/v1", "generations": 2 * ["A" * 43 + "="], "former": []}),
        json.dumps({"format": "auditstream-keys/v1", "generations": ["A" * 43 + "="], "former": ["x"]}),
        json.dumps({"format": "auditstream-keys/v1", "generations": ["A" * 43 + "="]}),
        " " * 1_000_001,
    ],
)
def test_a_damaged_file_is_refused_without_repeating_it(path: Path, document: str):
    path.parent.mkdir()
    path.write_text(document)
    path.chmod(0o600)

    with pytest.raises(KeyFileError) as caught:
        load_ring(path)
    assert "secret" not in caught.value.message.replace("secrets have 32 bytes", "")
    assert caught.value.__cause__ is None


def test_rotation_adds_a_generation_and_the_old_keys_stay(path: Path):
    create_key_file(path, RING)
    rotated = RING.rotated()

    replace_key_file(path, RING, rotated)

    assert load_ring(path) == rotated
    assert path.stat().st_mode & 0o777 == 0o600
    assert rotated.verifiers(NAME)[0] == RING.signer(NAME).verifier
    assert rotated.signer(NAME).verifier not in RING.verifiers(NAME)


def test_a_rotation_of_what_somebody_else_has_rotated_is_refused(path: Path):
    create_key_file(path, RING)
    replace_key_file(path, RING, RING.rotated())

    with pytest.raises(KeyFileError, match="another process"):
        replace_key_file(path, RING, RING.rotated())
    assert len(load_ring(path).generations) == 2


def test_no_two_keys_are_the_same_and_each_is_the_same_each_time():
    names = (NAME, NAME[:-1], "audit.example/demo")
    keys = [key for name in names for key in (RING.signer(name).verifier, RING.cosigner(name).verifier)]

    assert len({key.public_key for key in keys}) == len(keys)
    assert [RING.signer(name).verifier for name in names] == keys[::2]


def test_a_seed_is_hkdf_of_the_secret_over_role_and_name():
    # RFC 5869 by hand: extract with a salt of zeros, then one block of expand.
    prk = hmac.new(bytes(32), RING.generations[0], hashlib.sha256).digest()
    info = f"auditstream signer v1\n{NAME}".encode()

    assert RING.signer(NAME).seed == hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


def test_lost_keys_are_known_before_the_others():
    lost = new_ring()
    ring = new_ring(Vkeys((*lost.verifiers(NAME), *lost.cosigner_verifiers(NAME))))

    assert ring.verifiers(NAME) == (lost.signer(NAME).verifier, ring.signer(NAME).verifier)
    assert ring.cosigner_verifiers(NAME)[0] == lost.cosigner(NAME).verifier
    assert ring.signers(NAME) == (ring.signer(NAME),)


def test_secrets_are_not_shown():
    assert "generations" not in repr(RING)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"no folder")
    with pytest.raises(KeyFileError, match="file"):
        create_key_file(tmp_path / "file" / "key", RING)


def test_a_witness_s_key_is_read_back_and_never_overwritten(path: Path):
    key = create_witness_key(path, "witness.example/w1")

    assert load_witness_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError, match="not overwritten"):
        create_witness_key(path, "witness.example/w1")


def test_a_witness_without_a_key_is_told_its_command(path: Path):
    with pytest.raises(KeyFileError) as caught:
        load_witness_key(path)
    assert "auditstream witness keys new" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"\xff", b"PRIVATE+KEY+w+00000000+c2VjcmV0", RING.generations[0]])
def test_what_is_no_witness_s_key_is_refused_without_repeating_it(path: Path, data: bytes):
    path.parent.mkdir()
    path.write_bytes(data)
    path.chmod(0o600)

    with pytest.raises(KeyFileError) as caught:
        load_witness_key(path)
    assert "c2VjcmV0" not in caught.value.message
    assert caught.value.__cause__ is None
