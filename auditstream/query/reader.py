"""Reads ClickHouse for people: bounded answers as tables, unbounded ones as streams."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, Error
from urllib3.exceptions import HTTPError

from auditstream.core.errors import AuditStreamError, NotAllowedError, RequestError
from auditstream.core.settings import ClickHouseSettings
from sinks.clients import ClientPool, Connections, http_client
from sinks.refusals import meaning_of, translated

Row = tuple[Any, ...]

# What the caller may not do, whatever it is: readonly mode, missing grants, a read-only table.
_NOT_ALLOWED = frozenset({164, 242, 497})
# A bound of the server on one statement: time, memory, rows or bytes.
_TOO_MUCH = frozenset({158, 159, 241, 307, 396})
# Not about the statement: access, or a server that is busy or gone.
_NOT_THE_STATEMENT = frozenset({192, 193, 194, 202, 209, 210, 394, 516, 999})


@dataclass(frozen=True, slots=True)
class Table:
    """A whole answer."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return the rows by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def select(self, names: Sequence[str]) -> Table:
        """Return the answer with some of its columns."""
        at = [self.columns.index(name) for name in names]
        return Table(tuple(names), tuple(tuple(row[index] for index in at) for row in self.rows))


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is read as it comes."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


@dataclass(frozen=True, slots=True)
class ArrowStream:
    """An answer that is read as it comes, as Arrow."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class Reader:
    """Asks a store; calls may come from any number of threads at once.

    Args:
        clients: Where clients come from; closed with the reader.
    """

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def table(self, sql: str, parameters: Mapping[str, object], *, doing: str, limit_s: float = 0.0) -> Table:
        """Return the answer to one of our own queries.

        Args:
            sql: The query, with placeholders `{name:Type}`.
            parameters: Values of the placeholders.
            doing: What is read, for the message of an error.
            limit_s: Seconds after which the server stops it; 0 leaves that to the server's own limit.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            StoreTimeoutError: The server stopped it.
            RetryableError: No answer.
        """
        with translated(doing), self._clients.borrow() as client:
            result = client.query(sql, dict(parameters), settings=self._bounds(client, sql, limit_s))
            return Table(tuple(result.column_names), tuple(tuple(row) for row in result.result_rows))

    def batches(self, sql: str, parameters: Mapping[str, object], *, doing: str) -> Iterator[pa.RecordBatch]:
        """Yield the answer to one of our own queries in batches, as they come; what is unread is not read.

        Args:
            sql: The query, with placeholders `{name:Type}`.
            parameters: Values of the placeholders.
            doing: What is read, for the message of an error.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        with translated(doing), self._clients.borrow() as client:
            try:
                with client.query_arrow_stream(
                    sql, dict(parameters), settings=self._bounds(client, sql, 0.0), use_strings=True
                ) as found:
                    yield from found
            finally:
                _break_off(client)

    @contextmanager
    def stream(self, sql: str, *, limit_s: float = 0.0) -> Iterator[Stream]:
        """Yield the answer to a user's own statement, which the server runs in read-only mode.

        The server is the judge: `readonly` forbids every change, and the user's role says what may be read.
        Rows that the block leaves unread are not read at all.

        Args:
            sql: The statement.
            limit_s: Seconds after which the server stops it; 0 leaves that to the server's own limit.

        Raises:
            RequestError: The statement is wrong, or asks for more than the server gives.
            NotAllowedError: The user may not do it, or it is not a read.
            RetryableError: No answer.
        """
        with (
            _judged(),
            self._clients.borrow() as client,
            client.query_rows_stream(sql, settings=_bounds(client, limit_s)) as rows,
        ):
            unread = map(tuple, rows)
            try:
                yield Stream(tuple(rows.source.column_names), unread)
            finally:
                _break_off(client)

    @contextmanager
    def arrow(self, sql: str, *, limit_s: float = 0.0) -> Iterator[ArrowStream]:
        """Yield the answer to a user's own statement as Arrow; otherwise as `stream`.

        Raises:
            RequestError: The statement is wrong, or asks for more than the server gives.
            NotAllowedError: The user may not do it, or it is not a read.
            RetryableError: No answer.
        """
        with (
            _judged(),
            self._clients.borrow() as client,
            client.query_arrow_stream(sql, settings=_bounds(client, limit_s)) as found,
        ):
            batches = found.gen
            assert isinstance(batches, pa.RecordBatchReader)
            try:
                yield ArrowStream(batches.schema, batches)
            finally:
                _break_off(client)

    def close(self) -> None:
        """Close the clients."""
        self._clients.close()

    def _bounds(self, client: Client, sql: str, limit_s: float) -> dict[str, Any] | None:
        """Return the settings that one of our own queries runs under; None for the server's own."""
        del sql
        return _bounds(client, limit_s) if limit_s else None


def open_reader(
    settings: ClickHouseSettings,
    *,
    answer_within_s: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reader:
    """Return a reader over HTTP; connects on its first call.

    Args:
        settings: Address and user.
        answer_within_s: How long an answer may take, instead of the time limit of the settings.
        headers: Sent with every request beside the driver's own.
    """
    # The driver also logs what it raises.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    return Reader(
        ClientPool(
            lambda: http_client(
                settings, connections=Connections(), answer_within_s=answer_within_s, headers=headers
            )
        )
    )


def _bounds(client: Client, limit_s: float) -> dict[str, Any]:
    """Return the settings that a user's own statement runs under."""
    bounds: dict[str, Any] = {}
    mode = client.server_settings.get("readonly")
    if mode is None or mode.value == "0":  # a server refuses to set it for a user who is read-only anyway
        bounds["readonly"] = 1
    if limit_s:
        # The driver would refuse it where the store calls it read-only. The store itself has the last word.
        client.server_settings.pop("max_execution_time", None)
        bounds["max_execution_time"] = limit_s
    return bounds


def _break_off(client: Client) -> None:
    """Close the connection of an answer; does nothing to one that has been read, or that came without one."""
    connections = getattr(client, "http", None)
    if isinstance(connections, Connections):
        connections.break_off()


@contextmanager
def _judged() -> Iterator[None]:
    try:
        yield
    except (ClickHouseError, HTTPError) as error:
        raise _judgement(error) from error


def _judgement(error: ClickHouseError | HTTPError) -> AuditStreamError:
    """Return our error for what the server says of a user's statement."""
    code = error.code if isinstance(error, Error) else None
    if code is None or code in _NOT_THE_STATEMENT:
        return meaning_of(error, "sql")
    text = _reason(str(error))
    if code in _NOT_ALLOWED:
        return NotAllowedError(text, hint="Statements run read-only, with the rights of the user.")
    if code in _TOO_MUCH:
        hint = "Ask for less: a shorter range of time, fewer columns, a LIMIT; or give it longer: --timeout."
        return RequestError(text, hint=hint)
    return RequestError(text, hint="Leave FORMAT and the last semicolon out; --output chooses the form.")


def _reason(text: str) -> str:
    """Return what the server says, without the driver's words around it."""
    said = text.partition("DB::Exception: ")[2] or text
    return " ".join(said.partition(" (for url")[0].split())[:500]
