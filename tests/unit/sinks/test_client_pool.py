"""The pool of clients: one a call in flight, kept for the next call, closed at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from clickhouse_connect.driver.client import Client

from sinks.clients import ClientPool


class CountingClient:
    """Knows only how to be closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def pool_of(opened: list[CountingClient]) -> ClientPool:
    def open_client() -> CountingClient:
        opened.append(CountingClient())
        return opened[-1]

    return ClientPool(cast("Callable[[], Client]", open_client))


def test_calls_one_after_the_other_share_a_client() -> None:
    opened: list[CountingClient] = []
    pool = pool_of(opened)

    for _ in range(3):
        with pool.borrow():
            pass

    assert len(opened) == 1


def test_calls_at_once_have_a_client_each() -> None:
    opened: list[CountingClient] = []
    pool = pool_of(opened)

    with pool.borrow() as first, pool.borrow() as second:
        assert first is not second

    assert len(opened) == 2


def test_a_client_comes_back_from_a_call_that_failed() -> None:
    opened: list[CountingClient] = []
    pool = pool_of(opened)
    for _ in range(2):
        try:
            with pool.borrow():
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass

    assert len(opened) == 1


def test_closing_ends_idle_clients_now_and_lent_ones_when_they_come_back() -> None:
    opened: list[CountingClient] = []
    pool = pool_of(opened)

    with pool.borrow():
        with pool.borrow():
            pass
        pool.close()
        assert [client.closed for client in opened] == [False, True]

    assert [client.closed for client in opened] == [True, True]
