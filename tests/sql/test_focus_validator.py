"""The exported file before the FinOps Foundation's validator, which is not ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from auditstream.focus.exporting import Form, export
from auditstream.focus.rows import difference_row, usage_row
from auditstream.focus.writing import FileFormat
from auditstream.query.charge_rows import Wanted, charge_differences, charge_lines
from auditstream.query.named_periods import month_span
from auditstream.query.reader import Reader
from tests.support.charges import adjust_charges, record_charges
from tests.support.focus_validator import validator, verdicts
from tests.support.stores import ClickHouseStore, OpenClient, reading

pytestmark = pytest.mark.timeout(330)  # the validator may take its five minutes, on a machine that is busy

NET = """
SELECT cost_currency, [sum(cost_billed), sum(cost_effective), sum(cost_list), sum(cost_contracted)]
FROM costs_current WHERE hour >= '2026-01-01 00:00:00' AND hour < '2026-02-01 00:00:00'
GROUP BY cost_currency HAVING sum(cost_list) != 0"""

ALLOWED = {
    # C-004 wants null where there is no invoice, C-005 wants a value where there is one; the validator checks
    # both on every row, so that one of them always fails.
    "InvoiceId-C-005-C",
}


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    with reading(engine, store) as opened:
        yield opened


def exported(reader: Reader, folder: Path, form: FileFormat) -> Path:
    wanted, hour = Wanted(month_span("2026-01")), timedelta(hours=1)
    rows = (
        (usage_row(each, hour) for each in charge_lines(reader, wanted)),
        (difference_row(each, hour) for each in charge_differences(reader, wanted)),
    )
    done = export(folder, Form(form, "1.2"), rows, {})
    return done.folder / str(done.manifest["file"])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_only_the_contradiction_of_the_rules_fails(
    store: ClickHouseStore, reader: Reader, tmp_path: Path, form: FileFormat
) -> None:
    program = validator()
    record_charges(store)
    adjust_charges(store)

    file = exported(reader, tmp_path / "out", form)
    found = verdicts(program, file)

    assert {rule for rule, verdict in found.items() if verdict == "FAIL"} == ALLOWED
    assert sum(verdict == "PASS" for verdict in found.values()) > 250
    totals = json.loads((file.parent / "manifest.json").read_text())["totals"]
    written = {code: [Decimal(each) for each in costs.values()] for code, costs in totals.items()}
    assert written == dict(store.ask(NET))


def test_the_validator_sees_what_is_wrong(store: ClickHouseStore, reader: Reader, tmp_path: Path) -> None:
    program = validator()
    record_charges(store)
    file = exported(reader, tmp_path / "out", "csv")
    file.write_text(file.read_text().replace(",Tenant,", ",,"))

    found = verdicts(program, file)

    assert found["SubAccountType-C-005-C"] == "FAIL"
