"""The tables hold what the event contract and the recorder give them, and every column says what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest

from schemas.columns import COLUMNS, Column
from sinks.columns import OWN_SCHEMA, REQUIRED, TABLE_SCHEMA
from tests.support.stores import ClickHouseStore

_EXACT: Mapping[str, str] = {
    "uuid": "UUID",
    "int": "Int32",
    "long": "Int64",
    "double": "Float64",
    "boolean": "Bool",
    "timestamp-micros": "DateTime64(6, 'UTC')",
}
_TEXT = {"String", "LowCardinality(String)"}
_STORES_OWN = {"insert_by", "inserted_at", "search_text"}


def holders_of(column: Column, *, nullable: bool) -> set[str]:
    """Return the types that can hold a column without loss; text and nested values are never null there."""
    match column.avro_type:
        case "string" | "enum" | "bytes":
            return _TEXT
        case "array":
            return {f"Array({item})" for item in _values(column)}
        case "map":
            return {f"Map({key}, {value})" for key in _TEXT for value in _values(column)}
        case "decimal":
            exact = f"Decimal({column.precision}, {column.scale})"
        case scalar:
            exact = _EXACT[scalar]
    return {f"Nullable({exact})"} if nullable else {exact, f"Nullable({exact})"}


def _values(column: Column) -> set[str]:
    return _TEXT if column.values in ("string", "bytes") else {_EXACT[str(column.values)]}


@pytest.fixture(scope="module")
def types(migrated: ClickHouseStore) -> dict[str, str]:
    """Type of each column of `events`."""
    return dict(
        migrated.ask(
            "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'events'"
        )
    )


@pytest.mark.parametrize("column", [c for c in COLUMNS if c.name != "costs"], ids=lambda column: column.name)
def test_events_can_hold_a_column_of_the_contract(column: Column, types: dict[str, str]) -> None:
    assert types[column.name] in holders_of(column, nullable=column.nullable)


def test_cost_lines_can_hold_every_member(types: dict[str, str]) -> None:
    (costs,) = [column for column in COLUMNS if column.name == "costs"]
    members = dict(_members(types["costs"]))

    assert list(members) == [member.name for member in costs.members]
    for member in costs.members:
        text = {"Nullable(String)"} if member.nullable else {"String"}
        is_text = member.avro_type in ("string", "enum")
        assert members[member.name] in (text if is_text else holders_of(member, nullable=member.nullable))


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Split `Array(Tuple(a X, b Y(1, 2)))` into its named types."""
    inner = text.removeprefix("Array(Tuple(").removesuffix("))")
    for member in re.split(r",\s+(?=[a-z_]+ [A-Z])", inner):
        name, _, found = member.strip().partition(" ")
        yield name, found


def test_events_has_every_column_of_a_block_and_no_other(types: dict[str, str]) -> None:
    assert set(types) - _STORES_OWN == set(TABLE_SCHEMA)


def test_what_a_row_must_have_is_among_the_columns() -> None:
    assert set(TABLE_SCHEMA) >= REQUIRED
    assert not set(OWN_SCHEMA) & {column.name for column in COLUMNS}


def test_promised_names_are_there(types: dict[str, str]) -> None:
    promised = """
        tenant_id attribution_method cost_currency cost_list cost_contracted cost_effective cost_billed
        price_basis cost_status input_tokens output_tokens cache_read_tokens cache_write_tokens
        reasoning_tokens log_id segment_id leaf_index leaf_kind leaf_hash duplicate_of kafka_topic
        kafka_partition kafka_offset kafka_timestamp reference_revision raw inference_request_model
        tool_name policy_verdict
    """

    assert set(promised.split()) <= set(types)


def test_promised_tables_are_there(migrated: ClickHouseStore) -> None:
    promised = {
        "events", "events_current", "logs", "segments", "findings", "cost_adjustments", "costs_current",
        "usage_1m", "usage_1h", "checkpoints", "exports", "outcomes_1m", "latency_1m",
    }  # fmt: skip

    assert promised <= {name for (name,) in migrated.ask("SHOW TABLES")}


def test_every_column_and_table_says_what_it_is(migrated: ClickHouseStore) -> None:
    silent_columns = migrated.ask(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = '' "
        "AND table NOT LIKE '%\\_feed'"
    )
    silent_tables = migrated.ask(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = '' "
        "AND name NOT LIKE '%\\_feed'"
    )

    assert (silent_columns, silent_tables) == ([], [])


def test_facts_are_kept_in_both_times(migrated: ClickHouseStore) -> None:
    tables = """
        tenants credentials projects agents tools prices contracts currency_rates budgets slos retention holds
    """
    both_times = {"valid_from", "valid_to", "recorded_at", "revision", "source", "actor"}
    columns = migrated.ask("SELECT table, name FROM system.columns WHERE database = currentDatabase()")

    for table in tables.split():
        assert both_times <= {name for of, name in columns if of == table}, table


def test_money_is_never_a_float(migrated: ClickHouseStore) -> None:
    money = migrated.ask(
        "SELECT table, name, type FROM system.columns WHERE database = currentDatabase() "
        "AND match(name, '^cost_(list|contracted|effective|billed)$|amount|^rate$|excess_cost')"
    )

    assert len(money) > 20
    assert [row for row in money if "Decimal(38" not in row[2]] == []
