"""The gateway as an ASGI application: routes, health, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.metrics import Metrics
from auditstream.core.room import Room
from auditstream.core.settings import GatewaySettings
from auditstream.emit.message import Route as MessageRoute
from auditstream.gateway.answering import Door
from auditstream.gateway.avro_bodies import AvroBodies, Schemas
from auditstream.gateway.batch_queue import BatchQueue, Producer
from auditstream.gateway.bodies import Bodies
from auditstream.gateway.credentials import Credentials
from auditstream.gateway.events_endpoint import EventsEndpoint
from auditstream.gateway.intake import Intake
from auditstream.gateway.judging import Judge
from auditstream.gateway.keys_endpoint import KeysEndpoint
from auditstream.gateway.limits import Limits
from auditstream.gateway.openapi import description
from auditstream.gateway.otlp_endpoint import export_endpoints
from auditstream.gateway.problems import STATUSES, RefusedError
from auditstream.gateway.receipts import Receipts
from auditstream.gateway.receipts_endpoint import FindRecorded, ReceiptsEndpoint
from auditstream.gateway.sign_ins import SignIns
from auditstream.gateway.single_posts import SinglePosts
from auditstream.identity.keys import Keys
from auditstream.identity.protection import Protection

_CODES = {
    HTTPStatus.NOT_FOUND: ("not_found", "there is nothing at this path"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "the path takes another method"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a gateway is made of.

    Attributes:
        settings: Limits and modes.
        route: Topic and schema of events.
        credentials: Who may send.
        producer: Where messages go.
        queue: Where they wait in mode `batch`.
        schemas: Where writer schemas of Avro come from.
        keys: What hides personal data and content.
        find_recorded: Asks the store where a value is recorded; None where there is no store to ask.
        edge_s: How long a producer may use keys that it was handed.
        sign_ins: Tells who came.
        metrics: What is counted.
        is_ready: Says why requests would be refused now; empty when they are not.
        clock: Tells the time.
    """

    settings: GatewaySettings
    route: MessageRoute
    credentials: Credentials
    producer: Producer
    queue: BatchQueue
    schemas: Schemas
    keys: Keys
    sign_ins: SignIns
    metrics: Metrics
    find_recorded: FindRecorded | None = None
    edge_s: float = 60.0
    is_ready: Callable[[], str] = str
    clock: Clock = field(default_factory=SystemClock)


Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def _nothing(_app: Starlette) -> AsyncIterator[None]:
    yield


def new_app(parts: Parts, *, lifespan: Lifespan = _nothing) -> Application:
    """Return the application; call it in the event loop that serves it.

    Args:
        parts: What it is made of.
        lifespan: Runs around the serving.
    """
    settings, metrics = parts.settings, parts.metrics
    room = Room(settings.reading_bytes)
    bodies = Bodies(settings, room)
    door = Door(parts.credentials, parts.sign_ins, metrics)
    receipts = Receipts(settings.receipts)
    intake = Intake(
        judge=Judge(parts.route, Protection(parts.keys, parts.credentials.policy), parts.clock),
        producer=parts.producer,
        queue=parts.queue,
        limits=Limits(
            events_per_s=settings.events_per_s, events_per_day=settings.events_per_day, clock=parts.clock
        ),
        receipts=receipts,
        metrics=metrics,
        within_s=settings.within_s,
    )
    events = EventsEndpoint(
        door=door,
        bodies=bodies,
        intake=intake,
        avro=AvroBodies(parts.schemas),
        settings=settings,
        clock=parts.clock,
        metrics=metrics,
    )
    exports = export_endpoints(
        door=door,
        bodies=bodies,
        intake=intake,
        settings=settings,
        metrics=metrics,
    )
    keys = KeysEndpoint(
        parts.keys, lifetime_s=parts.edge_s, door=door, bodies=bodies, clock=parts.clock, metrics=metrics
    )
    routes: list[BaseRoute] = [
        *(_route(each.route, each, "POST") for each in (events, *exports, keys)),
        _route(
            "/v1/receipts/{value_sha256}",
            ReceiptsEndpoint(receipts, parts.find_recorded, door, metrics),
            "GET",
        ),
        Route("/healthz", _healthz),
        Route("/readyz", _readyz(parts.is_ready)),
        Route("/metrics", _metrics(parts, room)),
        Route("/openapi.json", _openapi),
    ]
    others = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _problem})
    singles = SinglePosts(events, door=door, intake=intake, settings=settings, metrics=metrics)
    return Application({each.route: each for each in (events, *exports)}, others, singles)


class Application:
    """Hands posts to the routes that most requests are for; all else goes Starlette's longer way.

    Attributes:
        singles: Takes single events by a shorter way than ASGI's, where the server knows of it.
    """

    def __init__(self, posts: Mapping[str, ASGIApp], others: ASGIApp, singles: SinglePosts) -> None:
        self._posts = posts
        self._others = others
        self.singles = singles

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run the lifespan."""
        endpoint = None
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint = self._posts.get(scope["path"])
        await (endpoint or self._others)(scope, receive, send)


def _route(path: str, endpoint: ASGIApp, method: str) -> Route:
    return Route(path, endpoint, methods=[method])


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _readyz(is_ready: Callable[[], str]) -> Callable[[Request], object]:
    async def readyz(_request: Request) -> Response:
        reason = is_ready()
        if reason:
            return _response(RefusedError("unavailable", reason, retry_after_s=1))
        return JSONResponse({"status": "ready"})

    return readyz


def _metrics(parts: Parts, room: Room) -> Callable[[Request], object]:
    async def metrics(_request: Request) -> Response:
        told = parts.metrics
        told.set("auditstream_gateway_credentials_age_seconds", parts.credentials.age_s)
        told.set("auditstream_gateway_credentials", len(parts.credentials))
        told.set("auditstream_gateway_queued_events", len(parts.queue))
        told.set("auditstream_gateway_reading_bytes", room.taken_bytes)
        told.set("auditstream_gateway_waiting_bytes", getattr(parts.producer, "waiting_bytes", 0))
        return Response(generate_latest(told.registry), media_type=CONTENT_TYPE_LATEST)

    return metrics


async def _openapi(_request: Request) -> Response:
    return JSONResponse(description())


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _CODES.get(HTTPStatus(error.status_code), ("internal", "a fault of the gateway's own"))
    assert code in STATUSES
    response = _response(RefusedError(code, detail))
    response.headers.update(error.headers or {})
    return response


def _response(error: RefusedError) -> Response:
    headers = {name.decode(): value.decode() for name, value in error.headers()}
    return Response(error.body(), error.status, headers)
