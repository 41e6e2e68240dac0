"""The front's lexer splits statements as the engine's own does; error numbers have the engine's names."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditstream.embedded.clickhouse_errors import ErrorNumber, QueryError
from auditstream.embedded.clickhouse_lexer import Kind, tokens
from auditstream.embedded.clickhouse_statements import read_statement
from tests.support.clickhouse_fronts import Asker

Piece = tuple[str, int, int | None]

_KINDS = {
    "BareWord": Kind.WORD,
    "QuotedIdentifier": Kind.QUOTED,
    "StringLiteral": Kind.STRING,
    "HereDoc": Kind.STRING,
    "Number": Kind.NUMBER,
}
# What decides where strings, names and comments begin and end, and numbers with all their parts.
_PIECES = [*"a1eEpB_'\"`“”‘’-/*#$ \n\t.+()[]{},;:|<>=!~@^&é🙂%?−\\\ufeff\u2028\xa0\0"]
_PIECES += [
    "select",
    "--",
    "//",
    "/*",
    "*/",
    "$a$",
    "$$",
    "0x",
    "0b1",
    "1.5",
    "1e5",
    "x'41'",
    "b'",
    "->",
    "\\G",
]
_STATEMENTS = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=12).map("".join)


def by_engine(ask: Asker, statements: list[str]) -> list[list[Piece]]:
    """Return the engine's tokens of each statement up to the first that is none."""
    listed = ", ".join(f"unhex('{statement.encode().hex()}')" for statement in statements)
    answer = ask(f"SELECT arrayMap(x -> tokenizeQuery(x), [{listed}]) AS t FORMAT JSONEachRow")
    found: list[list[Piece]] = []
    for rows in json.loads(answer.body)["t"]:
        found.append([])
        for row in rows:
            start, end, name = row.values() if isinstance(row, dict) else row
            if name.startswith("Error"):
                found[-1].append((Kind.ERROR.name, int(start), None))
                break
            if name not in ("Whitespace", "Comment"):
                found[-1].append((_KINDS.get(name, Kind.MARK).name, int(start), int(end)))
    return found


def by_front(statement: str) -> list[Piece]:
    """Return our tokens in the same form."""
    return [
        (token.kind.name, token.start, None if token.kind is Kind.ERROR else token.end)
        for token in tokens(statement.encode())
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statements=st.lists(_STATEMENTS, min_size=40, max_size=40))
def test_random_text_is_split_as_the_engine_splits_it(ask: Asker, statements: list[str]) -> None:
    assert [by_front(statement) for statement in statements] == by_engine(ask, statements)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'it''s', \"a\"\"b\", `c``d`, 'e\\'f', $$ ' $$, $x$ ; $x$ FROM t -- ; '",
        "SELECT 1 /* a /* nested ' */ comment */ + 2 # the end ;",
        "SELECT x'4142', b'01', 0x1F, 1_000, .5e-3, t.1.2, ‘curly’, “quoted”",
    ],
)
def test_known_statements_are_split_as_the_engine_splits_them(ask: Asker, sql: str) -> None:
    assert by_front(sql) == by_engine(ask, [sql])[0]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1;; SELECT 2;",
        "SELECT 1 -- ;\n; SELECT 2",
        "SELECT 1 /* ; */ ; DROP TABLE t",
        "SELECT ';' ; SELECT ';'",
    ],
)
def test_more_than_one_statement_is_seen_as_the_engine_sees_it(ask: Asker, sql: str) -> None:
    formatted = ask("SELECT formatQuery({sql:String})", param_sql=sql.replace("\n", "\\n"))

    with pytest.raises(QueryError, match="Multi-statements"):
        read_statement(sql.encode())
    assert formatted.error == ErrorNumber.SYNTAX_ERROR


def test_error_numbers_have_the_engines_names(ask: Asker) -> None:
    numbers = {number.name: number.value for number in ErrorNumber}
    listed = ", ".join(str(number) for number in numbers.values())

    answer = ask(f"SELECT arrayMap(n -> (errorCodeToName(n), n), [{listed}]) AS t FORMAT JSONEachRow")

    named = [
        tuple(pair.values()) if isinstance(pair, dict) else tuple(pair)
        for pair in json.loads(answer.body)["t"]
    ]
    assert {name: int(number) for name, number in named} == numbers
