"""The API as a process: served until SIGTERM or SIGINT, drained."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import uvicorn
from fastapi import FastAPI

from auditstream.api.app import Mount, create_app
from auditstream.api.parts import Parts
from auditstream.core.errors import ConfigError
from auditstream.core.listening import listening_socket
from auditstream.core.logs import get_logger
from auditstream.core.settings import ApiSettings

log = get_logger(__name__)

_KEEP_ALIVE_S = 30
_HEADER_BYTES = 32 * 1024
"""Largest request line and headers: a search of 4,096 characters, escaped, and a session's cookie."""


class Runs(Protocol):
    """What runs beside the application; `auditstream.reference.following.Following` is one."""

    def start(self) -> None:
        """Begin; returns at once."""
        ...

    def stop(self) -> None:
        """End; returns when it has."""
        ...


def serve(
    settings: ApiSettings,
    parts: Parts,
    *,
    mounts: Sequence[Mount] = (),
    home: str = "",
    beside: Sequence[Runs] = (),
    close: Callable[[], object] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun.

    Args:
        settings: Where to listen.
        parts: What the application is made of.
        mounts: What answers beside the API.
        home: As of `create_app`.
        beside: What runs as long as the application is served.
        close: Called when nothing is served any more.

    Raises:
        ConfigError: The address cannot be listened on, or a TLS file cannot be read.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        for each in beside:
            each.start()
        try:
            yield
        finally:
            for each in beside:
                await asyncio.to_thread(each.stop)
            close()

    sock = listening_socket(settings.listen, setting="api.listen")
    app = create_app(parts, mounts=mounts, home=home, lifespan=lifespan)
    server = uvicorn.Server(server_config(app, settings))
    stopping = threading.Event()
    # Until uvicorn has its own handlers; it raises the signal again when it is done, and the process does not
    # end by it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    log.info("api_listens", address=settings.listen)
    if not stopping.is_set():
        server.run(sockets=[sock])
    sock.close()


def server_config(app: FastAPI, settings: ApiSettings) -> uvicorn.Config:
    """Return how uvicorn serves the application: bounded, without logs of its own, draining in time.

    Raises:
        ConfigError: A TLS file is missing, or cannot be read.
    """
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise ConfigError("api.tls_certificate and api.tls_key go together: name both or neither")
    config = uvicorn.Config(
        app,
        http="h11",  # httptools takes headers of any size
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
        h11_max_incomplete_event_size=_HEADER_BYTES,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except OSError as error:  # ssl's errors are among them
        raise ConfigError(f"api.tls_certificate: {error.strerror or error}") from error
    return config
