"""A TLS connection that is written to, and whose end is told apart: an answer, a refusal, or silence.

OpenSSL's own shutdown takes a fatal alert that comes while it waits for an answer. With TLS 1.3 a receiver's
refusal of our certificate comes there: what was sent would count as read. So what comes in goes through
memory, and is looked at by reading.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

_READ_BYTES = 16_384


class TlsStream:
    """One connection, from its handshake on.

    Args:
        plain: A connected socket with the time that each step may take; closed with the stream.
        context: How to connect.
        hostname: Whose certificate the other side must have.

    Raises:
        OSError: The handshake failed.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, hostname: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        try:
            self._repeat(self._tls.do_handshake)
        except BaseException:
            with suppress(OSError):
                self._flush()  # the alert that says why
            plain.close()
            raise

    def send(self, data: bytes) -> None:
        """Send all of some bytes.

        Raises:
            OSError: They cannot be sent.
        """
        self._repeat(lambda: self._tls.write(data))

    def end(self) -> None:
        """Say that nothing more comes, and return once the other side has answered that.

        Raises:
            ConnectionAbortedError: It had ended the connection before us: that is no answer.
            ssl.SSLEOFError: It ends the connection without a word.
            OSError: It reset the connection, refused us by an alert, or does not answer.
        """
        if self._has_ended():
            raise ConnectionAbortedError("the receiver ended the connection first")
        # Everything that came has been read: what is read from now on came after this.
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        self._flush()
        while not self._is_at_end():
            self._hear()

    def close(self) -> None:
        """Close the socket."""
        self._plain.close()

    def _has_ended(self) -> bool:
        timeout_s = self._plain.gettimeout()
        self._plain.setblocking(False)
        try:
            while not self._incoming.eof:
                self._hear()
        except BlockingIOError:
            pass
        finally:
            self._plain.settimeout(timeout_s)
        return self._is_at_end()

    def _is_at_end(self) -> bool:
        """Whether what has come so far ends with `close_notify`; anything else said is of no matter."""
        try:
            while self._tls.read(_READ_BYTES):
                pass
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            pass
        return True

    def _repeat(self, step: Callable[[], object]) -> None:
        """Do a step until it lacks nothing from the other side."""
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                self._flush()
                self._hear()
            else:
                self._flush()
                return

    def _hear(self) -> None:
        received = self._plain.recv(_READ_BYTES)
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if waiting := self._outgoing.read():
            self._plain.sendall(waiting)
