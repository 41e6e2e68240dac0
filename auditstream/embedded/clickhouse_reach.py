"""What a statement reaches, judged by its tokens: the history of events, or only what describes the store.

A table is read by its name, by a table function, or by a name in a parameter; so a statement that has none of
these but names from `BESIDE_HISTORY` reads no history. Whatever cannot be told is taken to read it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from auditstream.embedded.clickhouse_lexer import Kind, Token
from auditstream.embedded.clickhouse_statements import Insert, Statement, insert_target
from auditstream.query.recorded import REASONS, UNPRICED
from auditstream.reference.kinds import KINDS

REFERENCE = frozenset(kind.table for kind in KINDS.values()) | {"reference_revisions"}
"""Tables of reference data, whose changes are events already (`auditstream apply`)."""

BESIDE_HISTORY = REFERENCE | {"checkpoints", "logs", "schema_migrations", "segment_ranges", "segments"}
"""Tables that hold counts, offsets, hashes and reference data, and no field of an event."""

# Two counts of `auditstream status`, word for word: they say how many, and nothing of whom.
_COUNTS = frozenset(" ".join(sql.split()) for sql in (REASONS, UNPRICED))

_COMPUTING = frozenset({"null", "numbers", "numbers_mt", "one", "values", "zeros", "zeros_mt"})
_DESCRIPTIONS = frozenset({"system", "information_schema"})
_DESCRIBING = frozenset({"SHOW", "DESCRIBE", "DESC", "EXISTS"})
_SESSION = frozenset({"SET", "USE"})


@dataclass(frozen=True, slots=True)
class Reach:
    """What a statement reaches.

    Attributes:
        tables: Names of tables that stand in it, in order.
        history: Whether it reads, or may read, events or what is made of them.
        changes: Whether it changes what no other event tells of.
    """

    tables: tuple[str, ...]
    history: bool
    changes: bool

    @property
    def is_told(self) -> bool:
        """Whether the statement is an event of its own."""
        return self.history or self.changes


def reach_of(statement: Statement, tables: Collection[str], table_functions: Collection[str]) -> Reach:
    """Return what a statement reaches.

    Args:
        statement: What is to be run.
        tables: Names of all tables and views outside the database `system`.
        table_functions: Lower-case names of all table functions of the engine.
    """
    found = statement.tokens
    # What stands after a brace is the name of a parameter.
    parameters = {id(token) for brace, token in pairwise(found) if brace.is_mark("{")}
    names = {token.name for token in found if token.is_name and id(token) not in parameters}
    named = sorted(names & set(tables))
    return Reach(tuple(named), _reads_history(statement, named, table_functions), _changes(statement))


def target_of(statement: Statement) -> str:
    """Return the name that a statement is about, as far as its tokens tell."""
    if statement.verb == "INSERT":
        return ".".join(insert_target(statement.tokens))
    following = [token.name for token in statement.tokens[1:] if token.is_name]
    return " ".join(following[:4])


def _reads_history(statement: Statement, named: Collection[str], table_functions: Collection[str]) -> bool:
    found = statement.tokens
    if isinstance(statement, Insert) or statement.verb in _SESSION or _is_count(statement):
        return False
    if statement.verb in _DESCRIBING and not any(token.is_word("SELECT") for token in found):
        return False
    if any(name not in BESIDE_HISTORY for name in named):
        return True
    pairs = pairwise([*found, found[-1]])
    return any(_is_hidden(token, following, table_functions) for token, following in pairs) or any(
        _is_unknown(found[at + 1 : at + 4]) for at, token in enumerate(found) if token.is_word("FROM", "JOIN")
    )


def _is_unknown(source: Sequence[Token]) -> bool:
    """Return whether what stands after FROM or JOIN is a name that is not known to be beside the history."""
    if not source or not source[0].is_name:
        return bool(source) and not source[0].is_mark("(")
    name = source[0].name
    if len(source) == 3 and source[1].is_mark("."):
        return name.lower() not in _DESCRIPTIONS and source[2].name not in BESIDE_HISTORY
    return name not in BESIDE_HISTORY and name.lower() not in _COMPUTING


def _is_hidden(token: Token, following: Token, table_functions: Collection[str]) -> bool:
    """Return whether a token may stand for a table that is not named."""
    if token.kind is Kind.QUOTED and b"\\" in token.text:
        return True
    if token.is_mark(":") and following.is_word("IDENTIFIER"):
        return True
    name = token.name.lower() if token.is_name else ""
    return following.is_mark("(") and name in table_functions and name not in _COMPUTING


def _changes(statement: Statement) -> bool:
    if statement.reads or statement.verb in _SESSION:
        return False
    # VALUES may hold expressions, and so queries; rows in any other format hold only themselves.
    is_rows = isinstance(statement, Insert) and statement.format != "Values"
    return not (is_rows and "".join(insert_target(statement.tokens)[-1:]) in REFERENCE)


def _is_count(statement: Statement) -> bool:
    end = statement.format_at if statement.format_at is not None else len(statement.text)
    return " ".join(statement.text[:end].decode("utf-8", "replace").split()).rstrip("; ") in _COUNTS
