"""What a statement reaches: whatever may read history or change the store is told of."""

from __future__ import annotations

import pytest

from auditstream.embedded.clickhouse_reach import reach_of
from auditstream.embedded.clickhouse_statements import read_statement
from auditstream.query.recorded import REASONS, UNPRICED

TABLES = {"events", "events_current", "usage_1m", "logs", "tenants", "checkpoints", "copy_of_events"}
FUNCTIONS = {"merge", "numbers", "remote", "url", "view", "cluster", "mergetreeindex"}

HISTORY = [
    "SELECT count() FROM events",
    "SELECT 1 FROM `events`",
    'SELECT 1 FROM default . "events" LIMIT 0',
    "WITH logs AS (SELECT * FROM events_current) SELECT * FROM logs",
    "SELECT * FROM logs, events",
    "SELECT * FROM system.one WHERE 'x' IN events",
    "SELECT (SELECT max(raw) FROM events)",
    "SELECT * FROM {table:Identifier}",
    "SELECT * FROM { table : Identifier }",
    "SELECT * FROM logs, {table:Identifier}",
    "SELECT * FROM merge('default', '^ev')",
    "SELECT * FROM logs, merge('default', '^ev')",
    "SELECT * FROM numbers(3) JOIN copy_of_events USING number",
    "SELECT * FROM a_table_that_was_made_a_moment_ago",
    "SELECT * FROM default.a_table_that_was_made_a_moment_ago",
    "SELECT * FROM `ev\\x65nts`",
    "FROM events SELECT raw",
    "DESCRIBE (SELECT * FROM events)",
    "EXPLAIN SELECT (SELECT max(raw) FROM events)",
    "SELECT * FROM remote('other', default, events)",
    "SELECT * FROM '/etc/passwd'",
    "INSERT INTO tenants SELECT * FROM events",
    REASONS.replace("reject_reason,", "reject_reason, any(raw),"),
]
BESIDE = [
    "SELECT 1",
    "SELECT version(), timezone()",
    "SELECT name, value, readonly FROM system.settings LIMIT 10000",
    "SELECT * FROM `system`.`tables`",
    "SELECT count() FROM logs",
    "SELECT * FROM default.logs",
    "SELECT * FROM tenants AS t JOIN (SELECT 1 AS x) AS u ON 1",
    "SELECT number FROM numbers(10)",
    "SHOW TABLES FROM default",
    "DESCRIBE TABLE events",
    "EXISTS TABLE events",
    "SET max_threads = 1",
    f"{REASONS}\n FORMAT Native",
    UNPRICED,
]
CHANGES = [
    "ALTER TABLE events DELETE WHERE 1",
    "DROP TABLE events",
    "TRUNCATE TABLE events",
    "OPTIMIZE TABLE events FINAL",
    "RENAME TABLE events TO x",
    "EXCHANGE TABLES events AND logs",
    "CREATE TABLE x AS events",
    "INSERT INTO events FORMAT Native\n",
    "INSERT INTO tenants VALUES ((SELECT 1))",
    "SYSTEM STOP MERGES",
    "KILL MUTATION WHERE 1",
    "GRANT ALL ON *.* TO x",
    "DELETE FROM events WHERE 1",
]


@pytest.mark.parametrize("sql", HISTORY)
def test_what_may_read_history_is_told_of(sql: str) -> None:
    reach = reach_of(read_statement(sql.encode()), TABLES, FUNCTIONS)

    assert reach.history
    assert reach.is_told


@pytest.mark.parametrize("sql", BESIDE)
def test_what_reads_no_field_of_an_event_is_not_told_of(sql: str) -> None:
    reach = reach_of(read_statement(sql.encode()), TABLES, FUNCTIONS)

    assert not reach.is_told


@pytest.mark.parametrize("sql", CHANGES)
def test_what_changes_the_store_is_told_of(sql: str) -> None:
    assert reach_of(read_statement(sql.encode()), TABLES, FUNCTIONS).changes


def test_rows_of_reference_data_are_told_of_by_who_applies_them() -> None:
    statement = read_statement(b"INSERT INTO `default`.`tenants` (`a`) FORMAT Native\n")

    assert not reach_of(statement, TABLES, FUNCTIONS).is_told


def test_the_tables_that_stand_in_a_statement_are_named() -> None:
    sql = b"SELECT * FROM usage_1m JOIN events ON 1 WHERE x = 'logs' AND y = {tenants:String}"

    assert reach_of(read_statement(sql), TABLES, FUNCTIONS).tables == ("events", "usage_1m")
