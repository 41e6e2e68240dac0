"""A folder is whole or not there; what the manifest says is what the file has."""

import csv
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from auditstream.core.errors import InvariantError, RequestError, StoreBusyError
from auditstream.focus.charge import ChargeLine
from auditstream.focus.exporting import Form, export
from auditstream.focus.profile import COLUMNS, VERSIONS, columns_of
from auditstream.focus.rows import Row, usage_row
from auditstream.focus.writing import FileFormat

START = datetime(2026, 11, 3, 10, tzinfo=UTC)


def row(**changes: Any) -> Row:
    amount = Decimal("2.5")
    charge = {
        "charge_start": START,
        "tenant_id": "acme",
        "event_type": "ai.inference",
        "provider": "openai",
        "model": "gpt-4o",
        "currency": "USD",
        "lines": 1,
        "meter": "text",
        "unit": "tokens",
        "quantity": Decimal(1_000_000),
        **dict.fromkeys(("list", "contracted", "effective", "billed"), amount),
    }
    return usage_row(ChargeLine(**charge | changes), timedelta(hours=1))


def failing() -> Iterator[Row]:
    yield row()
    raise StoreBusyError("the store went away")


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifest_says_what_is_in_the_file(tmp_path: Path, form: FileFormat, version: str) -> None:
    done = export(tmp_path / "a" / "out", Form(form, version), [[row()], [row(currency="EUR")]], {"note": 1})

    file = tmp_path / "a" / "out" / f"focus.{form}"
    manifest = json.loads((file.parent / "manifest.json").read_text())
    assert manifest == done.manifest
    assert manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (manifest["bytes"], manifest["rows"], manifest["note"]) == (file.stat().st_size, 2, 1)
    assert list(manifest["totals"]) == ["EUR", "USD"]
    assert manifest["totals"]["USD"]["BilledCost"] == "2.5"
    names = [column.name for column in columns_of(version)]
    if form == "csv":
        assert next(csv.reader(file.read_text().splitlines())) == names
    else:
        assert pq.read_schema(file).names == names


def test_a_file_without_rows_has_its_columns(tmp_path: Path) -> None:
    for form in ("csv", "parquet"):
        assert export(tmp_path / form, Form(form, "1.2"), [], {}).rows == 0
    assert pq.read_table(tmp_path / "parquet" / "focus.parquet").num_rows == 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_breaks_off_is_named_partial_and_made_anew(tmp_path: Path, form: FileFormat) -> None:
    out = tmp_path / "out"

    with pytest.raises(StoreBusyError):
        export(out, Form(form, "1.2"), [failing()], {})

    assert not out.exists()
    assert not (tmp_path / "out.partial" / "manifest.json").exists()
    assert export(out, Form(form, "1.2"), [[row()]], {}).rows == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_export_that_cannot_be_recorded_is_none(tmp_path: Path) -> None:
    def refuse(_: object) -> None:
        raise StoreBusyError("no row")

    with pytest.raises(StoreBusyError):
        export(tmp_path / "out", Form("csv", "1.2"), [[row()]], {}, record=refuse)

    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is there already"):
        export(tmp_path, Form("csv", "1.2"), [], {})


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RequestError, match=r"out.partial: "):
        export(tmp_path / "file" / "out", Form("csv", "1.2"), [], {})


def test_a_number_that_parquet_cannot_hold_is_refused_by_column(tmp_path: Path) -> None:
    with pytest.raises(InvariantError, match="BilledCost"):
        export(tmp_path / "out", Form("parquet", "1.2"), [[row(billed=Decimal(10) ** 24)]], {})


def test_numbers_in_csv_have_a_point_and_no_exponent(tmp_path: Path) -> None:
    tiny = dict.fromkeys(("list", "contracted", "effective", "billed"), Decimal("1E-12"))
    export(tmp_path / "out", Form("csv", "1.2"), [[row(quantity=Decimal("1E+6"), **tiny)]], {})

    (written,) = csv.DictReader((tmp_path / "out" / "focus.csv").read_text().splitlines())
    assert (written["BilledCost"], written["ConsumedQuantity"]) == ("0.000000000001", "1000000.0")
    assert (written["ChargePeriodStart"], written["ChargeClass"]) == ("2026-11-03T10:00:00Z", "")


def test_every_column_that_must_not_be_null_has_a_value() -> None:
    bare = row()

    assert [each.name for each in COLUMNS if not each.nullable and bare.get(each.name) in (None, "")] == []
    assert set(bare) <= {each.name for each in COLUMNS}
