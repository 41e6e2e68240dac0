"""Findings become rows of their table with every field, and updates are rows beside."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from sinks.finding_rows import add_findings
from tests.support.stores import ClickHouseStore

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FINDING = Finding(
    finding_id="a",
    version=2,
    tenant_id="acme",
    rule_id="store.tables",
    title="a title",
    status=FindingStatus.RESOLVED,
    severity=5,
    window_start=AT,
    window_end=AT,
    excess_cost=Decimal("1.5"),
    contributors={"x": 0.25},
    attacks=("AML.T0001",),
)


def test_a_finding_is_a_row_with_its_fields(store: ClickHouseStore) -> None:
    store.client.command("TRUNCATE TABLE findings")
    add_findings(store.client, [FINDING, Finding.from_datum(FINDING.to_datum() | {"version": 3})])

    columns = ", ".join(Finding.field_names())
    rows = store.client.query(f"SELECT {columns} FROM findings ORDER BY version").result_rows
    found = dict(zip(Finding.field_names(), rows[0], strict=True))

    naive = AT.replace(tzinfo=None)  # as the driver has it
    expected = FINDING.to_datum() | {"suppressed_by": "", "window_start": naive, "window_end": naive}
    assert found == expected
    assert rows[1][1] == 3
