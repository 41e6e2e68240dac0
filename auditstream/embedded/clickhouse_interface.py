"""ClickHouse's HTTP interface over an engine: requests in, checks, queries on threads, answers out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from auditstream.core import logs
from auditstream.embedded.clickhouse_admission import Admission
from auditstream.embedded.clickhouse_answers import AnswerPlan, done_answer, error_answer, send_answer
from auditstream.embedded.clickhouse_connections import Connection, Query, Summary
from auditstream.embedded.clickhouse_credentials import WRITERS, Credentials
from auditstream.embedded.clickhouse_engine import Engine
from auditstream.embedded.clickhouse_errors import ErrorNumber, QueryError, refusal
from auditstream.embedded.clickhouse_permissions import allowed_settings, check_database, check_statement
from auditstream.embedded.clickhouse_pipes import Pipe
from auditstream.embedded.clickhouse_requests import (
    STATEMENT_BYTES,
    Call,
    claimed_user,
    query_id_of,
    read_call,
)
from auditstream.embedded.clickhouse_sessions import Sessions
from auditstream.embedded.clickhouse_settings import FrontSettings
from auditstream.embedded.clickhouse_statements import Insert, Statement, read_statement
from auditstream.embedded.clickhouse_stored import FRAME_START, LAST_BLOCK, stored
from auditstream.embedded.clickhouse_tables import KnownTables

if TYPE_CHECKING:  # half of the imports, which a front that tells nobody does without
    from auditstream.embedded.clickhouse_audit import Audit

_LOG = logs.get_logger(__name__)
_KILL_AGAIN_S = 0.05
# Statements outside the streamed ones that answer with a table, even if it is empty.
_ANSWERING_VERBS = frozenset({"BACKUP", "CHECK", "KILL", "RESTORE"})
# What was understood, and is not allowed to whoever asked.
_REFUSED = frozenset({ErrorNumber.ACCESS_DENIED, ErrorNumber.READONLY, ErrorNumber.INTO_OUTFILE_NOT_ALLOWED})
T = TypeVar("T")


class Interface:
    """The HTTP interface; belongs to one event loop."""

    def __init__(
        self, engine: Engine, settings: FrontSettings, folder: Path, audit: Audit | None = None
    ) -> None:
        """Read from the engine what has to be known of it. Blocks.

        Args:
            engine: Runs the queries.
            settings: Who may ask for what.
            folder: For answers that have to be complete before they are sent.
            audit: Tells of requests; None to tell nobody.
        """
        self._engine = engine
        self._credentials = Credentials(settings.credentials)
        self._settings = settings
        self._folder = folder
        self._audit = audit
        self._tables = KnownTables(engine)
        self._admission = Admission(settings.admission)
        self._sessions = Sessions(engine.connect)
        with engine.connect() as connection:
            self._timezone = str(connection.rows("SELECT timezone() AS name")[0]["name"])
            self._setting_names = frozenset(_names(connection, "SELECT name FROM system.settings"))
            functions = _names(connection, "SELECT name FROM system.table_functions")
        self._table_functions = frozenset(name.lower() for name in functions)

    def app(self) -> web.Application:
        """Return the application with its routes."""
        app = web.Application()
        app.router.add_get("/ping", _ping)
        app.router.add_get("/", self.answer)
        app.router.add_post("/", self.answer)
        return app

    async def answer(self, http: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if http.method == "GET" and "query" not in http.query:
            return await _ping(http)
        query_id = query_id_of(http)
        try:
            call = await self._read_call(http, query_id)
            statement, rows = await _read_statement(call)
            query = await self._admitted(http, call, statement)
            with ExitStack() as held:
                session: Connection | None = None
                if call.session is not None and query.statements == "owner":
                    user = call.credential.user
                    session = held.enter_context(self._sessions.use(user, call.session, statement))
                try:
                    return await self._execute(http, call, query, rows, session)
                finally:
                    if not statement.reads:
                        self._tables.forget()
        except QueryError as error:
            _LOG.info("query_failed", query_id=query_id, number=error.number)
            return error_answer(error, query_id)
        except ConnectionError as error:
            _LOG.info("client_left", query_id=query_id, reason=type(error).__name__)
            return error_answer(refusal(ErrorNumber.QUERY_WAS_CANCELLED, "The client left."), query_id)

    async def close(self, drain_s: float) -> None:
        """Start no more queries, let running ones end, kill those that do not in time, end the sessions."""
        self._admission.stop()
        if not await self._admission.drained(drain_s):
            await asyncio.gather(*(self._kill(id_, run) for id_, run in self._admission.running.items()))
        self._sessions.close()
        self._admission.close()
        if self._audit is not None:
            await self._audit.close()

    async def _read_call(self, http: web.Request, query_id: str) -> Call:
        try:
            return await read_call(http, self._credentials, query_id, self._settings.patience_s)
        except QueryError as error:
            if self._audit is not None and error.number == ErrorNumber.AUTHENTICATION_FAILED:
                self._audit.tell_unbelieved(http, claimed_user(http))
            raise

    async def _admitted(self, http: web.Request, call: Call, statement: Statement) -> Query:
        """Return what is to be run, checked and told of."""
        if self._audit is None or call.credential.is_service:
            return self._checked(call, statement)
        tables = await self._tables.names()
        reach = self._audit.reach_of(statement, tables, self._table_functions)
        try:
            query = self._checked(call, statement)
        except QueryError as error:
            if error.number in _REFUSED:
                self._audit.tell_refused(http, call, statement, reach)
            raise
        await self._audit.tell(http, call, statement, reach)
        return query

    def _checked(self, call: Call, statement: Statement) -> Query:
        """Return what is to be run, after every check that needs no engine."""
        for name in call.settings:
            if name not in self._setting_names:
                raise refusal(ErrorNumber.UNKNOWN_SETTING, f"Unknown setting '{name}'.")
        if call.reads_only and not statement.reads:
            raise refusal(
                ErrorNumber.READONLY,
                "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. "
                "You should use method POST for modifying queries.",
            )
        check_statement(statement, call.credential, self._settings.databases, self._table_functions)
        check_database(call.database or "", call.credential)
        return Query(
            id=call.query_id,
            statement=statement,
            statements=call.credential.statements,
            default_format=call.default_format,
            database=call.database,
            parameters=call.parameters,
            settings=allowed_settings(call.settings, call.credential, self._settings.limits),
            readonly=_readonly(call, statement),
        )

    async def _execute(
        self, http: web.Request, call: Call, query: Query, rows: bytes, session: Connection | None
    ) -> web.StreamResponse:
        if isinstance(query.statement, Insert):
            return await self._insert(query, rows, call.body, session)
        plan = AnswerPlan(
            query_id=query.id,
            format=query.statement.format or query.default_format,
            timezone=query.settings.get("session_timezone") or self._timezone,
            coding=call.coding,
            waits=call.waits,
            folder=self._folder,
            patience_s=self._settings.patience_s,
        )
        if query.statement.reads:
            return await self._read(http, plan, query, session)
        return await self._run(http, plan, query, session)

    async def _read(
        self, http: web.Request, plan: AnswerPlan, query: Query, session: Connection | None
    ) -> web.StreamResponse:
        with Pipe.for_answer() as pipe:
            work = partial(self._engine.answer_into, query, pipe.engine_fd, session)
            run = await self._admission.start(query.id, work)
            pipe.hand_over()
            try:
                return await send_answer(http, plan, pipe.read, partial(_outcome, run))
            finally:
                await self._kill(query.id, run, pipe)

    async def _insert(
        self, query: Query, rows: bytes, body: AsyncIterator[bytes], session: Connection | None
    ) -> web.StreamResponse:
        with Pipe.for_rows() as pipe:
            work = partial(self._engine.insert_from, query, pipe.engine_fd, session)
            run = await self._admission.start(query.id, work)
            pipe.hand_over()
            try:
                await _feed(pipe, rows, body)
            except BaseException:
                # Without its last rows the insert must not come to its end.
                await self._kill(query.id, run, pipe)
                raise
            pipe.close()
            return done_answer(query.id, self._timezone, await _outcome(run))

    async def _run(
        self, http: web.Request, plan: AnswerPlan, query: Query, session: Connection | None
    ) -> web.StreamResponse:
        run = await self._admission.start(query.id, partial(self._engine.run, query, session))
        answer, summary = await _outcome(run)
        if not answer and query.statement.verb not in _ANSWERING_VERBS:
            return done_answer(query.id, self._timezone, summary)
        pieces = iter((answer, b""))

        async def read() -> bytes:
            return next(pieces)

        async def outcome() -> Summary:
            return summary

        return await send_answer(http, plan, read, outcome)

    async def _kill(self, query_id: str, run: asyncio.Future[T], pipe: Pipe | None = None) -> None:
        """Kill a query, again and again until it has ended: it may not have begun yet.

        Its pipe is closed only when the engine knows that the query is killed. Closed sooner, the end of the
        pipe would be taken for the end of the rows; never closed, the engine would wait for it for ever.
        """
        while not run.done():
            if await asyncio.to_thread(self._engine.kill, query_id) and pipe is not None:
                pipe.close()
            await asyncio.wait([run], timeout=_KILL_AGAIN_S)
        _seen(run)


def _readonly(call: Call, statement: Statement) -> int:
    """Return the engine's read-only mode: 1 fixes the settings too, which drivers see and then send none."""
    if call.credential.statements == "reader":
        return 1
    is_writers_query = call.credential.statements in WRITERS and statement.reads
    return 2 if call.reads_only or is_writers_query else 0


async def _outcome(run: asyncio.Future[T]) -> T:
    """Return what a thread's work came to. When this is cancelled, the work goes on, and is waited for."""
    try:
        return await asyncio.shield(run)
    except asyncio.CancelledError:
        await asyncio.wait([run])
        _seen(run)
        raise


def _seen(run: asyncio.Future[T]) -> None:
    """Tell asyncio that nobody else will look at an error: who asked has left."""
    if not run.cancelled():
        run.exception()


async def _feed(pipe: Pipe, rows: bytes, body: AsyncIterator[bytes]) -> None:
    """Write the rows to the engine until they end, or until the engine takes no more: its error says why."""
    with suppress(BrokenPipeError):
        await pipe.write(FRAME_START)
        for block in stored(rows):
            await pipe.write(block)
        async for piece in body:
            for block in stored(piece):
                await pipe.write(block)
        await pipe.write(LAST_BLOCK)


async def _read_statement(call: Call) -> tuple[Statement, bytes]:
    """Return the statement, and of an insert's rows those that were read with it; the rest is in the body."""
    head = call.text + b"\n" if call.text else b""
    with suppress(QueryError):
        statement = read_statement(head)
        if isinstance(statement, Insert):
            return statement, head[statement.rows_at :]
    async for piece in call.body:
        head += piece
        if len(head) > STATEMENT_BYTES:
            break
    try:
        statement = read_statement(head)
    except QueryError:
        if len(head) > STATEMENT_BYTES:
            raise _too_long() from None
        raise
    if isinstance(statement, Insert):
        return statement, head[statement.rows_at :]
    if len(head) > STATEMENT_BYTES:
        raise _too_long()
    return statement, b""


def _too_long() -> QueryError:
    return refusal(ErrorNumber.SYNTAX_ERROR, f"Max query size exceeded: {STATEMENT_BYTES} bytes.")


def _names(connection: Connection, sql: str) -> list[str]:
    return [str(row["name"]) for row in connection.rows(sql)]


async def _ping(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")
