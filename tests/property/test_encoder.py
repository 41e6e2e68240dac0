"""The compiled encoder writes what fastavro writes, to the byte."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode, encode_prepared
from schemas.packaged import SchemaName, parsed_schema, schema_json
from tests.support.avro_strategies import datums, events
from tests.support.events import COST_LINE, event, full_event
from tests.support.examples import examples


def by_fastavro(datum: dict[str, Any], name: SchemaName = "audit_event") -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parsed_schema(name), datum)
    return stream.getvalue()


@settings(max_examples=examples(100), deadline=None)
@given(events(), st.data())
def test_an_event_with_any_of_its_fields_absent_is_written_as_fastavro_writes_it(
    datum: dict[str, Any], data: st.DataObject
) -> None:
    optional = [each["name"] for each in schema_json("audit_event")["fields"] if "default" in each]
    absent = data.draw(st.sets(st.sampled_from(optional)))
    some = {name: value for name, value in datum.items() if name not in absent}

    assert encode_prepared(some, "audit_event") == by_fastavro(some)
    assert encode_prepared(datum, "audit_event") == by_fastavro(datum)


@pytest.mark.parametrize("name", ["usage_delta", "finding", "signal"])
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_the_other_schemas_are_written_so_too(name: SchemaName, data: st.DataObject) -> None:
    datum = data.draw(datums(schema_json(name)))

    assert encode_prepared(datum, name) == by_fastavro(datum, name)


@pytest.mark.parametrize(
    "billed",
    [
        "0",
        "-1",
        "0.000000000128",
        "-0.000000000128",
        "1e20",
        "-99999999999999.5",
        "12345678901234567890123456.123456789012",
    ],
)
def test_decimals_of_either_sign_are_written_so_too(billed: str) -> None:
    datum = event(costs=[COST_LINE | {"billed": Decimal(billed)}])

    assert encode_prepared(datum, "audit_event") == by_fastavro(datum)


@pytest.mark.parametrize(
    "source", ["a", "a" * 63, "a" * 64, "é" * 32, "é" * 31, "€" * 70, "a" * 20_000, "\x80", "ÿ"]
)
def test_texts_of_any_size_and_script_are_written_so_too(source: str) -> None:
    for datum in (
        event(source=source),
        event(source="a", conversation_id=source, inference={"provider": source, "request_model": "é"}),
        event(source=source, conversation_id=None, attributes={source: source}, actor_roles=[source]),
    ):
        assert encode_prepared(datum, "audit_event") == by_fastavro(datum)


def test_a_time_is_written_anew_where_it_is_another_than_the_last() -> None:
    day = datetime(2026, 3, 1, 12, 30, 15, 123_456, UTC)
    near = [day + timedelta(microseconds=step) for step in (0, 0, 1, 1 << 13, 1 << 26, 1 << 27, 1 << 28, 3)]
    far = [datetime(1901, 1, 1, tzinfo=UTC), datetime(2299, 1, 1, tzinfo=UTC)]
    small = [0, 1, -1, (1 << 27) - 1, 1 << 27, -(1 << 27), -(1 << 27) - 1, 1 << 28, 0]
    for time in (*near, *far, *near, *small, *far, *small[::-1]):
        datum = event(event_time=day, observed_time=time)

        assert encode_prepared(datum, "audit_event") == by_fastavro(datum)


def test_what_is_written_is_read_back() -> None:
    whole = full_event()

    assert decode(encode_prepared(whole, "audit_event"), schema_json("audit_event")) == decode(
        by_fastavro(whole), schema_json("audit_event")
    )


def test_an_event_without_a_required_field_is_not_written() -> None:
    with pytest.raises(KeyError):
        encode_prepared({}, "audit_event")
