"""Which statements each list holds, and that no writing of them gets around it."""

from __future__ import annotations

import re

import pytest

from auditstream.embedded.clickhouse_credentials import API_TABLES, Credential, StatementList
from auditstream.embedded.clickhouse_errors import QueryError
from auditstream.embedded.clickhouse_permissions import (
    Limits,
    allowed_settings,
    check_database,
    check_statement,
)
from auditstream.embedded.clickhouse_statements import read_statement
from sinks.grants import grants

OWNER = Credential("o", "1", "owner")
WRITER = Credential("w", "2", "writer", ("events", "other.logs"))
ANY_WRITER = Credential("w", "2", "writer")
SEALER = Credential("s", "4", "sealer")
READER = Credential("r", "3", "reader")
TABLE_FUNCTIONS = {
    "file",
    "url",
    "s3",
    "remote",
    "python",
    "executable",
    "merge",
    "numbers",
    "view",
    "values",
}


def refused(sql: str, credential: Credential = READER) -> int:
    """Return the number of the error that a statement is refused with, 0 for none."""
    try:
        statement = read_statement(sql.encode())
        check_statement(statement, credential, ("default", "audit"), TABLE_FUNCTIONS)
    except QueryError as error:
        return error.number
    return 0


@pytest.mark.parametrize("credential", [READER, WRITER, OWNER])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "select * from events where text = 'file(x) INTO OUTFILE'",
        "SELECT 1 /* file('x') */ -- INTO OUTFILE 'x'",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
        "(SELECT 1) UNION ALL (SELECT 2);",
        "FROM events SELECT count()",
        "SELECT quantile(0.5)(x), groupArray(10)(y), toDate(z) FROM events",
        "SELECT count() FROM numbers(10) AS n JOIN view(SELECT 1 AS a) AS v ON 1 = 1",
        "SELECT url, format, merge, remote FROM events",
        'SELECT "Total cost (USD)" FROM events',
        "SELECT $$ file('x') $$ FROM events",
        'SELECT * FROM system.tables, `system`.columns, system . "one"',
        "SELECT * FROM information_schema.tables",
        "SHOW TABLES",
        "SHOW FULL COLUMNS FROM events",
        "SHOW CREATE TABLE events",
        "DESCRIBE TABLE events",
        "DESC (SELECT 1)",
        "EXISTS TABLE events",
        "EXPLAIN PIPELINE SELECT 1",
        "SELECT {n:UInt8}, {tags:Array(String)}",
        "SELECT 1 FORMAT CSV",
    ],
)
def test_everybody_may_read(credential: Credential, sql: str) -> None:
    assert refused(sql, credential) == 0


@pytest.mark.parametrize("credential", [READER, WRITER])
@pytest.mark.parametrize(
    "sql",
    [
        # Files, in every position and writing.
        "SELECT * FROM file('x')",
        "SELECT * FROM FILE('x')",
        "SELECT * FROM file ('x')",
        "SELECT * FROM file/**/('x')",
        "SELECT * FROM file -- x\n ('x')",
        "SELECT * FROM `file`('x')",
        "SELECT * FROM \"file\"('x')",
        "SELECT * FROM “file”('x')",
        "SELECT * FROM events, file('x')",
        "SELECT * FROM events JOIN file('x') ON 1 = 1",
        "SELECT * FROM (SELECT * FROM (SELECT * FROM file('x')))",
        "SELECT * FROM events WHERE a IN (SELECT a FROM file('x'))",
        "SELECT 1 UNION ALL SELECT * FROM file('x')",
        "WITH x AS (SELECT * FROM file('x')) SELECT 1",
        "SELECT * FROM view(SELECT * FROM file('x'))",
        "EXPLAIN SELECT * FROM file('x')",
        "DESCRIBE file('x')",
        "DESCRIBE TABLE file('x')",
        "SELECT file('x')",
        "SELECT arrayMap(file, ['x'])",
        "SELECT * APPLY file FROM events",
        "SELECT * APPLY(file) FROM events",
        "SELECT COLUMNS('a') APPLY(x -> file(x)) FROM events",
        "SELECT `f\\x69le`('x')",
        "SELECT * FROM `sys\\x74em`.users",
        "SELECT * FROM 'x.csv'",
        "SELECT * FROM ‘x.csv’",
        "SELECT * FROM $$x.csv$$",
        "SELECT * FROM events JOIN 'x.csv' ON 1 = 1",
        # The network and other processes.
        "SELECT * FROM url('http://x')",
        "SELECT * FROM s3('x')",
        "SELECT * FROM remote('x', system.one)",
        "SELECT * FROM Python(x)",
        "SELECT * FROM executable('x')",
        "SELECT aiGenerate('x')",
        "SELECT AIGENERATE('x')",
        # The machine, and time.
        "SELECT getServerSetting('x')",
        "SELECT showCertificate()",
        "SELECT sleep(3)",
        "SELECT SLEEPEACHROW(3)",
        # The system's tables.
        "SELECT * FROM system.users",
        "SELECT * FROM system.processes",
        "SELECT * FROM `system`.`query_log`",
        'SELECT * FROM "system" . /* x */ users',
        "SELECT * FROM SYSTEM.users",
        "SELECT * FROM system.one, system.users",
        "SELECT * FROM system.{t:String}",
        "SELECT * FROM merge('system', 'users')",
        "SELECT * FROM {db:Identifier}.{table:Identifier}",
        "SELECT * FROM {t : identifier}",
        # Other statements, alone or after an allowed one.
        "SET max_threads = 1",
        "USE system",
        "SHOW PROCESSLIST",
        "SHOW GRANTS",
        "SHOW",
        "SHOW CREATE USER default",
        "SHOW CREATE events",
        "DROP TABLE events",
        "CREATE TABLE x (a Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE x (a Int8)",
        "ALTER TABLE events DELETE WHERE 1",
        "TRUNCATE TABLE events",
        "OPTIMIZE TABLE events",
        "KILL QUERY WHERE 1",
        "SYSTEM SHUTDOWN",
        "GRANT ALL ON *.* TO x",
        "EXECUTE AS x SELECT 1",
        "ATTACH TABLE x",
        "BACKUP TABLE events TO File('x')",
        "CHECK TABLE events",
        "EXCHANGE TABLES a AND b",
        "WATCH x",
        "BEGIN TRANSACTION",
        "`SELECT` 1",
        "1 + 1",
        "INSERT INTO FUNCTION file('x') VALUES (1)",
        "INSERT INTO TABLE FUNCTION url('x') SELECT 1",
        "INSERT INTO system.users VALUES (1)",
        "INSERT INTO {t:Identifier} VALUES (1)",
        "INSERT INTO a.b.c VALUES (1)",
        "INSERT INTO events SELECT file('x')",
        "INSERT INTO events SELECT * FROM url('x')",
    ],
)
def test_nobody_but_the_owner_may_do_more(credential: Credential, sql: str) -> None:
    assert refused(sql, credential) == 497


@pytest.mark.parametrize("credential", [READER, WRITER, OWNER])
@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("SELECT 1 INTO OUTFILE 'x'", 358),
        ("SELECT 1 into/**/outfile 'x'", 358),
        ("SELECT 1 INTO -- x\n OUTFILE 'x' TRUNCATE FORMAT CSV", 358),
        ("(SELECT 1) INTO OUTFILE 'x'", 358),
        ("DESCRIBE events INTO OUTFILE 'x'", 358),
        ("INSERT INTO events FROM INFILE 'x' FORMAT CSV", 78),
        ("INSERT INTO events FROM /* x */ INFILE 'x'", 78),
        ("INSERT INTO events SELECT a FROM input('a Int8') FORMAT CSV", 48),
        ("SELECT 1; DROP TABLE events", 62),
        ("SELECT 1 -- x\n; DROP TABLE events", 62),
    ],
)
def test_some_things_nobody_may_do_over_http(credential: Credential, sql: str, number: int) -> None:
    assert refused(sql, credential) == number


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO events VALUES (1)",
        "INSERT INTO default.events (a) FORMAT Native\n",
        "INSERT INTO `default`.`events` SELECT 1",
        "INSERT INTO events SETTINGS async_insert = 0 FORMAT CSV\nfile('x')",
        "INSERT INTO other.logs VALUES (1)",
    ],
)
def test_a_writer_inserts_into_his_tables(sql: str) -> None:
    assert refused(sql, WRITER) == 0
    assert refused(sql, READER) == 497


@pytest.mark.parametrize("sql", ["INSERT INTO logs VALUES (1)", "INSERT INTO other.events SELECT 1"])
def test_a_writer_inserts_into_no_other_table(sql: str) -> None:
    assert refused(sql, WRITER) == 497


def test_a_sealer_inserts_checkpoints_and_findings_only() -> None:
    assert refused("INSERT INTO checkpoints VALUES (1)", SEALER) == 0
    assert refused("INSERT INTO findings VALUES (1)", SEALER) == 0
    assert refused("SELECT leaf_hash FROM events", SEALER) == 0
    for sql in ("INSERT INTO events VALUES (1)", "INSERT INTO other.checkpoints VALUES (1)", "DROP TABLE x"):
        assert refused(sql, SEALER) == 497


def test_a_writer_without_tables_inserts_into_the_databases_of_the_front() -> None:
    assert refused("INSERT INTO anything VALUES (1)", ANY_WRITER) == 0
    assert refused("INSERT INTO audit.anything VALUES (1)", ANY_WRITER) == 0
    assert refused("INSERT INTO private.anything VALUES (1)", ANY_WRITER) == 497


@pytest.mark.parametrize(
    "sql", ["DROP TABLE x", "SELECT * FROM file('x')", "KILL QUERY WHERE 1", "SET a = 1", "1"]
)
def test_the_owner_may_do_everything_else(sql: str) -> None:
    assert refused(sql, OWNER) == 0


def test_table_functions_of_coming_versions_are_refused() -> None:
    statement = read_statement(b"SELECT * FROM teleport('x')")

    check_statement(statement, READER, ("default",), TABLE_FUNCTIONS)
    with pytest.raises(QueryError, match="table function teleport"):
        check_statement(statement, READER, ("default",), {*TABLE_FUNCTIONS, "teleport"})


@pytest.mark.parametrize(
    ("statements", "allowed"), [("owner", True), ("writer", False), ("sealer", False), ("reader", False)]
)
def test_only_the_owner_makes_system_the_current_database(statements: StatementList, allowed: bool) -> None:
    credential = Credential("u", "t", statements)
    check_database("default", credential)

    if allowed:
        check_database("system", credential)
        return
    for name in ("system", "SYSTEM"):
        with pytest.raises(QueryError):
            check_database(name, credential)


def test_a_readers_limits_can_only_be_lowered() -> None:
    limits = Limits(max_execution_time=60, max_result_rows=100)
    wanted = {"max_execution_time": "1.5", "max_result_rows": "0"}

    given = allowed_settings(wanted, READER, limits)

    assert given["max_execution_time"] == "1.5"
    assert given["max_result_rows"] == "100"
    assert given["max_result_bytes"] == str(limits.max_result_bytes)
    assert given["result_overflow_mode"] == given["timeout_overflow_mode"] == "throw"


@pytest.mark.parametrize("wanted", ["0", "-1", "61", "1e9", "inf", "nan", "0x1", "auto", ""])
def test_unlimited_in_any_writing_is_the_limit(wanted: str) -> None:
    given = allowed_settings({"max_execution_time": wanted}, READER, Limits(max_execution_time=60))

    assert given["max_execution_time"] == "60"


@pytest.mark.parametrize(
    ("name", "statements", "number"),
    [
        ("output_format_json_quote_64bit_integers", "reader", 0),
        ("max_threads", "reader", 0),
        ("max_memory_usage", "reader", 164),
        ("insert_deduplication_token", "reader", 164),
        ("insert_deduplication_token", "writer", 0),
        ("dialect", "reader", 164),
        ("dialect", "writer", 164),
        ("allow_experimental_kusto_dialect", "writer", 164),
        ("implicit_table_at_top_level", "writer", 164),
        ("dialect", "owner", 0),
    ],
)
def test_settings_are_those_of_the_list(name: str, statements: StatementList, number: int) -> None:
    credential = Credential("u", "t", statements)
    try:
        allowed_settings({name: "1"}, credential, Limits())
        found = 0
    except QueryError as error:
        found = error.number

    assert found == number


def test_the_api_may_insert_into_the_tables_that_a_servers_role_may() -> None:
    granted = [re.fullmatch(r"GRANT INSERT ON `d`\.(\w+) TO audit_api;?", each) for each in grants("d")]

    assert {each[1] for each in granted if each} == set(API_TABLES)
