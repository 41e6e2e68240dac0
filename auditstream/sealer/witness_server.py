"""A witness over HTTP: `POST /add-checkpoint`, and at `/` the key by which its cosignatures are verified."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from auditstream.core.errors import AuditStreamError, RetryableError
from auditstream.core.logs import get_logger
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.witnessing import ADD_CHECKPOINT, MAX_REQUEST_BYTES
from auditstream.sealer.witness import Witness

_log = get_logger(__name__)
_SHUTDOWN_S = 5.0
# A body is at most 1 MB, and a log is one machine: who needs longer holds a connection for nothing.
_READ_S = 10.0


def application(witness: Witness, key: VerifierKey) -> web.Application:
    """Return the witness as an application."""

    async def add_checkpoint(request: web.Request) -> web.Response:
        try:
            body = await asyncio.wait_for(request.read(), _READ_S)
        except TimeoutError:
            return web.Response(status=408)
        try:
            answer = await asyncio.to_thread(witness.add_checkpoint, body)
        except AuditStreamError as error:
            _log.error("witness_failed", code=error.code, reason=error.message)
            # Not asked in vain: the log asks again, and nothing was cosigned.
            status = 503 if isinstance(error, RetryableError) else 500
            return web.Response(status=status, text=f"{error.code}\n")
        _log.info("witness_answered", status=int(answer.status))
        headers = {"Content-Type": answer.content_type}  # as it is: aiohttp would add a charset
        return web.Response(status=answer.status, body=answer.body.encode(), headers=headers)

    async def about(request: web.Request) -> web.Response:
        return web.Response(text=f"{key.text}\n")

    async def health(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application(client_max_size=MAX_REQUEST_BYTES)
    app.add_routes(
        [web.post(ADD_CHECKPOINT, add_checkpoint), web.get("/", about), web.get("/healthz", health)]
    )
    return app


async def serve(
    app: web.Application,
    host: str,
    port: int,
    stopping: asyncio.Event,
    *,
    ready: Callable[[], object] = lambda: None,
) -> None:
    """Answer until `stopping` is set; requests under way are answered first.

    Args:
        app: What answers.
        host: Address to listen on.
        port: Port to listen on.
        stopping: Ends it.
        ready: Called when it answers.

    Raises:
        OSError: The address is taken, or not this machine's.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        ready()
        await stopping.wait()
    finally:
        await runner.cleanup()
