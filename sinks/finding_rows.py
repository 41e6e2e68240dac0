"""Findings as rows of table `findings`: what watches and detectors saw, and their updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.records.detection import Finding
from sinks.refusals import translated

_COLUMNS = Finding.field_names()
_KNOWN = """
    SELECT finding_id, version FROM findings
    WHERE tenant_id IN {tenants: Array(String)} AND finding_id IN {ids: Array(String)}
"""


def add_findings(client: Client, findings: Sequence[Finding]) -> None:
    """Insert findings, one row an update; the same update twice is two equal rows.

    Raises:
        StoreSchemaError: There is no such table.
        RetryableError: No answer; they may be there.
    """
    add_finding_rows(client, [{name: getattr(each, name) for name in _COLUMNS} for each in findings])


def add_finding_rows(client: Client, findings: Sequence[Mapping[str, object]], *, token: str = "") -> None:
    """Insert findings as values by column; raises as `add_findings` does.

    Args:
        client: Client of the store.
        findings: Values by column.
        token: Under it, the same rows are inserted once, however often they are sent.
    """
    rows = [[_value(name, each[name]) for name in _COLUMNS] for each in findings]
    settings = {"insert_deduplication_token": token} if token else {}
    with translated(f"insert of {len(rows)} findings"):
        client.insert("findings", rows, column_names=list(_COLUMNS), settings=settings)


def unknown_findings(client: Client, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings whose id and version are not in the table, each once.

    Raises:
        RetryableError: No answer.
    """
    tenants = sorted({each.tenant_id for each in findings})
    ids = sorted({each.finding_id for each in findings})
    with translated(f"look for {len(findings)} findings"):
        rows = client.query(_KNOWN, parameters={"tenants": tenants, "ids": ids}).result_rows
    known: set[tuple[Any, ...]] = {tuple(row) for row in rows}
    by_version = {(each.finding_id, each.version): each for each in findings}
    return [each for name, each in by_version.items() if name not in known]


def _value(name: str, value: object) -> object:
    if value is None and name == "suppressed_by":  # a text, in which '' is what was not stated
        return ""
    return list(value) if isinstance(value, tuple) else value
