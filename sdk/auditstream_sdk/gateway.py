"""Batches to the gateway: gzipped NDJSON over one kept connection, within a deadline in any case.

While the answer is awaited, `idle` is called again and again: the thread that waits writes the queue to the
spool meanwhile.
"""

from __future__ import annotations

import errno
import gzip
import http.client
import io
import os
import selectors
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Protocol
from urllib.parse import urlsplit

from auditstream_sdk.answers import Answer, again, answer_of
from auditstream_sdk.errors import SettingsError
from auditstream_sdk.records import Record
from auditstream_sdk.settings import Settings

_SHORTEST_IDLE_S = 0.005
_CONNECTING = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY}
_MOST_ANSWER_BYTES = 16 * 1024 * 1024
_GZIP: Mapping[str, str] = {"Content-Encoding": "gzip"}
_BOMB = "decompression_bomb"
"""Code of a body that shrank more than the gateway believes: it takes the same one as it is."""

_GZIP_LEVEL = 1
"""NDJSON of events shrinks to a sixth at level 1, and at level 6 by a tenth more for three times the time."""


class Transport(Protocol):
    """Sends batches; one thread at a time."""

    def send(self, records: Sequence[Record], idle: Callable[[], None]) -> Answer:
        """Send events and return what became of them; never raises, and ends within a deadline."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...

    def abandon(self) -> None:
        """Close descriptors without a word to the other side: the connection is the parent process's."""
        ...


class GatewayTransport:
    """Posts to `/v1/events`.

    Args:
        settings: Address, key, time-outs.
        user_agent: What it calls itself.

    Raises:
        SettingsError: `ca_file` cannot be read.
    """

    def __init__(self, settings: Settings, user_agent: str) -> None:
        parts = urlsplit(settings.url)
        self._settings = settings
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_tls else 80)
        self._idle_s = max(settings.linger_s, _SHORTEST_IDLE_S)
        self._path = parts.path.rstrip("/") + "/v1/events"
        self._headers = {
            "Authorization": f"Bearer {settings.key}",
            "Content-Type": "application/x-ndjson",
            "Accept": "application/json",
            "User-Agent": user_agent,
        }
        self._tls = _tls(settings) if self._is_tls else None
        self._connection: http.client.HTTPConnection | None = None
        self._timed: _TimedSocket

    def send(self, records: Sequence[Record], idle: Callable[[], None]) -> Answer:
        """Send events and return what became of them."""
        body = b"\n".join(record.event for record in records) + b"\n"
        deadline = monotonic() + self._settings.request_timeout_s
        answer = self._sent(gzip.compress(body, _GZIP_LEVEL, mtime=0), _GZIP, records, deadline, idle)
        if answer.reason.code == _BOMB:
            return self._sent(body, {}, records, deadline, idle)
        return answer

    def _sent(
        self,
        body: bytes,
        coding: Mapping[str, str],
        records: Sequence[Record],
        deadline: float,
        idle: Callable[[], None],
    ) -> Answer:
        was_kept = self._connection is not None
        headers = {**self._headers, **coding}
        try:
            return self._post(body, headers, records, deadline, idle)
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            if not was_kept:
                return again("unreachable", _told(error))
        except (OSError, http.client.HTTPException, ValueError) as error:
            return again("unreachable", _told(error))
        # The other side closed a connection that we had kept: that says nothing about it, so once more.
        try:
            return self._post(body, headers, records, deadline, idle)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return again("unreachable", _told(error))

    def _post(
        self,
        body: bytes,
        headers: Mapping[str, str],
        records: Sequence[Record],
        deadline: float,
        idle: Callable[[], None],
    ) -> Answer:
        try:
            connection = self._connected(deadline, idle)
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            content = response.read(_MOST_ANSWER_BYTES)
            if response.read(1):  # larger than any answer; what is cut will not be read as one
                self.close()
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        told = {name.lower(): value for name, value in response.getheaders()}
        return answer_of(response.status, told, content, records)

    def _connected(self, deadline: float, idle: Callable[[], None]) -> http.client.HTTPConnection:
        if self._connection is None:
            connection = http.client.HTTPConnection(self._host, self._port)
            connect_s = max(0.001, min(self._settings.connect_timeout_s, deadline - monotonic()))
            raw = self._opened(monotonic() + connect_s, idle)
            try:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                wrapped = self._tls.wrap_socket(raw, server_hostname=self._host) if self._tls else raw
            except BaseException:
                raw.close()
                raise
            self._timed = connection.sock = _TimedSocket(wrapped, self._idle_s)
            self._connection = connection
        timed = self._timed
        timed.deadline, timed.idle = deadline, idle
        return self._connection

    def _opened(self, deadline: float, idle: Callable[[], None]) -> socket.socket:
        """Return a socket that is connected to one of the host's addresses.

        Raises:
            OSError: None answers, or none in time.
        """
        failure = OSError("the host has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        ):
            opening = socket.socket(family, kind, protocol)
            try:
                self._connect(opening, address, deadline, idle)
            except OSError as error:
                opening.close()
                failure = error
            else:
                return opening
        raise failure

    def _connect(
        self, opening: socket.socket, address: Any, deadline: float, idle: Callable[[], None]
    ) -> None:
        opening.setblocking(False)
        code = opening.connect_ex(address)
        with selectors.DefaultSelector() as selector:
            selector.register(opening, selectors.EVENT_WRITE)
            while code in _CONNECTING:
                left = deadline - monotonic()
                if left <= 0:
                    raise TimeoutError("no connection within the deadline")
                if selector.select(min(left, self._idle_s)):
                    code = opening.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    break
                idle()
        if code:
            raise OSError(code, os.strerror(code))
        opening.settimeout(max(_SHORTEST_IDLE_S, deadline - monotonic()))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abandon(self) -> None:
        """Close the descriptor alone, also while the parent's thread was reading an answer."""
        if self._connection is not None:
            self._timed.abandon()
            self._connection = None


class _TimedSocket:
    """A socket that http.client can use, with one deadline for all of a request."""

    def __init__(self, wrapped: socket.socket, idle_s: float) -> None:
        self._wrapped = wrapped
        self._idle_s = idle_s
        self._readers = 0
        self._is_closing = False
        self.deadline = 0.0
        self.idle: Callable[[], None] = lambda: None

    def sendall(self, data: Any) -> None:
        self._wrapped.settimeout(self._left())  # of all of it: socket.sendall does not start anew
        self._wrapped.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        self._readers += 1
        return io.BufferedReader(_TimedReader(self))

    def abandon(self) -> None:
        self._wrapped.close()

    def reader_closed(self) -> None:
        self._readers -= 1
        if self._is_closing and not self._readers:
            self._wrapped.close()

    def receive(self, buffer: Any) -> int:
        while True:
            left = self._left()
            self._wrapped.settimeout(min(left, self._idle_s))
            try:
                return self._wrapped.recv_into(buffer)
            except TimeoutError:  # of this wait, not of the request
                self.idle()

    def _left(self) -> float:
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("no answer within the deadline")
        return left

    def close(self) -> None:
        """Close it once nobody reads any more: http.client closes it before the body of a last answer."""
        self._is_closing = True
        if not self._readers:
            self._wrapped.close()


class _TimedReader(io.RawIOBase):
    def __init__(self, timed: _TimedSocket) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._timed.reader_closed()

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive(buffer)


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"ca_file: {settings.ca_file!r} cannot be read: {error}") from None


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
