"""HTTP sessions: what SET, USE and temporary tables leave behind for the next request with the same id.

A session that left nothing behind needs no connection of its own, and most never do: drivers send a session
id with everything. The connection comes with the first statement that changes the session.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from auditstream.embedded.clickhouse_connections import Connection
from auditstream.embedded.clickhouse_errors import ErrorNumber, refusal
from auditstream.embedded.clickhouse_requests import Session
from auditstream.embedded.clickhouse_statements import Statement

_STATE_VERBS = frozenset({"SET", "USE"})


@dataclass(slots=True)
class HeldSession:
    """A session on this side: its connection once it has one."""

    timeout_s: int
    ends_at_s: float
    connection: Connection | None = None
    busy: bool = False

    def close(self) -> None:
        """Drop what the session holds."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Sessions:
    """The sessions of all users; used by the event loop only."""

    def __init__(
        self, connect: Callable[[], Connection], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect = connect
        self._now_s = now_s
        self._held: dict[tuple[str, str], HeldSession] = {}

    @contextmanager
    def use(self, user: str, session: Session, statement: Statement) -> Iterator[Connection | None]:
        """Hold the session for one statement; yield its connection, or None where a fresh one will do.

        Raises:
            QueryError: 372, it should exist and does not; 373, another request is using it.
        """
        self._drop_ended()
        key = (user, session.id)
        held = self._held.get(key)
        if held is None:
            if session.must_exist:
                raise refusal(ErrorNumber.SESSION_NOT_FOUND, f"Session {session.id} not found.")
            held = self._held[key] = HeldSession(session.timeout_s, 0)
        if held.busy:
            raise refusal(
                ErrorNumber.SESSION_IS_LOCKED, f"Session {session.id} is locked by a concurrent client."
            )
        if held.connection is None and changes_session(statement):
            held.connection = self._connect()
        held.busy = True
        try:
            yield held.connection
        finally:
            held.busy = False
            held.timeout_s = session.timeout_s
            held.ends_at_s = self._now_s() + session.timeout_s
            if session.closes:
                self._held.pop(key).close()

    def close(self) -> None:
        """End all sessions."""
        for held in self._held.values():
            held.close()
        self._held.clear()

    def _drop_ended(self) -> None:
        now_s = self._now_s()
        ended = [key for key, held in self._held.items() if not held.busy and held.ends_at_s <= now_s]
        for key in ended:
            self._held.pop(key).close()


def changes_session(statement: Statement) -> bool:
    """Return whether a statement leaves something behind in its session."""
    is_temporary = any(token.is_word("TEMPORARY") for token in statement.tokens[:4])
    return statement.verb in _STATE_VERBS or is_temporary
