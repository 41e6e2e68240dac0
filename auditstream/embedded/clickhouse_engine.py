"""The engine: chDB on one data path, with a fresh connection for every query.

A connection costs 0.2 ms and holds all of a query's state (settings, current database, role), so that a
query leaves nothing behind and no two queries wait for each other: one connection runs one query at a time.
Rows go in and out through pipes, by `FROM INFILE` and `INTO OUTFILE` on `/dev/fd/N`: constant memory, the
engine's own formats with their headers and footers, and its own errors. (chDB's `send_insert` would be
simpler, but that of version 26.9 reports success for inserts that failed at a constraint or a time limit.)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import chdb

from auditstream.core.errors import ConfigError
from auditstream.embedded.clickhouse_connections import Connection, Query, Summary, literal, quoted_name
from auditstream.embedded.clickhouse_errors import ErrorNumber, QueryError
from auditstream.embedded.clickhouse_statements import Insert


class Engine:
    """chDB on one data path. A process may hold one. Every method blocks; any thread may call."""

    def __init__(self, path: Path, config_file: Path) -> None:
        """Open or create the data path.

        Raises:
            ConfigError: chDB refuses the path.
        """
        if "?" in f"{path}{config_file}":
            raise ConfigError(f"the embedded ClickHouse cannot open a path with a question mark: {path}")
        self._address = f"{path}?config-file={config_file}"
        self._database = "default"
        try:
            # Held to the end: the engine stops when its last connection closes.
            self._anchor = self.connect()
        except RuntimeError as error:
            raise ConfigError(
                f"chDB cannot open {path}: {error}",
                hint="The log in that folder may say more. Does another process have the path open?",
            ) from error

    def connect(self) -> Connection:
        """Return a new connection with the default database as its current one."""
        connection = Connection(chdb.connect(self._address))
        if self._database != "default":
            connection.ask(f"USE {quoted_name(self._database)}")
        return connection

    def make_databases(self, names: Sequence[str]) -> None:
        """Make the databases that do not exist; the first becomes the default one."""
        for name in names:
            self._anchor.ask(f"CREATE DATABASE IF NOT EXISTS {quoted_name(name)}")
        self._database = names[0]

    def answer_into(self, query: Query, fd: int, session: Connection | None = None) -> Summary:
        """Run a query that reads, and write its answer to the pipe `fd`, which is closed at the end.

        Returns when the engine is done, which takes until all but a pipe's worth of the answer was read.

        Raises:
            QueryError: The engine's error; part of the answer may have been written.
        """
        try:
            with self._connection(query, session) as connection:
                if query.readonly:
                    connection.check_reads_only(query.statement.text)
                return _answer_into(connection, query, fd)
        finally:
            os.close(fd)

    def insert_from(self, query: Query, fd: int, session: Connection | None = None) -> Summary:
        """Run an insert with the rows that come from the pipe `fd`, which is closed at the end.

        Returns when the pipe's writing end is closed and the rows are durable. The end of the pipe is the end
        of the rows: who has to stop in the middle kills the query before closing the writing end.

        Raises:
            QueryError: The engine's error.
        """
        assert isinstance(query.statement, Insert)
        try:
            with self._connection(query, session) as connection:
                sql = query.statement.from_pipe(fd)
                _, summary = connection.ask(sql, parameters=query.parameters)
                return summary
        finally:
            os.close(fd)

    def run(self, query: Query, session: Connection | None = None) -> tuple[bytes, Summary]:
        """Run any statement and return its whole answer.

        Raises:
            QueryError: The engine's error.
        """
        with self._connection(query, session) as connection:
            return connection.ask(query.statement.text, query.default_format, query.parameters)

    def kill(self, query_id: str) -> bool:
        """Tell the engine to stop a query; return whether it was running."""
        comment = literal(query_id)
        with self.connect() as connection:
            answer, _ = connection.ask(
                f"KILL QUERY WHERE Settings['log_comment'] = {comment}"
                f" OR startsWith(Settings['log_comment'], concat({comment}, ' ')) ASYNC"
            )
        return bool(answer)

    def close(self) -> None:
        """Stop the engine. Nothing is lost: rows from a pipe are written before their insert is answered."""
        self._anchor.close()

    @contextmanager
    def _connection(self, query: Query, session: Connection | None) -> Iterator[Connection]:
        if session is not None:
            with session.prepared(query):
                yield session
            return
        with self.connect() as connection:
            connection.prepare(query)
            if query.readonly:  # a session could not leave this mode again
                connection.set({"readonly": str(query.readonly)})
            yield connection


def _answer_into(connection: Connection, query: Query, fd: int) -> Summary:
    sql = query.statement.into(fd, query.default_format)
    try:
        _, summary = connection.ask(sql, parameters=query.parameters)
    except QueryError as error:
        if error.number != ErrorNumber.SYNTAX_ERROR:
            raise
        # Either the client's error, which must not quote our clause, or a statement that cannot have one.
        answer, summary = connection.ask(query.statement.text, query.default_format, query.parameters)
        _write_all(fd, answer)
    return summary


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
