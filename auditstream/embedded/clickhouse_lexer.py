"""ClickHouse's lexical rules: what in a statement is code, and what is a comment, a string or a quoted name.

The rules are those of the engine's own lexer (`src/Parsers/Lexer.cpp` of ClickHouse; an integration test
holds this one against the engine's `tokenizeQuery`). Everything works on bytes, because a statement may be
followed by the binary rows that it inserts, and offsets have to be exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a token is; white space and comments are no tokens."""

    WORD = "word"
    QUOTED = "quoted name"
    STRING = "string"
    NUMBER = "number"
    MARK = "mark"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a statement.

    Attributes:
        kind: What it is.
        start: Offset of its first byte.
        end: Offset after its last byte.
        text: Its bytes, quotes included.
    """

    kind: Kind
    start: int
    end: int
    text: bytes

    def is_word(self, *words: str) -> bool:
        """Return whether this is one of the keywords, in any case; a quoted name is no keyword."""
        return self.kind is Kind.WORD and self.text.decode("ascii").upper() in words

    def is_mark(self, *marks: str) -> bool:
        """Return whether this is one of the operators or punctuation marks."""
        return self.kind is Kind.MARK and self.text.decode("utf-8", "replace") in marks

    @property
    def is_name(self) -> bool:
        """Whether this could name a table, column or function."""
        return self.kind in (Kind.WORD, Kind.QUOTED)

    @property
    def name(self) -> str:
        """The name that this token stands for, without quotes.

        Of the escapes in a quoted name only those of quotes and of the backslash are undone. The engine knows
        more (a hexadecimal code for any byte): who judges by names must refuse those with a backslash.
        """
        text = self.text.decode("utf-8", "replace")
        if self.kind is not Kind.QUOTED:
            return text
        if text[0] == "“":
            return text[1:-1]
        quote, body = text[0], text[1:-1]
        return body.replace(quote * 2, quote).replace("\\" + quote, quote).replace("\\\\", "\\")


# White space beyond ASCII that the engine skips: NEL, NBSP, U+180E, U+2000-200D, 2028, 2029, 202F, 205F,
# 2060, 3000 and the byte order mark.
_SPACE = re.compile(
    rb"(?:[ \t\n\v\f\r]|\xc2[\x85\xa0]|\xe1\xa0\x8e|\xe2\x80[\x80-\x8d\xa8\xa9\xaf]|\xe2\x81[\x9f\xa0]"
    rb"|\xe3\x80\x80|\xef\xbb\xbf)+"
)
_LINE_COMMENT = re.compile(rb"(?:--|//|#[ !])[^\n]*")
_BLOCK_EDGE = re.compile(rb"/\*|\*/")
_QUOTES: dict[bytes, tuple[re.Pattern[bytes], Kind]] = {
    b"'": (re.compile(rb"'(?:[^'\\]|\\.|'')*+'", re.DOTALL), Kind.STRING),
    b'"': (re.compile(rb'"(?:[^"\\]|\\.|"")*+"', re.DOTALL), Kind.QUOTED),
    b"`": (re.compile(rb"`(?:[^`\\]|\\.|``)*+`", re.DOTALL), Kind.QUOTED),
}
# Quotes that word processors make: no escapes inside.
_CURLY = {
    b"\xe2\x80\x98": (b"\xe2\x80\x99", Kind.STRING),
    b"\xe2\x80\x9c": (b"\xe2\x80\x9d", Kind.QUOTED),
}
_HEX_OR_BIN_STRING = re.compile(rb"[xX]'[0-9a-fA-F]*'|[bB]'[01]*'")
_HEREDOC_TAG = re.compile(rb"\$[0-9A-Za-z_]*\$")
_WORD = re.compile(rb"[A-Za-z_$][0-9A-Za-z_$]*")
_WORD_TAIL = re.compile(rb"[0-9A-Za-z_]+")
_ALL_WORD = re.compile(rb"[0-9A-Za-z_]+\Z")
_INTEGER = re.compile(rb"[0-9](?:_?[0-9])*")
_DIGITS = rb"(?:[0-9](?:_?[0-9])*)?"
_HEX_DIGITS = rb"(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?"
# An exponent's letter and sign belong to the number whenever anything follows them.
_NUMBER = re.compile(
    rb"0[xX](?=[0-9a-fA-F])%(hex)b(?:\.%(hex)b)?(?:[pP](?=.)(?:[+-](?=.))?%(digits)b)?"
    rb"|(?:0[bB](?=[01]))?%(digits)b(?:\.%(digits)b)?(?:[eE](?=.)(?:[+-](?=.))?%(digits)b)?"
    % {b"hex": _HEX_DIGITS, b"digits": _DIGITS},
    re.DOTALL,
)
_FRACTION = re.compile(
    rb"\.%(digits)b(?:[eE](?=.)(?:[+-](?=.))?%(digits)b)?" % {b"digits": _DIGITS}, re.DOTALL
)
_MARK = re.compile(
    rb"->|!~\*?|~\*|\|\||\|>|::|<=>|<=|<>|>=|==|!=|@@|\\G|\xe2\x88\x92|[-()\[\]{},;.+*/%=<>?:|@^~$]"
)


def tokens(sql: bytes) -> Iterator[Token]:
    """Yield the tokens of `sql`, lazily: what follows a statement's head is never looked at.

    The last token is of kind ERROR where the engine's lexer would give up: an unclosed string, name or
    comment, or a character that is no token.
    """
    position = 0
    previous: Token | None = None
    while True:
        start = _skip_blank(sql, position)
        if start == len(sql):
            return
        kind, position = _next(sql, start, previous)
        previous = Token(kind, start, position, sql[start:position])
        yield previous
        if kind is Kind.ERROR:
            return


def _skip_blank(sql: bytes, position: int) -> int:
    """Return where the next token starts; that is the comment itself when it is not closed."""
    while True:
        if (found := _SPACE.match(sql, position)) or (found := _LINE_COMMENT.match(sql, position)):
            position = found.end()
        elif sql.startswith(b"/*", position):
            end = _comment_end(sql, position)
            if end is None:
                return position
            position = end
        else:
            return position


def _comment_end(sql: bytes, position: int) -> int | None:
    depth = 0
    for edge in _BLOCK_EDGE.finditer(sql, position):
        depth += 1 if edge.group() == b"/*" else -1
        if depth == 0:
            return edge.end()
    return None


_Found = tuple[Kind, int]


def _next(sql: bytes, start: int, previous: Token | None) -> _Found:
    """Return kind and end of the token that starts at `start`."""
    if sql.startswith(b"/*", start):
        return Kind.ERROR, len(sql)
    found = _quoted(sql, start) or _number(sql, start, previous) or _dollar(sql, start)
    if found:
        return found
    if word := _WORD.match(sql, start):
        return Kind.WORD, word.end()
    if mark := _MARK.match(sql, start):
        return Kind.MARK, mark.end()
    return Kind.ERROR, start + 1


def _quoted(sql: bytes, start: int) -> _Found | None:
    if sql[start : start + 3] in _CURLY:
        closing, kind = _CURLY[sql[start : start + 3]]
        end = sql.find(closing, start)
        return (kind, end + 3) if end >= 0 else (Kind.ERROR, start + 3)
    pattern, kind = _QUOTES.get(sql[start : start + 1], (None, Kind.STRING))
    if sql[start : start + 1] in b"xXbB" and sql[start + 1 : start + 2] == b"'" and start + 2 < len(sql):
        pattern = _HEX_OR_BIN_STRING
    if pattern is None:
        return None
    found = pattern.match(sql, start)
    return (kind, found.end()) if found else (Kind.ERROR, len(sql))


def _number(sql: bytes, start: int, previous: Token | None) -> _Found | None:
    """A number, or a name that starts with digits; after a dot only digits: `x.1.2` is two accesses."""
    if sql[start : start + 1] == b".":
        fraction = _fraction(sql, start, previous)
        return (Kind.NUMBER, fraction.end()) if fraction else None
    if not sql[start : start + 1].isdigit():
        return None
    after_dot = previous is not None and previous.is_mark(".")
    found = (_INTEGER if after_dot else _NUMBER).match(sql, start)
    assert found is not None
    tail = _WORD_TAIL.match(sql, found.end())
    if tail is None:
        return Kind.NUMBER, found.end()
    return (Kind.WORD if _ALL_WORD.match(sql[start : tail.end()]) else Kind.ERROR), tail.end()


def _fraction(sql: bytes, start: int, previous: Token | None) -> re.Match[bytes] | None:
    """A number that starts with its point; after an operand, and before no digit, a dot is an access."""
    if start > 0 and not sql[start + 1 : start + 2].isdigit():
        return None
    if previous and (previous.is_mark(")", "]") or previous.kind in (Kind.WORD, Kind.QUOTED, Kind.NUMBER)):
        return None
    return _FRACTION.match(sql, start)


def _dollar(sql: bytes, start: int) -> _Found | None:
    """A heredoc (`$tag$ ... $tag$`), or a dollar sign that starts no name."""
    if sql[start : start + 1] != b"$":
        return None
    if tag := _HEREDOC_TAG.match(sql, start):
        closing = sql.find(tag.group(), tag.end())
        if closing >= 0:
            return Kind.STRING, closing + len(tag.group())
    return None if _WORD_TAIL.match(sql, start + 1) else (Kind.MARK, start + 1)
