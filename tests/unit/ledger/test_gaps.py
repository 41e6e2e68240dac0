"""The value of a gap leaf: its text, and what is no such text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.ledger.gaps import Gap, GapError, gap_of
from tests.support.examples import examples

LOG = "audit.events.v1/3/0a1b2c3d"
TEXT = b"auditstream-gap/v1\naudit.events.v1/3/0a1b2c3d\n100\n104\nnever_planned\n"
BIGGEST = 2**63 - 1


def test_the_form_of_the_text_is_fixed() -> None:
    # Leaves of older releases commit to it.
    assert Gap(LOG, 100, 104, "never_planned").text() == TEXT
    assert gap_of(TEXT) == Gap(LOG, 100, 104, "never_planned")


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(0, BIGGEST), st.integers(0, BIGGEST), st.sampled_from(["never_planned", "never_written"]))
def test_a_gap_comes_back_from_its_text_as_it_was(one: int, other: int, reason: str) -> None:
    gap = Gap(LOG, min(one, other), max(one, other), reason)
    assert gap_of(gap.text()) == gap


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(TEXT[:-1], id="no last newline"),
        pytest.param(TEXT + b"\n", id="a line more"),
        pytest.param(TEXT.replace(b"\n", b"\r\n"), id="other newlines"),
        pytest.param(TEXT.replace(b"/v1\n", b"/v2\n"), id="another version"),
        pytest.param(TEXT.replace(b"100", b"0100"), id="a leading zero"),
        pytest.param(TEXT.replace(b"100", b"+100"), id="a sign"),
        pytest.param(TEXT.replace(b"100", b"105"), id="the last before the first"),
        pytest.param(TEXT.replace(b"104", b"9223372036854775808"), id="beyond every offset"),
        pytest.param(TEXT.replace(b"100", "١٠٠".encode()), id="other digits"),
        pytest.param(TEXT.replace(LOG.encode(), b""), id="no log"),
        pytest.param(TEXT.replace(b"never_planned", b"Never"), id="no word"),
    ],
)
def test_other_bytes_are_no_gap(value: bytes) -> None:
    with pytest.raises(GapError, match="value: "):
        gap_of(value)
