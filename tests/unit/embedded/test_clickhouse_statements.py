"""The shape of statements: one at a time, where the answer goes to, and where rows start."""

from __future__ import annotations

import pytest

from auditstream.embedded.clickhouse_errors import QueryError
from auditstream.embedded.clickhouse_statements import Insert, Statement, read_statement


def shape(sql: str) -> Statement:
    """Return the statement in `sql`."""
    return read_statement(sql.encode())


def insert(sql: str | bytes) -> Insert:
    """Return the insert in `sql`."""
    statement = read_statement(sql if isinstance(sql, bytes) else sql.encode())
    assert isinstance(statement, Insert)
    return statement


@pytest.mark.parametrize(
    ("sql", "verb"),
    [
        ("select 1", "SELECT"),
        ("  /* x */ SeLeCt 1", "SELECT"),
        ("((select 1))", "SELECT"),
        ("with 1 as x select x", "WITH"),
        ("`select` 1", ""),
        ("set a = 1", "SET"),
        ("42", ""),
    ],
)
def test_the_verb_is_the_first_keyword(sql: str, verb: str) -> None:
    assert shape(sql).verb == verb


@pytest.mark.parametrize(
    ("sql", "format_name"),
    [
        ("SELECT 1 FORMAT CSV", "CSV"),
        ("SELECT 1 format\nJSON ;", "JSON"),
        ("SELECT 1 FORMAT `TSV` -- x", "TSV"),
        ("SELECT 1 FORMAT JSON SETTINGS max_threads = 1, a = 'FORMAT CSV'", "JSON"),
        ("SELECT 1 SETTINGS max_threads = 1 FORMAT JSON", "JSON"),
        ("SELECT 1 -- FORMAT CSV", None),
        ("SELECT 'FORMAT CSV'", None),
        ("SELECT (SELECT 1 FORMAT CSV)", None),
        ("SELECT format FROM t", None),
        ("SELECT x AS format", None),
        ("SELECT 1 FORMAT", None),
        ("SELECT 1 FORMAT CSV FROM t", None),
    ],
)
def test_the_format_is_that_of_the_last_clause(sql: str, format_name: str | None) -> None:
    assert shape(sql).format == format_name


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", "SELECT 1\n INTO OUTFILE '/dev/fd/9' APPEND FORMAT TSV"),
        ("SELECT 1;;", "SELECT 1\n INTO OUTFILE '/dev/fd/9' APPEND FORMAT TSV"),
        ("SELECT 1 -- x", "SELECT 1\n INTO OUTFILE '/dev/fd/9' APPEND FORMAT TSV"),
        ("SELECT 1 FORMAT CSV", "SELECT 1  INTO OUTFILE '/dev/fd/9' APPEND FORMAT CSV"),
        (
            "SELECT 1 FORMAT CSV SETTINGS a = 1;",
            "SELECT 1  INTO OUTFILE '/dev/fd/9' APPEND FORMAT CSV SETTINGS a = 1;",
        ),
    ],
)
def test_the_pipe_is_named_before_the_format(sql: str, expected: str) -> None:
    assert shape(sql).into(9, "TSV").decode() == expected


@pytest.mark.parametrize(
    ("sql", "rows", "format_name", "table"),
    [
        ("INSERT INTO t VALUES (1)", "(1)", "Values", ("t",)),
        ("INSERT INTO t(a)VALUES(1)", "(1)", "Values", ("t",)),
        ("insert into a.`b c` (x, y) format CSV\n1,2", "1,2", "CSV", ("a", "b c")),
        ("INSERT INTO TABLE t FORMAT TSV \t\r\n\n1", "\n1", "TSV", ("t",)),
        ("INSERT INTO t FORMAT CSV 'un;closed", "'un;closed", "CSV", ("t",)),
        ("INSERT INTO t FORMAT JSONEachRow{}", "{}", "JSONEachRow", ("t",)),
        ("INSERT INTO format FORMAT CSV\n1", "1", "CSV", ("format",)),
        ("INSERT INTO db.values (a) FORMAT CSV\n1", "1", "CSV", ("db", "values")),
        ("INSERT INTO t (format, values) VALUES (1, 2)", "(1, 2)", "Values", ("t",)),
        ("INSERT INTO t (* EXCEPT(b)) VALUES (1)", "(1)", "Values", ("t",)),
        ("INSERT INTO t SETTINGS a = 'FORMAT X' FORMAT CSV\n1", "1", "CSV", ("t",)),
        ("INSERT INTO FUNCTION file('x') VALUES (1)", "(1)", "Values", ()),
        ("INSERT INTO {t:Identifier} VALUES (1)", "(1)", "Values", ()),
        ("INSERT INTO t VALUES", "", "Values", ("t",)),
    ],
)
def test_rows_start_after_the_format(sql: str, rows: str, format_name: str, table: tuple[str, ...]) -> None:
    found = insert(sql)

    assert sql[found.rows_at :] == rows
    assert (found.format, found.table) == (format_name, table)


def test_binary_rows_are_not_read_as_sql() -> None:
    rows = bytes(range(256)) * 4

    found = insert(b"INSERT INTO t FORMAT Native\n" + rows)

    assert (b"INSERT INTO t FORMAT Native\n" + rows)[found.rows_at :] == rows
    assert found.text == b"INSERT INTO t FORMAT Native"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "INSERT INTO t VALUES (1)",
            "INSERT INTO t  FROM INFILE '/dev/fd/9' COMPRESSION 'zstd'  FORMAT Values",
        ),
        (
            "INSERT INTO t (a) FORMAT CSV\n1",
            "INSERT INTO t (a)  FROM INFILE '/dev/fd/9' COMPRESSION 'zstd'  FORMAT CSV",
        ),
        (
            "INSERT INTO t SETTINGS a = 1 FORMAT CSV\n1",
            "INSERT INTO t  {pipe} SETTINGS a = 1  FORMAT CSV",
        ),
    ],
)
def test_the_pipe_of_rows_is_named_before_the_settings(sql: str, expected: str) -> None:
    pipe = "FROM INFILE '/dev/fd/9' COMPRESSION 'zstd'"

    assert insert(sql).from_pipe(9).decode() == expected.format(pipe=pipe)


@pytest.mark.parametrize(
    "sql", ["INSERT INTO t SELECT 1", "INSERT INTO t (SELECT 1)", "INSERT INTO t (a) WITH 1 AS x SELECT x"]
)
def test_an_insert_of_a_query_has_no_rows(sql: str) -> None:
    statement = shape(sql)

    assert not isinstance(statement, Insert)
    assert (statement.verb, statement.reads) == ("INSERT", False)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1; -- x\nDROP TABLE t",
        "SELECT 1 /* ; */; DROP TABLE t;",
        "INSERT INTO t SELECT 1; DROP TABLE t",
        "; SELECT 1",
        ";",
        "",
        " -- nothing",
        "SELECT 'unclosed",
        "SELECT 1 /* unclosed",
        "INSERT INTO t FORMAT",
        "INSERT INTO t FORMAT CSV;1",
        "INSERT INTO t VALUES;",
        "INSERT INTO 'a",
    ],
)
def test_what_is_not_one_whole_statement_is_a_syntax_error(sql: str) -> None:
    with pytest.raises(QueryError) as caught:
        shape(sql)

    assert caught.value.number == 62


@pytest.mark.parametrize(
    "sql", ["SELECT 1;", "SELECT 1 ; ; -- x", "SELECT ';'", "SELECT 1 -- ;\n", "SELECT $$;$$"]
)
def test_a_semicolon_may_end_a_statement_or_stand_in_a_string(sql: str) -> None:
    assert shape(sql).verb == "SELECT"
