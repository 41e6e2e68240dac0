"""A gateway on a real socket, served by the real uvicorn on a thread of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from auditstream.core.clock import SystemClock
from auditstream.core.listening import listening_socket
from auditstream.core.metrics import Metrics
from auditstream.core.settings import GatewaySettings
from auditstream.emit.message import Route
from auditstream.gateway.app import Parts, new_app
from auditstream.gateway.batch_queue import BatchQueue, Producer
from auditstream.gateway.credentials import Credentials
from auditstream.gateway.service import server_config
from auditstream.gateway.sign_ins import SignIns
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.keys import Keys
from auditstream.identity.master_key import MasterKey
from auditstream.reference.fact import Fact
from tests.support.gateways import ROUTE, Facts, OneSchema, key_facts


@dataclass(slots=True)
class ServedGateway:
    """A gateway that answers.

    Attributes:
        host: Where.
        port: Where.
        keys: A key by tenant.
        producer: What it sends with.
        server: The server, which may be told to end.
        thread: The thread that serves.
    """

    host: str
    port: int
    keys: dict[str, str]
    producer: Producer
    server: uvicorn.Server
    thread: threading.Thread

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://{self.host}:{self.port}"


@contextmanager
def served(
    folder: Path,
    new_producer: Callable[[], Producer],
    settings: GatewaySettings | None = None,
    route: Route = ROUTE,
    stated: Sequence[Fact] = (),
) -> Iterator[ServedGateway]:
    """Serve for the length of the block.

    Args:
        folder: For the keyring.
        new_producer: Makes the producer, in the event loop of the server.
        settings: Limits.
        route: Topic and schema.
        stated: Reference data after two tenants with a key each.
    """
    settings = (settings or GatewaySettings()).model_copy(update={"listen": "127.0.0.1:0"})
    facts, keys = key_facts()
    known = Facts(facts)
    known.state(*stated)
    credentials = Credentials(known, every_s=1.0)
    credentials.refresh()
    sock = listening_socket(settings.listen, setting="gateway.listen")
    host, port = sock.getsockname()[:2]
    master = MasterKey(bytes(32))
    ring = KeyringFile(folder / "keyring.sqlite", master)
    ready = threading.Event()
    made: list[tuple[uvicorn.Server, Producer]] = []

    async def serve() -> None:
        producer = new_producer()
        queue = BatchQueue(producer, most_bytes=settings.queue_bytes, within_s=settings.within_s)
        parts = Parts(
            settings=settings,
            route=route,
            credentials=credentials,
            producer=producer,
            queue=queue,
            schemas=OneSchema(),
            keys=Keys(master, ring),
            sign_ins=SignIns("test", SystemClock()),
            metrics=Metrics(),
        )
        queue.start()
        server = uvicorn.Server(server_config(new_app(parts), settings))
        made.append((server, producer))
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        while not server.started:
            await asyncio.sleep(0.01)
        ready.set()
        await serving
        await queue.stop(within_s=0.1)
        stop = getattr(producer, "stop", None)
        if stop is not None:
            await stop(within_s=1.0)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="gateway")
    thread.start()
    try:
        assert ready.wait(30), "the gateway did not start"
        server, producer = made[0]
        yield ServedGateway(host, port, keys, producer, server, thread)
    finally:
        for server, _ in made:
            server.should_exit = True
        thread.join(30)
        ring.close()
    assert not thread.is_alive()
