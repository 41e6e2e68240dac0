"""Findings as rows of table `findings`: what watches and detectors saw, and their updates."""

from __future__ import annotations

from collections.abc import Sequence

from clickhouse_connect.driver.client import Client

from schemas.records.detection import Finding
from sinks.refusals import translated

_COLUMNS = Finding.field_names()


def add_findings(client: Client, findings: Sequence[Finding]) -> None:
    """Insert findings, one row an update; the same update twice is two equal rows.

    Raises:
        StoreSchemaError: There is no such table.
        RetryableError: No answer; they may be there.
    """
    rows = [[_value(name, getattr(each, name)) for name in _COLUMNS] for each in findings]
    with translated(f"insert of {len(rows)} findings"):
        client.insert("findings", rows, column_names=list(_COLUMNS))


def _value(name: str, value: object) -> object:
    if value is None and name == "suppressed_by":  # a text, in which '' is what was not stated
        return ""
    return list(value) if isinstance(value, tuple) else value
