"""The columnar codec: whatever it narrowed its schema to before, it reads what the reference codec reads."""

from __future__ import annotations

import copy
import io
from typing import Any

import fastavro
import pytest
from polars.testing import assert_frame_equal

from auditstream.core.errors import DecodeError
from schemas.columnar import ColumnarReader
from schemas.container_reading import abandoned_decodes
from schemas.flatten import frame_of
from schemas.packaged import AvroSchema, schema_json
from tests.support.bad_messages import datum
from tests.support.events import full_event

WRITER = schema_json("audit_event")


def encoded(events: list[dict[str, Any]], writer: AvroSchema = WRITER) -> list[bytes]:
    data = []
    for event in events:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, fastavro.parse_schema(copy.deepcopy(writer)), event)
        data.append(stream.getvalue())
    return data


def decoded(data: list[bytes], writer: AvroSchema = WRITER) -> list[Any]:
    schema = fastavro.parse_schema(copy.deepcopy(writer))
    return [fastavro.schemaless_reader(io.BytesIO(each), schema) for each in data]


def plain(count: int) -> list[dict[str, Any]]:
    return [datum(number) for number in range(count)]


def narrowed_reader(writer: AvroSchema = WRITER) -> ColumnarReader:
    """Return a reader that has seen nothing but plain events."""
    reader = ColumnarReader(writer)
    for _ in range(2):
        reader.read(encoded(plain(20), writer))
    return reader


def test_a_field_in_use_is_read_after_blocks_that_left_it_blank() -> None:
    data = encoded([*plain(20), full_event(), *plain(20)])
    reader = narrowed_reader()

    for _ in range(3):
        assert_frame_equal(frame_of(decoded(data)), reader.read(data))
    assert_frame_equal(frame_of(decoded(data[:20])), reader.read(data[:20]))


@pytest.mark.parametrize("empty", [False, True], ids=["full", "empty lists"])
@pytest.mark.parametrize("name", ["inference", "usage", "tool", "heartbeat"])
def test_a_family_that_only_some_events_have_is_null_in_the_others(name: str, empty: bool) -> None:
    family = full_event()[name]
    if empty:
        family = {key: value for key, value in family.items() if not isinstance(value, list | dict)}
    events = plain(9)
    some = [event | {name: family if number % 2 else None} for number, event in enumerate(events)]
    data = encoded(some)
    reader = ColumnarReader(WRITER)

    for _ in range(3):
        assert_frame_equal(frame_of(decoded(data)), reader.read(data))


def test_a_block_of_several_containers_keeps_its_order_and_is_one_piece() -> None:
    data = encoded(plain(100)) * 200
    reader = narrowed_reader()

    frame = reader.read(data)

    assert frame.height == len(data)
    assert_frame_equal(frame[-100:], frame_of(decoded(data[-100:])))
    assert frame["event_id"].to_list() == frame["event_id"].to_list()[:100] * 200
    assert set(frame.n_chunks("all")) == {1}


@pytest.mark.parametrize("surplus", [b"\0", b"\0" * 40, b"surplus"], ids=["one", "many", "text"])
@pytest.mark.parametrize("at", [0, 10, 19], ids=["first", "middle", "last"])
def test_bytes_left_over_refuse_the_block_and_end_the_decode(at: int, surplus: bytes) -> None:
    before = abandoned_decodes()
    data = encoded(plain(20))
    data[at] += surplus

    for reader in (ColumnarReader(WRITER), narrowed_reader()):
        with pytest.raises(DecodeError):
            reader.read(data)
    assert abandoned_decodes() == before


def test_what_a_blank_field_cannot_be_is_refused() -> None:
    """A branch that the union does not have, where datums were blank: each ends in its place."""
    data = encoded(plain(20))
    assert data[7][-1] == 0
    data[7] = data[7][:-1] + b"\x04"

    with pytest.raises(DecodeError):
        narrowed_reader().read(data)


def test_a_newer_writer_may_use_one_type_twice_and_define_it_where_events_are_blank() -> None:
    writer = copy.deepcopy(WRITER)
    shared = {
        "type": "record",
        "name": "Shared",
        "fields": [
            {"name": "mood", "type": {"type": "enum", "name": "Mood", "symbols": ["CALM", "WILD"]}},
            {"name": "note", "type": ["null", "string"], "default": None},
        ],
    }
    writer["fields"] += [
        {"name": "blank_one", "type": ["null", shared], "default": None},
        {"name": "used_one", "type": ["null", f"{writer['namespace']}.Shared"], "default": None},
        {"name": "mood_only", "type": f"{writer['namespace']}.Mood", "default": "CALM"},
    ]
    used = {"used_one": {"mood": "WILD", "note": None}, "mood_only": "WILD"}
    data = encoded([event | used for event in plain(20)], writer)
    reader = narrowed_reader(writer)

    for _ in range(3):
        assert_frame_equal(frame_of(decoded(data, writer)), reader.read(data))
