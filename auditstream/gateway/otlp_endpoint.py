"""`POST /v1/traces`, `/v1/logs` and `/v1/metrics`: OTLP over HTTP, answered as OTLP says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from auditstream.core.errors import RequestError
from auditstream.core.metrics import Metrics
from auditstream.core.settings import GatewaySettings, Mode
from auditstream.gateway.answering import Answer, Door, Endpoint
from auditstream.gateway.bodies import Bodies, Receive
from auditstream.gateway.credentials import Principal
from auditstream.gateway.drafts import Draft, Refusal
from auditstream.gateway.intake import Intake
from auditstream.gateway.otlp.answers import Answer as OtlpAnswer
from auditstream.gateway.otlp.answers import exported, failed, metrics_rejected
from auditstream.gateway.otlp.decoding import decode
from auditstream.gateway.otlp.logs import logs_to_drafts
from auditstream.gateway.otlp.signals import LOGS, METRICS, TRACES, Encoding, Signal
from auditstream.gateway.otlp.spans import spans_to_drafts
from auditstream.gateway.problems import RefusedError
from auditstream.gateway.requests import Head, Scope

ToDrafts = Callable[[Any], list[Draft]]

_LARGE_BYTES = 256 * 1024
"""A body from which other requests would wait too long for their turn: it is read on a thread."""

_UNACKNOWLEDGED = "unavailable"
_RETRY_S = 2.0


class ExportEndpoint(Endpoint):
    """Takes one signal whose items may be events.

    Args:
        route: Path, for metrics.
        signal: The signal.
        to_drafts: Makes drafts of a request.
        mode: How requests are answered.
        door: Lets callers in.
        bodies: Reads bodies.
        intake: Takes what they say.
        settings: Limits.
        metrics: Counts.
    """

    def __init__(
        self,
        route: str,
        signal: Signal,
        to_drafts: ToDrafts,
        *,
        mode: Mode,
        door: Door,
        bodies: Bodies,
        intake: Intake,
        settings: GatewaySettings,
        metrics: Metrics,
    ) -> None:
        super().__init__(route, door, metrics)
        self._signal = signal
        self._to_drafts = to_drafts
        self._mode = mode
        self._bodies = bodies
        self._intake = intake
        self._settings = settings

    async def answer(self, head: Head, principal: Principal, receive: Receive, _scope: Scope) -> Answer:
        """Return Export…ServiceResponse; what is no event is in its `partial_success`.

        Raises:
            RefusedError: The request cannot be read, or is to be sent again.
        """
        encoding = encoding_of(head)
        settings = self._settings
        mode = head.mode(self._mode, may_choose=settings.callers_choose_mode)
        async with self._bodies.read(head.headers, receive) as body:
            self._metrics.count("auditstream_gateway_body_bytes_total", len(body), route=self.route)
            if len(body) > _LARGE_BYTES:
                total, drafts = await asyncio.to_thread(self._read, body, encoding)
            else:
                total, drafts = self._read(body, encoding)
            if len(drafts) > settings.events:
                raise RefusedError("too_many_events", f"the request has more than {settings.events:,} events")
            refused = await self._refused(drafts, principal, mode)
        return _answer(exported(self._signal, refused, total, encoding))

    def refusal(self, error: RefusedError, head: Head) -> Answer:
        """Return google.rpc.Status in the encoding of the request."""
        return status_of(error, head)

    def _read(self, body: bytes, encoding: Encoding) -> tuple[int, list[Draft]]:
        try:
            request = decode(self._signal, body, encoding)
        except RequestError as error:
            raise RefusedError("malformed", error.message) from None
        return self._signal.count(request), self._to_drafts(request)

    async def _refused(
        self, drafts: Sequence[Draft], principal: Principal, mode: Mode
    ) -> list[tuple[int, Refusal]]:
        """Take the drafts and return what was refused of them.

        Raises:
            RefusedError: The request is to be sent again, or `blocking-strict` refuses it.
        """
        try:
            rejected = (await self._intake.take(drafts, principal, mode, route=self.route)).rejected
        except RefusedError as error:
            if mode == "blocking-strict" or not error.rejected:
                raise
            rejected = list(error.rejected)
        if any(each.refusal.code == _UNACKNOWLEDGED for each in rejected):
            # An exporter does not send again what `partial_success` rejects; sent twice, an event is one.
            raise RefusedError(
                "unavailable", "Kafka did not acknowledge all of the request", retry_after_s=_RETRY_S
            )
        return [(each.index, each.refusal) for each in rejected]


class MetricsEndpoint(Endpoint):
    """Takes no metrics, and says so in a way that exporters understand.

    Args:
        door: Lets callers in.
        bodies: Reads bodies.
        metrics: Counts.
    """

    def __init__(self, door: Door, bodies: Bodies, metrics: Metrics) -> None:
        super().__init__("/v1/metrics", door, metrics)
        self._bodies = bodies

    async def answer(self, head: Head, _principal: Principal, receive: Receive, _scope: Scope) -> Answer:
        """Return 200 with every data point in `partial_success`.

        Raises:
            RefusedError: The request cannot be read.
        """
        encoding = encoding_of(head)
        async with self._bodies.read(head.headers, receive) as body:
            try:
                request = decode(METRICS, body, encoding)
            except RequestError as error:
                raise RefusedError("malformed", error.message) from None
            return _answer(metrics_rejected(request, encoding))

    def refusal(self, error: RefusedError, head: Head) -> Answer:
        """Return google.rpc.Status in the encoding of the request."""
        return status_of(error, head)


def export_endpoints(
    *,
    door: Door,
    bodies: Bodies,
    intake: Intake,
    settings: GatewaySettings,
    metrics: Metrics,
) -> list[Endpoint]:
    """Return the endpoints of all signals."""
    signals: list[tuple[str, Signal, ToDrafts, Mode]] = [
        ("/v1/traces", TRACES, spans_to_drafts, settings.traces_mode),
        ("/v1/logs", LOGS, logs_to_drafts, settings.logs_mode),
    ]
    taking: list[Endpoint] = [
        ExportEndpoint(
            route,
            signal,
            to_drafts,
            mode=mode,
            door=door,
            bodies=bodies,
            intake=intake,
            settings=settings,
            metrics=metrics,
        )
        for route, signal, to_drafts, mode in signals
    ]
    return [*taking, MetricsEndpoint(door, bodies, metrics)]


def encoding_of(head: Head) -> Encoding:
    """Return the encoding of a request.

    Raises:
        RefusedError: It is neither protobuf nor JSON.
    """
    media_type = head.media_type()
    try:
        return Encoding(media_type)
    except ValueError:
        raise RefusedError(
            "unsupported_type",
            f"content-type: {media_type[:64]} is none of {', '.join(Encoding)}",
            field="content-type",
        ) from None


def status_of(error: RefusedError, head: Head) -> Answer:
    """Return a refusal as google.rpc.Status; in protobuf where the request has no encoding of ours."""
    try:
        encoding = encoding_of(head)
    except RefusedError:
        encoding = Encoding.PROTOBUF
    answer = failed(error.status, error.detail, encoding)
    _, *more = error.headers()
    return _answer(answer, tuple(more))


def _answer(answer: OtlpAnswer, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    return Answer(answer.status, answer.body, answer.content_type.encode(), headers)
