"""Whatever the bytes, a parser of evidence refuses them in its own words or can write the very same again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from tests.support.hostile import LOG, TARGETS

# What formats like these are usually broken with.
PIECES = st.binary(max_size=12) | st.sampled_from(
    [
        *(b"\n", b"\n\n", b"\r\n", b" ", b"\t", b"\0", b"\x7f"),
        *(b"+", b"=", b"-", b"_", b"/", b"0", b"-1", b"#"),
        *(piece.encode() for piece in ("\u2014 ", "\u2013 ", "\u00a0", str(2**63), str(2**64), "A" * 44)),
        *(b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xef\xbb\xbf", LOG.name.encode()),
    ]
)
# Valid in form, of what is forbidden: an empty log with a root, numbers at their bounds.
SPECIAL = {
    "checkpoint": [b"log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"],
    # Bytes that were no UTF-8, found by fuzzing.
    "completeness": [TARGETS["completeness"].seeds[0].replace(b" urn:a%20b - ", b" \xf2 - ")],
    "proof": [
        b"".join(number.to_bytes(9, "big") for number in numbers) + bytes(32 * hashes)
        for numbers in [(0, 0, 0), (2**63 - 1, 2**63, 2**64), (2**63 - 2, 2**63 - 1, 2**63 - 1)]
        for hashes in (0, 2, 3, 65, 70)
    ],
}


@st.composite
def broken(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw a published text with some pieces cut out, put in, doubled or replaced."""
    data = whole
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + draw(st.sampled_from([0, 1, 2, 50, 500])))))
        data = data[:start] + draw(PIECES | st.just(data[start:end] * 2)) + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_hostile_bytes_are_refused_or_hold(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    seeds = st.sampled_from(target.seeds).flatmap(broken)

    target.check(data.draw(seeds | st.binary(max_size=200)))


@pytest.mark.parametrize("name", SPECIAL)
def test_forms_at_their_bounds_are_refused_or_hold(name: str) -> None:
    for data in SPECIAL[name]:
        TARGETS[name].check(data)
