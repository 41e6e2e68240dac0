"""Claims: what a client says of itself travels whole, and what is no claim is passed over."""

from __future__ import annotations

import pytest

from auditstream.embedded.clickhouse_claims import HEADER, Claims, claims_of


def test_claims_travel_in_a_header() -> None:
    claims = Claims(actor="ada", command="search", tenant="a\nb\N{EM DASH}", purpose="ticket 7")

    header = claims.headers[HEADER]

    assert header.isascii()
    assert header.isprintable()
    assert claims_of(header) == claims


@pytest.mark.parametrize(
    "text",
    ["", "ada", "[1]", '{"actor": 1}', '{"other": "x"}', "[" * 3_000, '{"actor": "' + "x" * 5_000 + '"}'],
)
def test_what_is_no_claim_is_passed_over(text: str) -> None:
    assert claims_of(text) == Claims()
