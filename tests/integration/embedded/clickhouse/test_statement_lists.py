"""What each statement list may do with a real engine behind it: what the front misses, the engine refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.embedded.clickhouse_process import RunningClickHouse
from tests.support.clickhouse_fronts import WRITABLE, Asker, connected
from tests.support.tampering import READS_OUTSIDE, STATEMENTS

SECRET = "not for readers"
_DENIED = (497, 164, 358, 78, 62)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the server that only its owner may read."""
    file = tmp_path / "secret.txt"
    file.write_text(SECRET)
    return file


@pytest.fixture(autouse=True, scope="module")
def tables(clickhouse: RunningClickHouse) -> Iterator[None]:
    """The writer's table, one that is not his, and a database that is nobody's."""
    ask = Asker(clickhouse)
    for statement in (
        f"CREATE TABLE {WRITABLE} (id UInt64, text String) ENGINE = MergeTree ORDER BY id",
        "CREATE TABLE other (id UInt64, text String) ENGINE = MergeTree ORDER BY id",
        "CREATE DATABASE private",
        "CREATE TABLE private.keys (id UInt64) ENGINE = MergeTree ORDER BY id",
    ):
        assert ask(statement).status == 200
    yield
    for statement in (
        f"DROP TABLE {WRITABLE} SYNC",
        "DROP TABLE IF EXISTS other SYNC",
        "DROP DATABASE private SYNC",
    ):
        assert ask(statement).status == 200


@pytest.mark.parametrize("user", ["analyst", "writer"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count() FROM other",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "FROM other SELECT count()",
        "SELECT * FROM numbers(3) AS n, values('a UInt8', 1) AS v, view(SELECT 1 AS b) AS w",
        "SHOW TABLES",
        "SHOW CREATE TABLE other",
        "DESCRIBE other",
        "DESCRIBE TABLE (SELECT 1)",
        "EXISTS TABLE other",
        "EXPLAIN SELECT * FROM other",
        "SELECT name FROM system.columns WHERE table = 'other'",
        "SELECT table_name FROM information_schema.tables LIMIT 1",
        "SELECT 'file', 'INTO OUTFILE', \"text\" FROM other -- file(x)",
        "SELECT count() FROM other; -- the end",
    ],
)
def test_reading_is_allowed(ask: Asker, user: str, sql: str) -> None:
    answer = ask(sql, user=user)

    assert (answer.error, answer.status) == (0, 200)


@pytest.mark.parametrize("user", ["analyst", "writer"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM file('{path}', 'LineAsString')",
        "SELECT * FROM FiLe /* x */ ('{path}', 'LineAsString')",
        "SELECT * FROM `file`('{path}', 'LineAsString')",
        "SELECT * FROM other WHERE text IN (SELECT * FROM file('{path}', 'LineAsString'))",
        "SELECT * FROM other UNION ALL SELECT 1, * FROM file('{path}', 'LineAsString')",
        "WITH x AS (SELECT * FROM file('{path}', 'LineAsString')) SELECT * FROM x",
        "SELECT * FROM view(SELECT * FROM file('{path}', 'LineAsString'))",
        "SELECT file('{path}')",
        "SELECT \"file\"('{path}')",
        "SELECT `f\\x69le`('{path}')",
        "SELECT arrayMap(file, ['{path}'])",
        "SELECT arrayMap(x -> file(x), ['{path}'])",
        "SELECT * APPLY file FROM (SELECT '{path}')",
        "SELECT file($$" + "{path}" + "$$)",
        "EXPLAIN SELECT file('{path}')",
        "DESCRIBE file('{path}', 'LineAsString')",
        "SELECT * FROM '{path}'",
        "SELECT * FROM other, '{path}'",
        "SELECT * FROM `{path}`",
        'SELECT * FROM other JOIN "{path}" ON 1 = 1',
        "DESCRIBE '{path}'",
        "INSERT INTO " + WRITABLE + " SELECT 1, file('{path}')",
        "INSERT INTO " + WRITABLE + " FROM INFILE '{path}' FORMAT LineAsString",
    ],
)
def test_no_file_can_be_read(ask: Asker, secret: Path, user: str, sql: str) -> None:
    answer = ask(sql.replace("{path}", str(secret)), user=user)

    assert answer.error in _DENIED
    assert SECRET not in answer.text
    assert ask(f"SELECT count() FROM {WRITABLE}").text == "0"


@pytest.mark.parametrize("user", ["analyst", "writer"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 INTO OUTFILE '{path}'",
        "SELECT 1 INTO/**/OUTFILE '{path}' FORMAT CSV",
        "SELECT 1 into -- x\n outfile '{path}' TRUNCATE",
        "(SELECT 1) INTO OUTFILE '{path}'",
        "DESCRIBE other INTO OUTFILE '{path}'",
        "INSERT INTO FUNCTION file('{path}', 'CSV', 'a UInt8') VALUES (1)",
        "INSERT INTO TABLE FUNCTION file('{path}', 'CSV', 'a UInt8') SELECT 1",
    ],
)
def test_no_file_can_be_written(ask: Asker, tmp_path: Path, user: str, sql: str) -> None:
    file = tmp_path / "out"

    answer = ask(sql.replace("{path}", str(file)), user=user)

    assert answer.error in _DENIED
    assert not file.exists()


@pytest.mark.parametrize("user", ["analyst", "writer"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM url('http://127.0.0.1:1/x', 'CSV', 'a UInt8')",
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv')",
        "SELECT * FROM remote('127.0.0.1:1', system.one)",
        "SELECT * FROM executable('id', 'TSV', 'a String')",
        "SELECT * FROM Python(x)",
        "SELECT * FROM merge('system', 'processes')",
        "SELECT * FROM cluster('x', system.one)",
        "SELECT aiGenerate('x')",
        "SELECT sleep(1)",
        "SELECT getServerSetting('path')",
        "SELECT * FROM system.processes",
        'SELECT * FROM `system`."query_log"',
        "SELECT * FROM system /* x */ . /* y */ users",
        "SELECT * FROM `sys\\x74em`.processes",
        "SELECT * FROM {db:Identifier}.{table:Identifier}",
        "SELECT * FROM private.keys",
        "SELECT * FROM {name:Identifier}",
        "SHOW PROCESSLIST",
        "SHOW GRANTS",
        "SHOW CREATE USER default",
        "SELECT 1; DROP TABLE other",
        "DROP TABLE other",
        "CREATE TABLE x (a UInt8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE x (a UInt8)",
        "ALTER TABLE other DELETE WHERE 1",
        "TRUNCATE TABLE other",
        "OPTIMIZE TABLE other",
        "KILL QUERY WHERE 1",
        "SYSTEM SHUTDOWN",
        "SET readonly = 0",
        "SET ROLE auditstream_owner",
        "USE system",
        "GRANT ALL ON *.* TO default",
        "EXECUTE AS default SELECT 1",
        "ATTACH TABLE other",
        "BACKUP TABLE other TO File('x')",
        "RENAME TABLE other TO mine",
        "INSERT INTO other VALUES (1, 'x')",
        "INSERT INTO other SELECT 1, 'x'",
        "INSERT INTO private.keys VALUES (1)",
        "INSERT INTO {name:Identifier} VALUES (1)",
    ],
)
def test_nothing_else_is_allowed(ask: Asker, user: str, sql: str) -> None:
    names = {"param_db": "system", "param_table": "processes", "param_name": "private.keys"}

    assert ask(sql, user=user, **names).error in _DENIED
    assert ask("SELECT count() FROM other").text == "0"


@pytest.mark.parametrize("user", ["analyst", "writer"])
@pytest.mark.parametrize("sql", [*STATEMENTS, *READS_OUTSIDE])
def test_no_statement_changes_what_is_there_or_reaches_outside(ask: Asker, user: str, sql: str) -> None:
    before = ask("SELECT name, create_table_query FROM system.tables WHERE database = 'default'").text

    answer = ask(sql.replace("{table}", WRITABLE), user=user)

    assert answer.error in _DENIED
    assert ask("SELECT name, create_table_query FROM system.tables WHERE database = 'default'").text == before


@pytest.mark.parametrize("user", ["analyst", "writer"])
def test_the_database_of_the_system_cannot_be_current(ask: Asker, user: str) -> None:
    assert ask("SELECT count() FROM processes", user=user, database="system").error == 497
    assert ask("SELECT 1", user=user, database="private").error in (0, 497)
    assert ask("SELECT count() FROM keys", user=user, database="private").error == 497


@pytest.mark.parametrize("user", ["analyst", "writer"])
@pytest.mark.parametrize("name", ["dialect", "allow_experimental_prql_dialect", "implicit_select"])
def test_the_parser_cannot_be_changed(ask: Asker, user: str, name: str) -> None:
    assert ask("SELECT 1", user=user, **{name: "1"}).error == 164


def test_a_writer_inserts_into_his_table(clickhouse: RunningClickHouse) -> None:
    with connected(clickhouse, "writer") as client:
        settings = {"insert_deduplication_token": "x", "max_execution_time": 10, "async_insert": 0}
        client.insert(WRITABLE, [[1, "a"]], ["id", "text"], settings=settings)
        client.command(f"INSERT INTO default.{WRITABLE} SELECT 2, 'b'")

        rows = client.query(f"SELECT * FROM {WRITABLE} ORDER BY id").result_rows
    with connected(clickhouse) as owner:
        owner.command(f"TRUNCATE TABLE {WRITABLE}")

    assert rows == [(1, "a"), (2, "b")]


def test_a_reader_inserts_nowhere(ask: Asker) -> None:
    assert ask(f"INSERT INTO {WRITABLE} VALUES (1, 'x')", user="analyst").error == 497
    assert ask(f"INSERT INTO {WRITABLE} SELECT 1, 'x'", user="analyst").error == 497


def test_a_reader_can_use_clickhouse_connect(clickhouse: RunningClickHouse) -> None:
    with connected(clickhouse, "analyst") as client:
        assert client.query("SELECT {n:UInt8} AS n", {"n": 3}).first_row == (3,)
        assert client.query_arrow("SELECT number FROM numbers(10)").num_rows == 10


def test_a_reader_gets_no_more_than_the_limits(ask: Asker) -> None:
    wanted = "SELECT getSetting('max_execution_time')"

    assert ask(wanted, user="analyst").text == "60"
    assert ask(wanted, user="analyst", max_execution_time=5).text == "5"
    assert ask(wanted, user="analyst", max_execution_time=0).text == "60"
    assert ask(wanted, user="analyst", max_execution_time=1_000).text == "60"
    assert ask("SELECT number FROM numbers(2000000) FORMAT Null", user="analyst").error == 396
    assert ask("SELECT number FROM numbers(2000000) FORMAT Null").error == 0


def test_a_reader_may_choose_how_answers_look(ask: Asker) -> None:
    answer = ask(
        "SELECT toUInt64(1) AS x FORMAT JSONEachRow",
        user="analyst",
        output_format_json_quote_64bit_integers=1,
    )

    assert answer.text == '{"x":"1"}'
    assert ask("SELECT 1", user="analyst", max_memory_usage=0).error == 164
    assert ask("SELECT 1 SETTINGS max_memory_usage = 1000000000", user="analyst").error == 164


def test_no_engine_role_outlives_its_query(ask: Asker) -> None:
    roles = [ask("SELECT currentRoles()", user=user).text for user in ("analyst", "writer", "default")]

    assert roles[:2] == ["['auditstream_reader']", "['auditstream_writer']"]
    assert "auditstream_owner" in roles[2]
