"""Clients of ClickHouse: over HTTP, or of the engine in this process; one a call in flight."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httpclient import HttpClient
from clickhouse_connect.driver.httputil import get_pool_manager_options
from urllib3 import BaseHTTPResponse, PoolManager, Timeout

from auditstream.core.loopback import LOOPBACK
from auditstream.core.settings import ClickHouseSettings
from sinks.refusals import translated


def is_local(settings: ClickHouseSettings) -> bool:
    """Return whether the store is on this machine, where compression costs more than it saves."""
    return settings.host in LOOPBACK


class Connections(PoolManager):
    """Connections of one client, whose answer can be broken off: the driver reads every answer to its end."""

    def __init__(self) -> None:
        super().__init__(**get_pool_manager_options())
        self._answer: BaseHTTPResponse | None = None

    def urlopen(self, *arguments: Any, **options: Any) -> BaseHTTPResponse:
        """Send a request and return the answer's head; its body comes as it is read."""
        self._answer = super().urlopen(*arguments, **options)
        return self._answer

    def break_off(self) -> None:
        """Read no more of the newest answer, of which the server takes notice; one that was read is left."""
        if self._answer is not None:
            with suppress(RuntimeError, ValueError):  # read to its end: nothing comes any more
                self._answer.shutdown()


def http_client(
    settings: ClickHouseSettings,
    *,
    database: str | None = None,
    connections: Connections | None = None,
    answer_within_s: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Client:
    """Open a client over HTTP.

    Args:
        settings: Address, user and client-side time limit.
        database: Another database than the one of the settings.
        connections: Connections of its own; those of the driver when None.
        answer_within_s: How long an answer may take, instead of the time limit of the settings.
        headers: Sent with every request beside the driver's own.

    Raises:
        StoreBusyError: Nobody listens there.
        StoreTimeoutError: No answer.
        StoreSchemaError: The database does not exist, or the user may not use it.
    """
    with translated(f"connect to {settings.host}:{settings.port}"):
        return clickhouse_connect.get_client(
            host=settings.host,
            port=settings.port,
            interface="https" if settings.secure else "http",
            username=settings.user,
            password=settings.password.get_secret_value(),
            database=database or settings.database,
            compress=not is_local(settings),
            connect_timeout=math.ceil(settings.timeout_s),
            send_receive_timeout=math.ceil(answer_within_s or settings.timeout_s),
            pool_mgr=connections,
            headers=dict(headers or {}),
            # A session admits one query at a time, and nothing here needs its state.
            autogenerate_session_id=False,
        )


def embedded_client(path: Path, *, database: str = "default") -> Client:
    """Open a client of the engine in this process; a process has one engine, on one path.

    Raises:
        StoreSchemaError: The database does not exist.
        StoreTimeoutError: The engine is open on another path, or another process has this one.
    """
    with translated(f"open {path}"):
        return clickhouse_connect.get_client(interface="chdb", path=str(path), database=database)


@contextmanager
def waiting(client: Client, answer_within_s: float) -> Iterator[None]:
    """Give each answer over HTTP so long while the block lasts; the engine in this process takes its time."""
    if not isinstance(client, HttpClient):
        yield
        return
    timeout = client.timeout
    client.timeout = Timeout(connect=timeout.connect_timeout, read=math.ceil(answer_within_s))
    try:
        yield
    finally:
        client.timeout = timeout


class ClientPool:
    """Clients that calls borrow one at a time: neither interface runs two queries on one client at once."""

    def __init__(self, open_client: Callable[[], Client]) -> None:
        self._open = open_client
        self._idle: list[Client] = []
        self._lock = Lock()
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[Client]:
        """Lend a client for the length of the block; opens one when all are lent."""
        with self._lock:
            client = self._idle.pop() if self._idle else None
        client = client or self._open()
        try:
            yield client
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(client)
            if not keep:
                client.close()

    def close(self) -> None:
        """Close the idle clients now, the lent ones when they come back."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for client in idle:
            client.close()
