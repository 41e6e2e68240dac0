"""The gateway as a process: parts from settings, served until SIGTERM, drained."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.types import ASGIApp

from auditstream.core.clock import SystemClock
from auditstream.core.errors import RetryableError
from auditstream.core.listening import listening_socket
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.settings import GatewaySettings, Settings
from auditstream.emit.message import Route, message_of
from auditstream.emit.route_finder import find_route
from auditstream.gateway.app import Application, Parts, new_app
from auditstream.gateway.batch_queue import BatchQueue, LossFile, Producer, loss_events
from auditstream.gateway.credentials import Credentials
from auditstream.gateway.http_protocol import bounded_protocol
from auditstream.gateway.sign_ins import INTERVAL_S, SignIns
from auditstream.identity.keys import Keys, opened_keys
from auditstream.query.reader import Reader
from auditstream.query.receipts import recorded_value
from schemas.registry_client import RegistryClient
from schemas.schema_folder import SchemaFolder
from schemas.schema_store import SchemaStore
from sinks.reference import ReferenceStore

log = get_logger(__name__)

_FIRST_SIGN_INS_S = 2.0
_REGISTRY_PAUSE_S = 1.0
_BACKLOG = 512
_KEEP_ALIVE_S = 30
_STOP_S = 5.0
_COLLECTIONS = (50_000, 20, 20)
"""New objects before a collection, and collections before the next older ones: a request makes some hundred
that reference counts free by themselves."""


class RunningProducer(Producer, Protocol):
    """A producer with a connection of its own; `streams.event_producer.EventProducer` is one."""

    @property
    def is_connected(self) -> bool:
        """Whether Kafka was reached, and nothing has shown since that it is away."""
        ...

    def start(self) -> None:
        """Connect in the background."""
        ...

    async def stop(self, *, within_s: float) -> int:
        """Send what waits, close the connection, and return how many messages were not acknowledged."""
        ...


NewProducer = Callable[[str], RunningProducer]
"""Makes a producer for a topic, in the event loop that it is for."""


class Service:
    """What runs beside the application: producer, queue, credentials, events about the gateway itself.

    Args:
        settings: Every setting.
        route: Topic and schema of events.
        store: Where credentials come from.
        metrics: What is counted.
        reader: Reads where values are recorded; closed at the end.
        producer: Where events go.
        keys: What hides personal data and content.
    """

    def __init__(
        self,
        settings: Settings,
        route: Route,
        store: ReferenceStore,
        metrics: Metrics,
        *,
        reader: Reader,
        producer: RunningProducer,
        keys: Keys,
    ) -> None:
        gateway = settings.gateway
        self._settings = gateway
        self._route = route
        self._store = store
        self._metrics = metrics
        self._reader = reader
        self._clock = SystemClock()
        self._instance = socket.gethostname()
        self._credentials = Credentials(store, every_s=gateway.refresh_s)
        self._producer = producer
        self._queue = BatchQueue(self._producer, most_bytes=gateway.queue_bytes, within_s=gateway.within_s)
        self._losses = LossFile(settings.data_dir / "gateway" / "lost.json")
        self._sign_ins = SignIns(self._instance, self._clock)
        folder = SchemaFolder(Path(settings.data_dir) / "schemas", settings.registry.url)
        self._registry = RegistryClient.from_settings(settings.registry)
        self.parts = Parts(
            settings=gateway,
            route=route,
            credentials=self._credentials,
            producer=self._producer,
            queue=self._queue,
            schemas=SchemaStore(self._registry, folder=folder),
            keys=keys,
            edge_s=settings.keys.edge_s,
            sign_ins=self._sign_ins,
            metrics=metrics,
            find_recorded=partial(recorded_value, reader),
            is_ready=self._is_ready,
            clock=self._clock,
        )

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Run everything around the serving; at the end, send what waits."""
        self._credentials.start()
        self._producer.start()
        self._queue.start()
        telling = asyncio.create_task(self._tell(), name="sign-ins")
        try:
            yield
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
            await self._end()

    async def _end(self) -> None:
        lost = await self._queue.stop(within_s=self._settings.drain_s)
        if lost:
            log.error("queued_events_lost", events=lost.total())
            self._metrics.count("auditstream_gateway_lost_events_total", lost.total())
            try:
                self._losses.add(lost)
            except OSError as error:
                log.error("losses_unwritten", error=str(error), events=lost.total())  # noqa: TRY400
        await self._tell_sign_ins(within_s=_STOP_S)
        await self._producer.stop(within_s=_STOP_S)
        await self._registry.close()
        await asyncio.to_thread(self._credentials.stop)
        self._store.close()
        self._reader.close()

    def _is_ready(self) -> str:
        if not self._credentials.is_known:
            return "the store has not told of any credentials yet"
        if not self._producer.is_connected:
            return "Kafka does not answer"
        return ""

    async def _tell(self) -> None:
        """Tell of losses of the process before this one, then of sign-ins, every minute."""
        pause_s = _FIRST_SIGN_INS_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = INTERVAL_S
            await self._tell_losses()
            await self._tell_sign_ins(within_s=self._settings.within_s)

    async def _tell_losses(self) -> None:
        lost = self._losses.read()
        if not lost:
            return
        events = list(loss_events(lost, instance=self._instance, at=datetime.now(UTC)))
        if await self._sent(events, within_s=self._settings.within_s):
            self._losses.clear()

    async def _tell_sign_ins(self, *, within_s: float) -> None:
        events = self._sign_ins.events()
        if events and not await self._sent(events, within_s=within_s):
            self._sign_ins.put_back(events)

    async def _sent(self, events: list[dict[str, object]], *, within_s: float) -> bool:
        messages = [message_of(event, self._route) for event in events]
        try:
            return all(await self._producer.send(messages, within_s=within_s))
        except RetryableError as error:
            log.warning("own_events_wait", events=len(events), error=error.message)
            return False


def serve(
    settings: Settings, store: ReferenceStore, reader: Reader, metrics: Metrics, new_producer: NewProducer
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun.

    Args:
        settings: Every setting.
        store: Where credentials come from; closed at the end.
        reader: Reads where values are recorded; likewise.
        metrics: What is counted.
        new_producer: Makes the producer.

    Raises:
        ConfigError: The address cannot be listened on, or the registry does not take the packaged schema.
    """
    sock = listening_socket(settings.gateway.listen, setting="gateway.listen")
    stopping = threading.Event()
    # Until uvicorn has its own handlers; it raises the signal again when it is done, and the process does not
    # end by it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, store, reader, metrics, new_producer, sock=sock, stopping=stopping))


async def _serve(
    settings: Settings,
    store: ReferenceStore,
    reader: Reader,
    metrics: Metrics,
    new_producer: NewProducer,
    *,
    sock: socket.socket,
    stopping: threading.Event,
) -> None:
    route = await _route(settings, stopping)
    if route is None:
        return
    with opened_keys(settings, create=True) as keys:
        producer = new_producer(route.topic)
        service = Service(settings, route, store, metrics, reader=reader, producer=producer, keys=keys)
        app = new_app(service.parts, lifespan=service.lifespan)
        server = uvicorn.Server(server_config(app, settings.gateway))
        # What is there now stays: collections need not look at it again at every few hundred events.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTIONS)
        log.info("gateway_listens", address=settings.gateway.listen)
        await server.serve(sockets=[sock])


def server_config(app: ASGIApp, settings: GatewaySettings) -> uvicorn.Config:
    """Return how uvicorn serves the application: bounded, without logs of its own, draining in time."""
    protocol = bounded_protocol(
        header_bytes=settings.header_bytes,
        header_s=settings.header_s,
        connections=settings.connections,
        take_whole=app.singles.take if isinstance(app, Application) else None,
    )
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.drain_s)),
    )


async def _route(settings: Settings, stopping: threading.Event) -> Route | None:
    """Return topic and schema; waits for the registry, which may start after the gateway, unless stopped."""
    while not stopping.is_set():
        try:
            return await find_route(settings.registry, settings.kafka.events_topic)
        except RetryableError as error:
            log.warning("registry_away", error=error.message)
            await asyncio.sleep(_REGISTRY_PAUSE_S)
    return None
