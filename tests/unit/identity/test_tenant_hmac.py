"""Pseudonyms and HMACs: the same for the same, within one tenant and purpose."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.identity.master_key import MasterKey
from auditstream.identity.tenant_hmac import TenantHmac, is_handle
from tests.support.examples import examples

ACME = TenantHmac(bytes(range(32)))


def test_a_pseudonym_is_128_bits_of_the_hmac_that_is_the_actor_hash() -> None:
    expected = hmac.new(ACME.key, b"auditstream/person/v1\nada@example.com", hashlib.sha256).digest()

    assert ACME.person("ada@example.com")[1] == expected.hex()
    shown = base64.b32encode(expected[:16]).decode().rstrip("=").lower()
    assert ACME.pseudonym("ada@example.com") == f"user-{shown}"
    assert is_handle(ACME.pseudonym("ada@example.com"))


def test_keys_are_those_of_a_tenant_and_a_role() -> None:
    master = MasterKey(bytes(32))
    keys = {master.derived(role, tenant) for role in ("a", "b") for tenant in ("", "acme", "globex")}

    assert len(keys) == 6
    assert master.derived("a", "acme") == MasterKey(bytes(32)).derived("a", "acme")


def test_master_keys_derive_as_rfc_5869_says() -> None:
    # Extract with a salt of zeros, then one block of expand: written out, as the RFC has it.
    extracted = hmac.new(bytes(32), b"secret" * 5 + b"..", hashlib.sha256).digest()
    expected = hmac.new(extracted, b"auditstream tenant hmac v1\nacme\x01", hashlib.sha256).digest()

    assert MasterKey(b"secret" * 5 + b"..").derived("tenant hmac", "acme") == expected


@settings(max_examples=examples(100), deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_persons_and_conversations_of_one_name_have_other_handles(one: str, other: str) -> None:
    assert ACME.pseudonym(one).removeprefix("user-") != ACME.conversation(one).removeprefix("conversation-")
    assert (ACME.pseudonym(one) == ACME.pseudonym(other)) == (one == other)


def test_what_leaves_one_piece_of_content_does_not_enter_the_next() -> None:
    split = [{"a": b"bc"}, {"ab": b"c"}, {"a": b"b", "c": b""}, {"a": b"", "b": b"c"}, {}]

    assert len({ACME.contents_hmac(pieces) for pieces in split}) == len(split)
    assert ACME.contents_hmac({"x": b"1", "y": b"2"}) == ACME.contents_hmac({"y": b"2", "x": b"1"})


def test_a_subject_may_be_named_in_each_way() -> None:
    ada = ACME.pseudonym("ada")

    assert ACME.subjects("ada") == (ada,)
    assert ada in ACME.subjects(ada)
    assert ACME.conversation("c-1") in ACME.subjects("conversation:c-1")
    assert "nobody" in ACME.subjects("nobody")


@pytest.mark.parametrize("text", ["", "user-", "user-007", "ada", "user-" + "a" * 27, "user-" + "1" * 26])
def test_what_is_no_handle_is_a_name(text: str) -> None:
    assert not is_handle(text)
