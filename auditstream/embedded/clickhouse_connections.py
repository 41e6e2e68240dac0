"""Connections to chDB: what a query runs under, and what one statement answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from auditstream.embedded.clickhouse_credentials import StatementList
from auditstream.embedded.clickhouse_errors import ErrorNumber, from_engine, refusal
from auditstream.embedded.clickhouse_grants import engine_role
from auditstream.embedded.clickhouse_statements import Statement

# The engine is a local one by default: there, a statement may be a bare expression, and introspection is on.
_SERVER_LIKE = {"implicit_select": "0", "allow_introspection_functions": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A statement with all that it runs under.

    Attributes:
        id: Query id that the client knows, without blanks; the engine's own id cannot be chosen.
        statement: What to run.
        statements: Statement list of who asks, for the engine's grants.
        default_format: Format of the answer where the statement names none.
        database: Database of unqualified names, None for the connection's own.
        parameters: Values of `{name:Type}`, escaped as in the TSV format.
        settings: Settings by name, as text.
        readonly: 1, reads only and settings are fixed; 2, reads only; 0, neither.
    """

    id: str
    statement: Statement
    statements: StatementList = "owner"
    default_format: str = "TabSeparated"
    database: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    readonly: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a query did, as far as chDB tells: rows and bytes read, written and answered, and its time."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    elapsed_ns: int = 0


class Connection:
    """One connection to the engine. Blocks; used by one thread at a time."""

    def __init__(self, handle: Any) -> None:
        """Wrap a `chdb.state.sqlitelike.Connection`."""
        self._handle = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back; its temporary tables are gone."""
        self._handle.close()

    def ask(
        self, sql: str | bytes, format_name: str = "TabSeparated", parameters: Mapping[str, str] = {}
    ) -> tuple[bytes, Summary]:
        """Run one statement and return its whole answer.

        Raises:
            QueryError: The engine's error.
        """
        try:
            answer = self._handle.query(sql, format_name, params=dict(parameters))
        except (RuntimeError, UnicodeDecodeError) as error:
            raise from_engine(error) from error
        return answer.bytes(), _summary(answer)

    def rows(self, sql: str, parameters: Mapping[str, str] = {}) -> list[dict[str, Any]]:
        """Return a small answer as dictionaries."""
        answer, _ = self.ask(sql, "JSONEachRow", parameters)
        return [json.loads(line) for line in answer.splitlines()]

    def set(self, settings: Mapping[str, str]) -> None:
        """Change settings of this connection."""
        if settings:
            changes = ", ".join(f"{name} = {literal(value)}" for name, value in settings.items())
            self.ask(f"SET {changes}")

    def prepare(self, query: Query) -> None:
        """Make the connection what the query runs under: role, settings and database."""
        if query.statements != "owner":
            self.ask(f"SET ROLE {engine_role(query.statements)}")
        self.set({**_SERVER_LIKE, **query.settings, "log_comment": log_comment(query)})
        if query.database is not None:
            self.ask(f"USE {quoted_name(query.database)}")

    @contextmanager
    def prepared(self, query: Query) -> Iterator[None]:
        """Be what the query runs under for a while, then again what the session was."""
        undo = self._what_undoes(query)
        try:
            self.prepare(query)
            yield
        finally:
            for statement in undo:
                self.ask(statement)

    def check_reads_only(self, sql: bytes) -> None:
        """Have the engine's own parser confirm that this is one statement and that it only reads.

        Raises:
            QueryError: 497, it is not.
        """
        report = self._handle._conn.classify_query(sql)
        if report["statement_count"] > 1 or report["query_class"].name not in ("READ_ONLY", "UNKNOWN"):
            raise refusal(ErrorNumber.ACCESS_DENIED, "Not enough privileges: only reading is allowed.")

    def _what_undoes(self, query: Query) -> list[str]:
        names = ", ".join(literal(name) for name in {*_SERVER_LIKE, *query.settings, "log_comment"})
        settings = self.rows(
            "SELECT name, value, changed FROM system.settings WHERE name IN {names:Array(String)}",
            {"names": f"[{names}]"},
        )
        undo = [
            f"SET {row['name']} = {literal(row['value']) if row['changed'] else 'DEFAULT'}"
            for row in settings
        ]
        if query.database is not None:
            database = self.rows("SELECT currentDatabase() AS name")[0]["name"]
            undo.append(f"USE {quoted_name(database)}")
        return undo


def log_comment(query: Query) -> str:
    """Return what finds the query among the engine's processes: its id, then the client's own comment.

    The id has no blanks, so that no other query's comment starts with it and a blank.
    """
    comment = query.settings.get("log_comment", "")
    return f"{query.id} {comment}" if comment else query.id


def literal(text: str) -> str:
    """Return `text` as a string literal of SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{escaped}'"


def quoted_name(name: str) -> str:
    """Return `name` as a quoted name of SQL."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`").replace("\0", "\\0")
    return f"`{escaped}`"


def _summary(answer: Any) -> Summary:
    written = answer.rows_written()
    # Rows that an insert took from its pipe are counted as the answer's.
    from_pipe = answer.rows_read() if written else 0
    return Summary(
        read_rows=answer.storage_rows_read() or from_pipe,
        read_bytes=answer.storage_bytes_read() or (answer.bytes_read() if from_pipe else 0),
        written_rows=written,
        written_bytes=answer.bytes_written(),
        result_rows=written or answer.rows_read(),
        result_bytes=answer.bytes_written() if written else answer.bytes_read(),
        elapsed_ns=int(answer.elapsed() * 1_000_000_000),
    )
