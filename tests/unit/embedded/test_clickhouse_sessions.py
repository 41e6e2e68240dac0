"""Sessions hold a connection only when a statement left something in it, and end when nobody comes."""

from __future__ import annotations

import pytest

from auditstream.embedded.clickhouse_connections import Connection
from auditstream.embedded.clickhouse_errors import QueryError
from auditstream.embedded.clickhouse_requests import Session
from auditstream.embedded.clickhouse_sessions import Sessions, changes_session
from auditstream.embedded.clickhouse_statements import Statement, read_statement

READ = read_statement(b"SELECT 1")
CHANGE = read_statement(b"SET max_threads = 1")


class Handle:
    """The part of chDB's connection that a session uses."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True


class Store:
    """Opens connections and remembers them; keeps the time."""

    def __init__(self) -> None:
        self.opened: list[Handle] = []
        self.now_s = 1_000.0

    def connect(self) -> Connection:
        """Open a connection."""
        self.opened.append(Handle())
        return Connection(self.opened[-1])


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def sessions(store: Store) -> Sessions:
    return Sessions(store.connect, lambda: store.now_s)


def session(
    name: str = "s", *, timeout_s: int = 60, must_exist: bool = False, closes: bool = False
) -> Session:
    """Return what a request says of its session."""
    return Session(id=name, timeout_s=timeout_s, must_exist=must_exist, closes=closes)


@pytest.mark.parametrize(
    ("sql", "changes"),
    [
        ("SET a = 1", True),
        ("use x", True),
        ("CREATE TEMPORARY TABLE t (a Int8)", True),
        ("CREATE OR REPLACE TEMPORARY TABLE t (a Int8)", True),
        ("CREATE TABLE t (a Int8) ENGINE = Memory", False),
        ("SELECT 'SET'", False),
        ("INSERT INTO t VALUES (1)", False),
    ],
)
def test_statements_that_leave_something_behind_are_known(sql: str, changes: bool) -> None:
    assert changes_session(read_statement(sql.encode())) is changes


def test_reading_needs_no_connection_of_its_own(sessions: Sessions, store: Store) -> None:
    with sessions.use("u", session(), READ) as connection:
        assert connection is None
    assert not store.opened


def test_a_change_brings_a_connection_that_stays(sessions: Sessions, store: Store) -> None:
    used = []
    for statement in (READ, CHANGE, READ, CHANGE):
        with sessions.use("u", session(), statement) as connection:
            used.append(connection)

    assert used[0] is None
    assert used[1] is used[2] is used[3]
    assert len(store.opened) == 1


def test_users_do_not_share_sessions(sessions: Sessions, store: Store) -> None:
    with sessions.use("u", session(), CHANGE), sessions.use("other", session(), CHANGE):
        pass

    assert len(store.opened) == 2


def test_a_session_in_use_is_locked(sessions: Sessions) -> None:
    with sessions.use("u", session(), READ):
        with pytest.raises(QueryError) as caught, sessions.use("u", session(), READ):
            pass
        with sessions.use("u", session("another"), READ):
            pass
    with sessions.use("u", session(), READ):
        pass

    assert caught.value.number == 373


def test_an_error_unlocks_the_session(sessions: Sessions) -> None:
    with pytest.raises(ZeroDivisionError), sessions.use("u", session(), READ):
        _ = 1 // 0
    with sessions.use("u", session(), READ):
        pass


def test_a_session_that_must_exist_has_to(sessions: Sessions) -> None:
    with pytest.raises(QueryError) as caught, sessions.use("u", session(must_exist=True), READ):
        pass
    with sessions.use("u", session(), READ):
        pass
    with sessions.use("u", session(must_exist=True), READ):
        pass

    assert caught.value.number == 372


def test_a_session_ends_when_its_time_is_over(sessions: Sessions, store: Store) -> None:
    with sessions.use("u", session(timeout_s=60), CHANGE):
        store.now_s += 1_000  # a long statement does not count
    store.now_s += 59
    with sessions.use("u", session(must_exist=True, timeout_s=10), READ) as connection:
        assert connection is not None
    store.now_s += 10
    with sessions.use("u", session(), READ) as connection:
        assert connection is None

    assert store.opened[0].is_closed


def test_a_session_in_use_does_not_end(sessions: Sessions, store: Store) -> None:
    with sessions.use("u", session(), CHANGE):
        store.now_s += 1_000
        with sessions.use("u", session("another"), READ):
            pass
        assert not store.opened[0].is_closed


def test_a_session_ends_when_it_is_closed(sessions: Sessions, store: Store) -> None:
    with sessions.use("u", session(), CHANGE):
        pass
    with sessions.use("u", session(closes=True), READ):
        pass

    assert store.opened[0].is_closed
    with sessions.use("u", session(), READ) as connection:
        assert connection is None


def test_all_sessions_end_together(sessions: Sessions, store: Store) -> None:
    statements: list[Statement] = [CHANGE, CHANGE]
    for number, statement in enumerate(statements):
        with sessions.use("u", session(str(number)), statement):
            pass
    sessions.close()

    assert [handle.is_closed for handle in store.opened] == [True, True]
