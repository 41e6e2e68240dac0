"""Reads ClickHouse for people: bounded answers as tables, unbounded ones as streams."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError, Error
from urllib3.exceptions import HTTPError

from auditstream.core.errors import AuditStreamError, NotAllowedError, RequestError
from auditstream.core.settings import ClickHouseSettings
from sinks.clients import ClientPool, http_client
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


class Reader:
    """Asks a store; calls may come from any number of threads at once.

    Args:
        clients: Where clients come from; closed with the reader.
    """

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def table(self, sql: str, parameters: Mapping[str, object], *, doing: str) -> Table:
        """Return the answer to one of our own queries.

        Args:
            sql: The query, with placeholders `{name:Type}`.
            parameters: Values of the placeholders.
            doing: What is read, for the message of an error.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        with translated(doing), self._clients.borrow() as client:
            result = client.query(sql, dict(parameters))
            return Table(tuple(result.column_names), tuple(tuple(row) for row in result.result_rows))

    @contextmanager
    def stream(self, sql: str) -> Iterator[Stream]:
        """Yield the answer to a user's own statement, which the server runs in read-only mode.

        The server is the judge: `readonly` forbids every change, and the user's role says what may be read.

        Raises:
            RequestError: The statement is wrong, or asks for more than the server gives.
            NotAllowedError: The user may not do it, or it is not a read.
            RetryableError: No answer.
        """
        with (
            _judged(),
            self._clients.borrow() as client,
            client.query_rows_stream(sql, settings={"readonly": 1}) as rows,
        ):
            yield Stream(tuple(rows.source.column_names), map(tuple, rows))

    def close(self) -> None:
        """Close the clients."""
        self._clients.close()


def open_reader(settings: ClickHouseSettings) -> Reader:
    """Return a reader over HTTP; connects on its first call."""
    # The driver also logs what it raises.
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
    return Reader(ClientPool(lambda: http_client(settings)))


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
        return RequestError(text, hint="Ask for less: a shorter range of time, fewer columns, a LIMIT.")
    return RequestError(text, hint="Leave FORMAT and the last semicolon out; --output chooses the form.")


def _reason(text: str) -> str:
    """Return what the server says, without the driver's words around it."""
    said = text.partition("DB::Exception: ")[2] or text
    return " ".join(said.partition(" (for url")[0].split())[:500]
