"""Verifier and signer keys as text."""

from __future__ import annotations

import base64
import hashlib

import pytest

from auditstream.ledger.cosignatures import CosignerKey, CosignerSecretKey
from auditstream.ledger.keys import KeyTextError, SignerKey, VerifierKey

NAME = "audit.example/demo/events/0/5f3759df"
SIGNER = SignerKey(NAME, bytes(range(1, 33)))  # an id with letters in it
KEY = SIGNER.verifier


def test_a_key_id_is_the_beginning_of_a_hash_over_name_kind_and_key():
    digest = hashlib.sha256(NAME.encode() + b"\n\x01" + KEY.public_key).digest()

    assert KEY.key_id == digest[:4]


def test_a_cosigner_of_the_same_name_and_key_has_another_id():
    digest = hashlib.sha256(NAME.encode() + b"\n\x04" + KEY.public_key).digest()

    assert CosignerKey(NAME, KEY.public_key).key_id == digest[:4]
    assert CosignerKey(NAME, KEY.public_key) != KEY


def test_a_verifier_key_is_name_id_and_key_between_plus_signs():
    encoded = base64.b64encode(b"\x01" + KEY.public_key).decode()

    assert KEY.text == f"{NAME}+{KEY.key_id.hex()}+{encoded}"
    assert VerifierKey.parse(KEY.text) == KEY


def test_keys_of_both_kinds_are_read_back():
    cosigner = CosignerSecretKey.generate("witness.example/w1")

    assert SignerKey.parse(SIGNER.secret_text) == SIGNER
    assert CosignerSecretKey.parse(cosigner.secret_text) == cosigner
    assert CosignerKey.parse(cosigner.verifier.text) == cosigner.verifier


@pytest.mark.parametrize(
    "text",
    [
        "",
        NAME,
        KEY.text.replace("+", " "),
        KEY.text + " ",
        KEY.text + "\n",
        KEY.text[:-1],
        KEY.text.replace(NAME, "audit.example/other"),
        KEY.text.replace(KEY.key_id.hex(), KEY.key_id.hex().upper()),
        KEY.text.replace(KEY.key_id.hex(), "00000000"),
        "+" + KEY.text.partition("+")[2],
        f"{NAME}+{KEY.key_id.hex()}+AQ==",
        f"{NAME}+{KEY.key_id.hex()}+",
        KEY.text + "A" * 5000,
    ],
)
def test_a_text_that_is_no_verifier_key_is_refused(text):
    with pytest.raises(KeyTextError):
        VerifierKey.parse(text)


def test_a_log_key_is_no_cosigner_key_and_neither_is_the_reverse():
    with pytest.raises(KeyTextError, match="kind 0x04, found 0x01"):
        CosignerKey.parse(KEY.text)
    with pytest.raises(KeyTextError, match="kind 0x01, found 0x04"):
        VerifierKey.parse(CosignerKey(NAME, KEY.public_key).text)


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\tb", "a\u00a0b", "a\u2003b", "a\nb", "a\x01", "\udcff"]
)
def test_a_name_has_neither_spaces_nor_plus_signs(name):
    with pytest.raises(KeyTextError, match="not a key name"):
        VerifierKey(name, KEY.public_key)


def test_a_secret_is_in_neither_repr_nor_errors():
    secret = base64.b64encode(b"\x01" + SIGNER.seed).decode()

    with pytest.raises(KeyTextError) as refused:
        SignerKey.parse(SIGNER.secret_text[:-1])
    with pytest.raises(KeyTextError) as misnamed:
        SignerKey.parse(SIGNER.secret_text.replace(NAME, "other"))
    for text in (repr(SIGNER), str(refused.value), str(misnamed.value)):
        assert secret[:20] not in text
        assert "\\x02\\x03" not in text


def test_a_malformed_key_is_a_setting_to_be_fixed():
    with pytest.raises(KeyTextError) as refused:
        VerifierKey.parse("nonsense")

    assert refused.value.exit_code == 78
