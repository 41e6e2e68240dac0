"""Framing survives the way out and back, and never swallows a byte of the datum."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.errors import DecodeError
from schemas.framing import Headers, framing_of, header, prefix
from tests.support.examples import examples

HEADERS = st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=3)


@settings(max_examples=examples(100), deadline=None)
@given(schema_id=st.integers(0, 2**32 - 1), datum=st.binary(), headers=HEADERS)
def test_a_prefix_is_read_back(schema_id: int, datum: bytes, headers: Headers) -> None:
    value = prefix(schema_id) + datum

    framing = framing_of(value, headers)

    assert framing.schema == schema_id
    assert value[framing.payload_offset :] == datum


@settings(max_examples=examples(100), deadline=None)
@given(guid=st.uuids(), datum=st.binary(), others=HEADERS)
def test_a_header_is_read_back(guid: object, datum: bytes, others: Headers) -> None:
    framing = framing_of(datum, [*others, header(guid)])  # type: ignore[arg-type]

    assert framing.schema == guid
    assert framing.payload_offset == 0


@settings(max_examples=examples(100), deadline=None)
@given(value=st.none() | st.binary(max_size=20), content=st.none() | st.binary(max_size=20))
def test_anything_else_is_refused_in_our_own_words(value: bytes | None, content: bytes | None) -> None:
    headers = [] if content is None else [("__value_schema_id", content)]

    with suppress(DecodeError):  # and nothing else
        framing = framing_of(value, headers)

        source = value if content is None else content
        assert source is not None
        assert source[0] in {0, 1}
        assert framing.payload_offset in ({0} if content is not None else {5, 17})
