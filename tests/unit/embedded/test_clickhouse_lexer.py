"""The lexer tells code from comments, strings and names; expectations are those of `tokenizeQuery`."""

from __future__ import annotations

import pytest

from auditstream.embedded.clickhouse_lexer import Kind, Token, tokens


def split(sql: str) -> list[str]:
    """Return the texts of the tokens."""
    return [token.text.decode() for token in tokens(sql.encode())]


def only(sql: str) -> Token:
    """Return the one token."""
    (token,) = tokens(sql.encode())
    return token


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a --b", ["a"]),
        ("a -- b\nc", ["a", "c"]),
        ("a // b\nc", ["a", "c"]),
        ("a # b\nc", ["a", "c"]),
        ("a #!b\nc", ["a", "c"]),
        ("a/**/b", ["a", "b"]),
        ("a /* ' */ b", ["a", "b"]),
        ("a /* x /* nested */ y */ b", ["a", "b"]),
        ("a /*/ b */ c", ["a", "c"]),
        ("a\u00a0b\u2003c\ufeffd\u200be", ["a", "b", "c", "d", "e"]),
        ("a - -b", ["a", "-", "-", "b"]),
        ("select*from t", ["select", "*", "from", "t"]),
    ],
)
def test_comments_and_blanks_are_no_tokens(sql: str, expected: list[str]) -> None:
    assert split(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "'it''s'",
        "'it\\'s'",
        "'a\\\\'",
        "'-- no comment'",
        "'/* no comment'",
        "'a\nb'",
        "$$ ' -- /* $$",
        "$tag$ $$ ' $tag$",
        "x'4142'",
        "B'0101'",
        "‘it's’",
    ],
)
def test_a_string_is_one_token(sql: str) -> None:
    assert only(sql).kind is Kind.STRING


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ('"a b"', "a b"),
        ('"a""b"', 'a"b'),
        ("`a``b`", "a`b"),
        ("`a\\`b`", "a`b"),
        ('"a\\\\b"', "a\\b"),
        ("“a b”", "a b"),
        ("`a\\x62`", "a\\x62"),
    ],
)
def test_a_quoted_name_is_one_token_and_no_keyword(sql: str, name: str) -> None:
    token = only(sql)

    assert (token.kind, token.name) == (Kind.QUOTED, name)
    assert not only('"select"').is_word("SELECT")


@pytest.mark.parametrize("sql", ["1", "1.5e-3", ".5", "1_000", "0x1F", "0b101", "1.", "0x1p-2"])
def test_a_number_is_one_token(sql: str) -> None:
    assert only(sql).kind is Kind.NUMBER


@pytest.mark.parametrize("sql", ["a", "_1", "$a", "a$b", "1a", "1e", "0b2", "0x_1"])
def test_a_name_may_start_like_a_number(sql: str) -> None:
    assert only(sql).kind is Kind.WORD


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("t.1.2", ["t", ".", "1", ".", "2"]),
        ("1.5.3", ["1.5", ".", "3"]),
        ("f(x).1", ["f", "(", "x", ")", ".", "1"]),
        ("system . users", ["system", ".", "users"]),
        ("a::Int", ["a", "::", "Int"]),
        ("{a:Identifier}", ["{", "a", ":", "Identifier", "}"]),
        ("a $$b$$c", ["a", "$$b$$", "c"]),
        ("a$$b$$", ["a$$b$$"]),
    ],
)
def test_dots_and_marks_separate(sql: str, expected: list[str]) -> None:
    assert split(sql) == expected


@pytest.mark.parametrize(
    "sql", ["'a", '"a', "`a", "/* a", "/* a /* b */", "x'4z'", "#a", "!a", "a & b", "é", "‘a", "'a\\'", "a\0"]
)
def test_what_the_engine_gives_up_at_is_an_error_and_the_last_token(sql: str) -> None:
    kinds = [token.kind for token in tokens(sql.encode() + b" ok")]

    assert kinds[-1] is Kind.ERROR
    assert kinds.count(Kind.ERROR) == 1


def test_offsets_are_those_of_bytes() -> None:
    token = list(tokens("SELECT 'ü', x".encode()))[-1]

    assert (token.start, token.end) == (13, 14)


def test_tokens_are_read_lazily_so_that_rows_are_not_looked_at() -> None:
    stream = tokens(b"INSERT INTO t FORMAT Native\n" + b"\xff'\"" * 100)

    assert [next(stream).text for _ in range(5)] == [b"INSERT", b"INTO", b"t", b"FORMAT", b"Native"]


def test_a_long_string_of_escapes_is_read_in_linear_time() -> None:
    assert only("'" + "\\'" * 500_000 + "'").kind is Kind.STRING
    assert only("'" + "\\'" * 500_000).kind is Kind.ERROR
