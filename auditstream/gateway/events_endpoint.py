"""`POST /v1/events`: events in JSON, NDJSON, CloudEvents or Avro."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auditstream.core.clock import Clock
from auditstream.core.metrics import Metrics
from auditstream.core.settings import GatewaySettings
from auditstream.gateway import cloud_event_bodies, json_bodies
from auditstream.gateway.answering import Answer, Door, Endpoint, json_answer
from auditstream.gateway.avro_bodies import AvroBodies
from auditstream.gateway.bodies import Bodies, Receive
from auditstream.gateway.credentials import Principal
from auditstream.gateway.drafts import Draft
from auditstream.gateway.intake import Intake, Outcome
from auditstream.gateway.problems import RefusedError
from auditstream.gateway.requests import Head, Scope

JSON = "application/json"
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"
AVRO = ("application/vnd.apache.avro", "avro/binary")

_TYPES = (JSON, NDJSON[0], CLOUD_EVENT, CLOUD_EVENTS, AVRO[0])


class EventsEndpoint(Endpoint):
    """Takes events.

    Args:
        door: Lets callers in.
        bodies: Reads bodies.
        intake: Takes what they say.
        avro: Reads Avro.
        settings: Limits and modes.
        clock: Tells the time of events that do not.
        metrics: Counts.
    """

    def __init__(
        self,
        *,
        door: Door,
        bodies: Bodies,
        intake: Intake,
        avro: AvroBodies,
        settings: GatewaySettings,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        super().__init__("/v1/events", door, metrics)
        self._bodies = bodies
        self._intake = intake
        self._avro = avro
        self._settings = settings
        self._clock = clock

    async def answer(self, head: Head, principal: Principal, receive: Receive, _scope: Scope) -> Answer:
        """Return 202 with ids and receipts, once Kafka has the events.

        Raises:
            RefusedError: None of them was accepted.
        """
        settings = self._settings
        mode = head.mode(settings.events_mode, may_choose=settings.callers_choose_mode)
        media_type = self._media_type(head)
        async with self._bodies.read(head.headers, receive) as body:
            self._metrics.count("auditstream_gateway_body_bytes_total", len(body), route=self.route)
            drafts = await self._drafts(head, media_type, body, principal)
            outcome = await self._intake.take(drafts, principal, mode, route=self.route)
        return accepted_answer(outcome)

    def _media_type(self, head: Head) -> str:
        """Return the body's media type; refuses what no reader takes before the body is read."""
        if cloud_event_bodies.is_binary(head.headers):
            return CLOUD_EVENT if head.text(b"content-type") is None else head.media_type()
        media_type = head.media_type()
        if media_type not in {JSON, *NDJSON, CLOUD_EVENT, CLOUD_EVENTS, *AVRO}:
            raise RefusedError(
                "unsupported_type",
                f"content-type: {media_type[:64]} is none of {', '.join(_TYPES)}",
                field="content-type",
            )
        return media_type

    async def _drafts(
        self, head: Head, media_type: str, body: bytes, principal: Principal
    ) -> Sequence[Draft]:
        settings = self._settings
        events, depth = settings.events, settings.depth
        seen_s = self._clock.now_s()
        if cloud_event_bodies.is_binary(head.headers):
            return cloud_event_bodies.of_binary(
                body, head.headers, depth=depth, tenant_id=principal.tenant_id, seen_s=seen_s
            )
        if media_type == JSON:
            return json_bodies.of_json(body, events=events, depth=depth)
        if media_type in NDJSON:
            return json_bodies.of_ndjson(body, events=events, depth=depth)
        if media_type in AVRO:
            return await self._avro.drafts(body, head.headers)
        return cloud_event_bodies.of_structured(
            body,
            is_batch=media_type == CLOUD_EVENTS,
            events=events,
            depth=depth,
            tenant_id=principal.tenant_id,
            seen_s=seen_s,
        )


def accepted_answer(outcome: Outcome) -> Answer:
    """Return the answer of a request of which an event was accepted, or that has none."""
    told: dict[str, Any] = {
        "accepted": len(outcome.receipts),
        "ids": outcome.ids,
        "receipts": outcome.receipts,
        "rejected": [each.record() for each in outcome.rejected],
    }
    if outcome.queued:
        told["queued"] = outcome.queued
    return json_answer(202, told)
