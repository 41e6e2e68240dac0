"""The shape of a statement, as far as the front has to know it: what it is, and where rows come in or go out.

Rows go in and out of the engine through pipes, which a statement names by `FROM INFILE` and `INTO OUTFILE`;
clients write neither. So the shape says where those clauses belong, and everything else of the statement
stays as the client wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from auditstream.embedded.clickhouse_errors import ErrorNumber, refusal
from auditstream.embedded.clickhouse_lexer import Kind, Token, tokens

# Statements that only read and whose answer can go to a file; the engine says for all others what it can do.
_READS = frozenset({"SELECT", "WITH", "FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS"})
_INSERT_BODY = frozenset({"VALUES", "FORMAT", "SELECT", "WITH", "FROM", "WATCH"})
_BLANKS_BEFORE_ROWS = b" \t\f"


@dataclass(frozen=True)
class Statement:
    """One statement without the rows that may follow it.

    Attributes:
        text: The statement; for an insert with rows, up to and without them.
        tokens: Its tokens, without a closing semicolon.
        format: The name after its FORMAT clause; `Values` for INSERT ... VALUES.
        format_at: Offset of the FORMAT clause or of VALUES.
    """

    text: bytes
    tokens: tuple[Token, ...]
    format: str | None = None
    format_at: int | None = None

    @cached_property
    def verb(self) -> str:
        """The first keyword in upper case; parentheses around a SELECT are skipped."""
        for token in self.tokens:
            if not token.is_mark("("):
                return token.text.decode("ascii").upper() if token.kind is Kind.WORD else ""
        return ""

    @property
    def reads(self) -> bool:
        """Whether this is a query whose answer may be streamed."""
        return self.verb in _READS

    def into(self, fd: int, default_format: str) -> bytes:
        """Return the query with its answer going to a pipe.

        Args:
            fd: The pipe's writing end.
            default_format: Format of the answer where the statement names none.
        """
        clause = f" INTO OUTFILE '/dev/fd/{fd}' APPEND ".encode()
        if self.format_at is None:
            # A line of its own: the statement may end in a comment.
            return self._without_semicolon() + b"\n" + clause + f"FORMAT {default_format}".encode()
        return self.text[: self.format_at] + clause + self.text[self.format_at :]

    def _without_semicolon(self) -> bytes:
        return self.text[: self.tokens[-1].end]


@dataclass(frozen=True)
class Insert(Statement):
    """An INSERT whose rows follow it.

    Attributes:
        table: Name parts of the target, database first; empty where the target is a table function.
        rows_at: Offset in the request's text where the rows start.
        settings_at: Offset of its SETTINGS clause.
    """

    table: tuple[str, ...] = ()
    rows_at: int = 0
    settings_at: int | None = None

    def from_pipe(self, fd: int) -> bytes:
        """Return the insert with its rows coming from a pipe, as `clickhouse_stored` says; `fd` reads it."""
        assert self.format_at is not None
        infile_at = self.format_at if self.settings_at is None else self.settings_at
        clause = f" FROM INFILE '/dev/fd/{fd}' COMPRESSION 'zstd' ".encode()
        settings = self.text[infile_at : self.format_at]
        return self.text[:infile_at] + clause + settings + f" FORMAT {self.format}".encode()


def read_statement(text: bytes) -> Statement:
    """Return the one statement that `text` holds; an `Insert` when rows follow or may follow it.

    Raises:
        QueryError: 62, no statement, more than one, or an unclosed string, name or comment.
    """
    stream = tokens(text)
    first = next(stream, None)
    if first is not None and first.is_word("INSERT"):
        return _read_insert(text, first, stream)
    found = _one_statement(text, [first, *stream] if first else [])
    at = _format_clause(found)
    if at is None:
        return Statement(text, found)
    return Statement(text, found, format=found[at + 1].name, format_at=found[at].start)


def insert_target(found: tuple[Token, ...]) -> tuple[str, ...]:
    """Return the name parts after INSERT INTO; empty when the target is a table function."""
    position = 1
    for word in ("INTO", "TABLE"):
        position += position < len(found) and found[position].is_word(word)
    parts: list[str] = []
    while position < len(found) and found[position].is_name:
        parts.append(found[position].name)
        if position + 1 >= len(found) or not found[position + 1].is_mark("."):
            break
        position += 2
    is_call = len(parts) == 1 and parts[0].upper() == "FUNCTION"
    return () if is_call else tuple(parts)


def _read_insert(text: bytes, first: Token, stream: Iterator[Token]) -> Statement:
    """Read an INSERT up to its rows; with a SELECT it is a statement like any other."""
    head = [first]
    depth = 0
    settings_at: int | None = None
    for token in stream:
        _check(token)
        if depth == 0 and _starts_body(token, head):
            if token.is_word("VALUES", "FORMAT"):
                return _insert_with_rows(text, head, token, stream, settings_at)
            break
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_word("SETTINGS"):
            settings_at = token.start
        head.append(token)
        if token.is_mark(";"):
            break
    return Statement(text, _one_statement(text, list(tokens(text))))


def _starts_body(token: Token, head: list[Token]) -> bool:
    """Whether the token ends an insert's head; a table may be named like a keyword."""
    if not token.is_word(*_INSERT_BODY):
        return False
    return not (head[-1].is_word("INSERT", "INTO", "TABLE", "FUNCTION") or head[-1].is_mark("."))


def _insert_with_rows(
    text: bytes, head: list[Token], keyword: Token, stream: Iterator[Token], settings_at: int | None
) -> Insert:
    name = "Values"
    last = keyword
    if keyword.is_word("FORMAT"):
        last = next(stream, keyword)
        if not last.is_name or last is keyword:
            raise refusal(ErrorNumber.SYNTAX_ERROR, "Syntax error: FORMAT without the name of a format.")
        name = last.name
    found = tuple(head)
    return Insert(
        text[: last.end],
        found,
        format=name,
        format_at=keyword.start,
        table=insert_target(found),
        rows_at=_rows_start(text, last.end),
        settings_at=settings_at,
    )


def _rows_start(text: bytes, position: int) -> int:
    """Return where rows start after the format's name: blanks and one line break do not belong to them."""
    while text[position : position + 1] and text[position] in _BLANKS_BEFORE_ROWS:
        position += 1
    if text[position : position + 1] == b";":
        raise refusal(
            ErrorNumber.SYNTAX_ERROR,
            "Syntax error: there is a ';' before the data of the INSERT.",
        )
    for byte in (b"\r", b"\n"):
        if text[position : position + 1] == byte:
            position += 1
    return position


def _one_statement(text: bytes, found: list[Token]) -> tuple[Token, ...]:
    for token in found:
        _check(token)
    while found and found[-1].is_mark(";"):
        found.pop()
    if not found:
        raise refusal(ErrorNumber.SYNTAX_ERROR, "Syntax error: Empty query.")
    for token, following in pairwise(found):
        if token.is_mark(";"):
            line = text.count(b"\n", 0, token.start) + 1
            at = f"failed at position {following.start + 1} (line {line})"
            raise refusal(ErrorNumber.SYNTAX_ERROR, f"Syntax error (Multi-statements are not allowed): {at}.")
    return tuple(found)


def _check(token: Token) -> None:
    if token.kind is Kind.ERROR:
        quoted = token.text[:40].decode("utf-8", "replace")
        raise refusal(
            ErrorNumber.SYNTAX_ERROR,
            f"Syntax error: failed at position {token.start + 1} ({quoted}): unrecognized token or "
            "unclosed string, name or comment.",
        )


def _format_clause(found: tuple[Token, ...]) -> int | None:
    """Return the index of the FORMAT that ends a query, alone or before its SETTINGS."""
    depth = 0
    for index in range(len(found) - 1, 0, -1):
        token = found[index]
        depth += token.is_mark(")", "]") - token.is_mark("(", "[")
        if depth == 0 and token.is_word("FORMAT") and index + 1 < len(found) and found[index + 1].is_name:
            after = found[index + 2 : index + 3]
            return index if not after or after[0].is_word("SETTINGS") else None
    return None
