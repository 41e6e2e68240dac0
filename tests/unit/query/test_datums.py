"""Which bytes of a row are the datum, and which schema wrote it."""

from __future__ import annotations

from uuid import UUID

import pytest

from auditstream.query.datums import datum_bytes, schema_ref

GUID = UUID("89791762-2336-186f-9674-299b90a8e2e2")


@pytest.mark.parametrize(("text", "ref"), [("7", 7), (str(GUID), GUID), ("", None), ("x", None), ("٣", None)])
def test_a_schema_is_named_by_id_or_guid(text: str, ref: object) -> None:
    assert schema_ref(text) == ref


@pytest.mark.parametrize(
    ("raw", "ref", "datum"),
    [
        (b"\x00\x00\x00\x00\x07datum", 7, b"datum"),
        (b"datum", 7, b"datum"),
        (b"\x01" + GUID.bytes + b"datum", GUID, b"datum"),
        (b"\x00\x00\x00\x00\x08datum", 7, b"\x00\x00\x00\x00\x08datum"),
    ],
)
def test_the_prefix_that_names_the_schema_is_no_part_of_the_datum(
    raw: bytes, ref: int | UUID, datum: bytes
) -> None:
    assert datum_bytes(raw, ref) == datum
