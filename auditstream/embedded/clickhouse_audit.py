"""Every sign-in, query and change that comes through the front is an event before it is done.

Parts of the deployment itself are exempt: what the worker inserts is the record. Statements that reach no
history (`clickhouse_reach`) are passed over. Requests that come together are told of together.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from auditstream.core import logs
from auditstream.core.errors import AuditStreamError, RetryableError
from auditstream.embedded.clickhouse_claims import HEADER, Claims, claims_of
from auditstream.embedded.clickhouse_errors import ErrorNumber, refusal
from auditstream.embedded.clickhouse_reach import Reach, reach_of, target_of
from auditstream.embedded.clickhouse_requests import Call
from auditstream.embedded.clickhouse_settings import AuditSettings
from auditstream.embedded.clickhouse_statements import Statement
from auditstream.emit.access_events import Access, access_event, short, sign_in_event, statement_event
from auditstream.emit.access_key import access_key, query_hmac
from auditstream.emit.access_record import AccessRecord, Event
from auditstream.emit.access_spool import Spool
from auditstream.emit.announcements import Announcer, Said
from auditstream.emit.message import Route

_BY = "clickhouse"
_SIGN_IN_S = 3_600.0
"""A client that is seen again within this time has not signed in anew: HTTP signs in with every request."""

_ACT_S = 600.0
"""How long an act may pause; then its next statement is told of again."""

_MOST_CLIENTS = 10_000
_MOST_REFUSALS = 1_000
"""Refusals that wait to be told of; they are told of after the fact, since nothing was done."""

_LOG = logs.get_logger(__name__)


@dataclass(slots=True)
class _Waiting:
    events: Sequence[Event]
    told: asyncio.Future[None]


class Audit:
    """Tells of what is asked of a front; belongs to one event loop.

    Args:
        record: What acts are told to. Blocks; used by one thread.
        key: Key of the HMAC by which queries are named.
        now_s: Seconds of a clock that only runs on.
    """

    def __init__(self, record: AccessRecord, key: bytes, now_s: Callable[[], float] = time.monotonic) -> None:
        self._record = record
        self._key = key
        self._now_s = now_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        self._queue: list[_Waiting] = []
        self._refusals: deque[Event] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._seen: dict[tuple[str, str, str], float] = {}
        self._acts: dict[tuple[str, str, str], tuple[frozenset[str], float]] = {}

    @staticmethod
    def reach_of(statement: Statement, tables: Collection[str], table_functions: Collection[str]) -> Reach:
        """Return what a statement reaches; see `clickhouse_reach`."""
        return reach_of(statement, tables, table_functions)

    async def tell(self, http: web.Request, call: Call, statement: Statement, reach: Reach) -> None:
        """Return once an event tells of a statement that is about to run, where there has to be one.

        Raises:
            QueryError: 210, none does: the statement must not run.
        """
        if call.credential.is_service or not reach.is_told or self._is_covered(http, call, reach):
            return
        events = [*self._sign_in(http, call), self._event(http, call, statement, reach, "SUCCESS")]
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(events, told))
        self._send()
        try:
            await told
        except AuditStreamError as error:
            self._forget(http, call)
            _LOG.warning("access_not_recorded", query_id=call.query_id, reason=error.message)
            raise refusal(ErrorNumber.NETWORK_ERROR, error.message) from error
        self._cover(http, call, reach)

    def tell_refused(self, http: web.Request, call: Call, statement: Statement, reach: Reach) -> None:
        """Have an event tell of a statement that was refused; nobody waits for it."""
        if not call.credential.is_service:
            self._refused(self._event(http, call, statement, reach, "BLOCKED"))

    def tell_unbelieved(self, http: web.Request, user: str) -> None:
        """Have an event tell of a sign-in that was refused; nobody waits for it."""
        said = Said(by=_BY, actor=short(user), at=datetime.now(UTC), outcome="BLOCKED")
        self._refused(sign_in_event(said, user=user, **_client(http)))

    async def close(self) -> None:
        """Send what waits, and end."""
        while self._sending is not None and not self._sending.done():
            await asyncio.wait([self._sending])
        self._thread.shutdown(wait=False)

    def _is_covered(self, http: web.Request, call: Call, reach: Reach) -> bool:
        """Return whether an event says already that all of these tables are read, by this act."""
        key = _act_of(http, call)
        covered, seen_s = self._acts.get(key, (frozenset(), 0.0))
        if not covered or reach.changes or not covered.issuperset(reach.tables) or not reach.tables:
            return False
        now_s = self._now_s()
        if now_s - seen_s > _ACT_S:
            return False
        self._acts[key] = covered, now_s
        return True

    def _cover(self, http: web.Request, call: Call, reach: Reach) -> None:
        key = _act_of(http, call)
        if not key[-1] or reach.changes:
            return
        if len(self._acts) >= _MOST_CLIENTS:
            self._acts.clear()
        covered, _ = self._acts.get(key, (frozenset(), 0.0))
        self._acts[key] = covered | set(reach.tables), self._now_s()

    def _sign_in(self, http: web.Request, call: Call) -> list[Event]:
        """Return the event of a sign-in, unless the client was seen lately."""
        key, now_s = _key_of(http, call), self._now_s()
        seen_s = self._seen.get(key)
        if len(self._seen) >= _MOST_CLIENTS:
            self._seen.clear()
        self._seen[key] = now_s
        if seen_s is not None and now_s - seen_s < _SIGN_IN_S:
            return []
        said = Said(by=_BY, actor=_actor(http, call)[0], at=datetime.now(UTC))
        return [sign_in_event(said, user=call.credential.user, **_client(http))]

    def _forget(self, http: web.Request, call: Call) -> None:
        self._seen.pop(_key_of(http, call), None)

    def _event(
        self, http: web.Request, call: Call, statement: Statement, reach: Reach, outcome: str
    ) -> dict[str, Any]:
        actor, claims = _actor(http, call)
        said = Said(by=_BY, actor=actor, at=datetime.now(UTC), outcome=outcome)
        named = query_hmac(self._key, _query_of(call, statement))
        fields = {"credential_id": call.credential.user, **_client(http)}
        if not reach.changes:
            access = Access(
                query_hmac=named,
                command=claims.command or "sql",
                tables=reach.tables,
                purpose=claims.purpose,
                destination=claims.destination,
                details=(
                    ("query_id", call.query_id),
                    ("tenant", claims.tenant),
                    ("act", claims.act),
                    ("extent", "all rows, by any statement of the act" if claims.act else ""),
                    ("actor_is", "claimed" if claims.actor else "signed in"),
                ),
            )
            return access_event(said, access, **fields)
        return statement_event(
            said, verb=statement.verb, target=target_of(statement), query_hmac=named, **fields
        )

    def _refused(self, event: Event) -> None:
        if len(self._refusals) >= _MOST_REFUSALS:
            _LOG.error("refusal_not_recorded", waiting=len(self._refusals))
            return
        self._refusals.append(event)
        self._send()

    def _send(self) -> None:
        # Asked of the task itself: who was just told may ask again before a callback of it would run.
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())

    async def _send_all(self) -> None:
        """Send until nothing waits, all that waits at once; refusals that fail wait for the next time."""
        while self._queue or self._refusals:
            batch, self._queue = self._queue, []
            refusals = list(self._refusals)
            failure = await self._told([*refusals, *(event for each in batch for event in each.events)])
            if failure is None:
                for _ in refusals:
                    self._refusals.popleft()
            for each in batch:
                if not each.told.done():  # its client may have left
                    each.told.set_exception(failure) if failure else each.told.set_result(None)
            if failure is not None and not self._queue:
                return

    async def _told(self, events: Sequence[Event]) -> AuditStreamError | None:
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._record.tell, events)
        except AuditStreamError as error:
            return error
        except Exception as error:  # noqa: BLE001  whatever it is, nothing tells of the acts
            return RetryableError(f"not done, because no event tells of it: {error!r}")
        return None


def audit_of(settings: AuditSettings) -> Audit:
    """Return what tells of a front's requests.

    Raises:
        ConfigError: The key cannot be read or made.
    """
    route = Route(settings.topic, settings.schema_id, settings.schema_uri)
    announcer = Announcer(route, settings.connection, within_s=settings.within_s)
    spool = Spool(Path(settings.spool_file), settings.spool_bytes) if settings.spool_file else None
    return Audit(AccessRecord(announcer, spool), access_key(Path(settings.key_file)))


def _actor(http: web.Request, call: Call) -> tuple[str, Claims]:
    claims = claims_of(http.headers.get(HEADER, ""))
    return short(claims.actor or call.credential.user), claims


def _act_of(http: web.Request, call: Call) -> tuple[str, str, str]:
    actor, claims = _actor(http, call)
    return call.credential.user, actor, claims.act


def _query_of(call: Call, statement: Statement) -> bytes:
    """Return a query with its parameters: another value is another query."""
    given = [f"\n{name}={value}" for name, value in sorted(call.parameters.items())]
    return statement.text + "".join(given).encode()


def _client(http: web.Request) -> dict[str, str]:
    return {"src_ip": http.remote or "", "user_agent": short(http.headers.get("User-Agent", ""))}


def _key_of(http: web.Request, call: Call) -> tuple[str, str, str]:
    return call.credential.user, _actor(http, call)[0], f"{http.remote} {http.headers.get('User-Agent', '')}"
