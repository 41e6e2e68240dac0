"""Files of exports, read by others: CloudEvents by the SDK and by our own import, Parquet by pyarrow, CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from auditstream.emit.cloud_events import event_of, from_json
from auditstream.exports.forms import FORMS
from auditstream.exports.records import datum_of, records_of
from auditstream.query.event_rows import SCHEMA
from schemas import contract
from schemas.flatten import FRAME_SCHEMA, flatten_datum
from schemas.intake import datum_of as taken_in
from tests.support.events import full_event
from tests.support.exported_rows import batch_of, row_at


def written(form: str, *batches: Any) -> bytes:
    stream = io.BytesIO()
    writer = FORMS[form].open(stream)
    for batch in batches:
        writer.write(batch)
    writer.close()
    return stream.getvalue()


def recorded(datum: dict[str, Any]) -> dict[str, Any]:
    """Return the row that an event becomes, as an export reads it."""
    flat = flatten_datum(datum)
    row = {name: value for name, value in flat.items() if name in SCHEMA.names}
    return {**row, "event_id": str(row["event_id"]), "cost_effective": Decimal("0.5"), "leaf_index": 7}


def test_a_whole_event_is_the_same_after_it_was_exported_as_a_cloud_event_and_read_again() -> None:
    datum = {**full_event(), "sealed": {}, "seal_key_id": None}
    (line,) = written("cloudevents", batch_of([recorded(datum)])).splitlines()
    again = taken_in(event_of(from_json(json.loads(line)), tenant_id="", seen_s=0.0), "audit_event")

    contract.check(again)
    assert flatten_datum(again) == flatten_datum(datum)


def test_the_sdk_of_cloud_events_reads_what_is_exported() -> None:
    rows = [row_at(0, source_seq=3, trace_id="0" * 31 + "1", span_id="0" * 15 + "2"), row_at(1)]
    first, second = [
        JSONFormat().read(CloudEvent, line) for line in written("cloudevents", batch_of(rows)).splitlines()
    ]

    assert first.get_type() == "io.auditstream.ai.inference.v1"
    assert first.get_extension("sequence") == "3"
    assert first.get_extension("traceparent") == f"00-{'0' * 31}1-{'0' * 15}2-01"
    assert first.get_time() == datetime(2026, 3, 1, tzinfo=UTC)
    assert second.get_data()["tenant_id"] == "acme"
    assert second.get_extension("traceparent") is None


def test_parquet_has_every_column_with_its_type_and_exact_money() -> None:
    batch = batch_of(
        [row_at(0, cost_effective=Decimal("0.000000000001"), attributes=[("k", "v")]), row_at(1)]
    )
    table = pq.read_table(io.BytesIO(written("parquet", batch, batch)))

    assert table.schema.names == SCHEMA.names
    assert table.num_rows == 4
    assert table.column("cost_effective").to_pylist() == [Decimal("0.000000000001"), None] * 2
    assert table.column("attributes").to_pylist()[0] == [("k", "v")]
    assert pl.from_arrow(table).height == 4  # type: ignore[union-attr]  # another reader of the types


def test_csv_has_a_line_a_row_and_values_that_programs_read() -> None:
    rows = [
        row_at(0, attributes=[("k", 'a "quoted"\nline')], cost_effective=Decimal("1E-12"), input_tokens=3)
    ]
    (record,) = csv.DictReader(io.StringIO(written("csv", batch_of(rows)).decode(), newline=""))

    assert list(record) == SCHEMA.names
    assert json.loads(record["attributes"]) == {"k": 'a "quoted"\nline'}
    assert record["cost_effective"] == "0.000000000001"
    assert record["event_time"] == "2026-03-01T00:00:00Z"
    assert (record["input_tokens"], record["output_tokens"], record["observed_time"]) == ("3", "", "")


def test_lines_of_json_have_what_a_row_has_and_nothing_empty() -> None:
    (line,) = written("jsonl", batch_of([row_at(0, tool_name="", actor_roles=[])])).splitlines()

    assert json.loads(line) == {
        "event_id": row_at(0)["event_id"],
        "event_type": "ai.inference",
        "event_time": "2026-03-01T00:00:00Z",
        "source": "urn:test",
        "tenant_id": "acme",
    }


def test_a_record_becomes_the_event_that_it_was_recorded_from() -> None:
    datum = {**full_event(), "sealed": {}, "seal_key_id": None}
    (record,) = records_of(batch_of([recorded(datum)]))

    assert flatten_datum(datum_of(record)) == flatten_datum({**datum, "event_id": str(datum["event_id"])})


def test_the_columns_are_those_of_an_event_without_contents() -> None:
    assert FRAME_SCHEMA.keys() - {*SCHEMA.names} == {"sealed"}
    assert {"raw", "secret_hash"} & {*SCHEMA.names} == set()
