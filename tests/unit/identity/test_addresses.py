"""Addresses are cut to their network."""

from __future__ import annotations

import pytest

from auditstream.identity.addresses import parsed, truncated


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1234:5678::9", "2001:db8:1234::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_an_address_keeps_its_network_alone(given: str, kept: str) -> None:
    address = parsed(given)

    assert address is not None
    assert truncated(address) == kept


@pytest.mark.parametrize(
    "text", ["", "localhost", "203.0.113.77:443", "[::1]", "/var/run/a.sock", "1" * 10_000]
)
def test_what_is_no_address_is_not_taken_for_one(text: str) -> None:
    assert parsed(text) is None
