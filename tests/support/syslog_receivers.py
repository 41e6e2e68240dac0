"""A syslog receiver over TLS on this machine (RFC 5425), which may also behave badly."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Literal

Manner = Literal["polite", "wordless", "reset"]
"""How it ends: it answers the end of TLS; it just closes after reading; it resets before it has read all."""


@dataclass
class SyslogReceiver:
    """What came, and how the next connections end; then it is polite."""

    port: int = 0
    manners: list[Manner] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0


def messages_in(data: bytes) -> Iterator[bytes]:
    """Yield the messages of a stream of frames: `length space message`."""
    while data:
        length, _, rest = data.partition(b" ")
        yield rest[: int(length)]
        assert len(rest) >= int(length)
        data = rest[int(length) :]


@contextmanager
def syslog_receiver(cert: Path, key: Path, *, clients: Path | None = None) -> Iterator[SyslogReceiver]:
    """Run a receiver for the length of the block.

    Args:
        cert: Its certificate.
        key: Key of that.
        clients: Authorities of clients, whose certificate it then demands.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    receiver = SyslogReceiver()
    listening = socket.create_server(("127.0.0.1", 0))
    receiver.port = listening.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            with plain, suppress(OSError):
                plain.settimeout(10)
                with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as secure:
                    receiver.connections += 1
                    take(secure, receiver.manners.pop(0) if receiver.manners else "polite")

    def take(secure: ssl.SSLSocket, manner: Manner) -> None:
        if manner == "reset":
            secure.recv(1)
            secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            secure.close()
            return
        data = b""
        with suppress(ssl.SSLZeroReturnError):
            while received := secure.recv(65_536):
                data += received
        receiver.messages += messages_in(data)
        if manner == "polite":
            secure.unwrap().close()

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(15)
