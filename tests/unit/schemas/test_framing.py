"""Framing is read from header or prefix, and each way of having none is told apart."""

from __future__ import annotations

from uuid import UUID

import pytest

from auditstream.core.errors import DecodeError
from schemas.framing import Framing, Headers, framing_of, header, prefix

GUID = UUID("01234567-89ab-cdef-0123-456789abcdef")


def test_a_prefix_is_a_zero_byte_and_a_big_endian_id() -> None:
    assert prefix(258) == b"\x00\x00\x00\x01\x02"
    assert framing_of(b"\x00\x00\x00\x01\x02datum") == Framing(258, 5)
    assert framing_of(prefix(2**32 - 1)) == Framing(2**32 - 1, 5)


def test_a_header_is_a_one_byte_and_the_guid_as_printed() -> None:
    assert header(GUID) == ("__value_schema_id", b"\x01" + bytes.fromhex(GUID.hex))
    assert framing_of(b"datum", [("other", b"x"), header(GUID)]) == Framing(GUID, 0)


def test_the_header_of_a_key_is_another_one() -> None:
    key_header = header(GUID, part="key")

    assert key_header[0] == "__key_schema_id"
    assert framing_of(b"datum", [key_header], part="key") == Framing(GUID, 0)
    assert framing_of(prefix(7), [key_header]) == Framing(7, 5)


def test_a_header_wins_over_what_the_value_begins_with() -> None:
    assert framing_of(prefix(7), [header(GUID)]) == Framing(GUID, 0)


def test_the_first_of_repeated_headers_counts() -> None:
    assert framing_of(b"d", [header(GUID), header(UUID(int=5))]) == Framing(GUID, 0)


def test_either_magic_byte_is_read_in_either_place() -> None:
    assert framing_of(b"\x01" + GUID.bytes + b"datum") == Framing(GUID, 17)
    assert framing_of(b"datum", [("__value_schema_id", prefix(9))]) == Framing(9, 0)


def test_a_datum_may_have_no_bytes_when_the_header_says_which_schema() -> None:
    assert framing_of(b"", [header(GUID)]) == Framing(GUID, 0)


def test_memory_views_and_byte_arrays_are_read_like_bytes() -> None:
    assert framing_of(bytearray(b"\x01" + GUID.bytes)) == Framing(GUID, 17)


@pytest.mark.parametrize(
    ("value", "headers", "reason", "message"),
    [
        (None, None, "null_value", "value is null"),
        (None, [header(GUID)], "null_value", "value is null"),
        (b"", None, "empty_value", "value is empty"),
        (b"{}", None, "bad_framing", "value prefix: magic byte is 123, not 0 or 1"),
        (b"\x00\x00\x00\x01", None, "bad_framing", "value prefix: 4 bytes, not 5"),
        (b"\x01" * 16, None, "bad_framing", "value prefix: 16 bytes, not 17"),
        (b"x", [("__value_schema_id", b"")], "bad_framing", "header __value_schema_id: 0 bytes, not 5 or 17"),
        (
            b"x",
            [("__value_schema_id", b"\x01" * 18)],
            "bad_framing",
            "header __value_schema_id: 18 bytes, not 17",
        ),
        (
            b"x",
            [("__value_schema_id", b"\x00" * 4)],
            "bad_framing",
            "header __value_schema_id: 4 bytes, not 5",
        ),
        (
            b"x",
            [("__value_schema_id", b"\x02" * 17)],
            "bad_framing",
            "header __value_schema_id: magic byte is 2, not 0 or 1",
        ),
    ],
)
def test_what_has_no_framing_is_refused_with_its_reason(
    value: bytes | None, headers: Headers | None, reason: str, message: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        framing_of(value, headers)

    assert (caught.value.reason, caught.value.message) == (reason, message)
