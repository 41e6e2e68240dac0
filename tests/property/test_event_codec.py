"""The codec agrees with fastavro on every event, and refuses every other string of bytes in our own words."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any, get_args

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditstream.core.errors import DecodeError
from schemas.codec import DatumReader, decode, encode, encode_datum
from schemas.packaged import SchemaName, parsed_schema, schema_json
from schemas.records.event import AuditEvent
from tests.support.avro_strategies import datums, events
from tests.support.events import full_event
from tests.support.examples import examples

EVENT = schema_json("audit_event")
READER = DatumReader(EVENT)
SAMPLE = encode_datum(full_event(), "audit_event")
WIDE = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def _fastavro_bytes(datum: dict[str, Any], name: SchemaName) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parsed_schema(name), datum)
    return stream.getvalue()


def _fastavro_datum(data: bytes, name: SchemaName) -> object:
    return fastavro.schemaless_reader(io.BytesIO(data), parsed_schema(name), None)


@pytest.mark.parametrize("name", get_args(SchemaName))
@WIDE
@given(data=st.data())
def test_bytes_and_datums_are_those_of_fastavro(name: SchemaName, data: st.DataObject) -> None:
    datum = data.draw(datums(schema_json(name)))

    encoded = encode_datum(datum, name)

    assert encoded == _fastavro_bytes(datum, name)
    assert decode(encoded, parsed_schema(name)) == _fastavro_datum(encoded, name) == datum


@settings(max_examples=examples(50), deadline=None)
@given(datum=events())
def test_a_typed_record_is_its_datum(datum: dict[str, Any]) -> None:
    record = AuditEvent.from_datum(datum)

    assert record.to_datum() == datum
    assert encode(record) == _fastavro_bytes(datum, "audit_event")


@settings(max_examples=examples(300), deadline=None)
@given(
    at=st.integers(0, len(SAMPLE) - 1),
    removed=st.integers(0, 4),
    inserted=st.binary(max_size=4),
    cut=st.integers(0, len(SAMPLE)) | st.none(),
)
def test_damaged_bytes_are_refused_or_mean_what_fastavro_says(
    at: int, removed: int, inserted: bytes, cut: int | None
) -> None:
    damaged = (SAMPLE[:at] + inserted + SAMPLE[at + removed :])[:cut]

    with suppress(DecodeError):  # and nothing else
        datum = READER.read(damaged)

        assert datum == _fastavro_datum(damaged, "audit_event")
        assert READER.read(_fastavro_bytes(datum, "audit_event")) == datum


@settings(max_examples=examples(200), deadline=None)
@given(data=st.binary(max_size=60))
def test_arbitrary_bytes_are_no_event(data: bytes) -> None:
    with pytest.raises(DecodeError):
        READER.read(data)
