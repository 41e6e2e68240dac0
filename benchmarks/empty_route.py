"""What the gateway is compared with: the same uvicorn and an empty Starlette route that answers 202.

`python -m benchmarks.empty_route PORT`.
"""

from __future__ import annotations

import asyncio
import sys

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.core.settings import GatewaySettings
from auditstream.gateway.service import listening_socket, server_config


async def empty(_request: Request) -> Response:
    """Answer without a look at the request."""
    return Response(status_code=202)


def main() -> None:
    """Serve until SIGTERM."""
    settings = GatewaySettings(listen=f"127.0.0.1:{sys.argv[1]}")
    app = Starlette(routes=[Route("/v1/events", empty, methods=["POST"])])
    server = uvicorn.Server(server_config(app, settings))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=[listening_socket(settings)]))


if __name__ == "__main__":
    main()
