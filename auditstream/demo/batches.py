"""Services that post batches to the gateway: events as NDJSON, CloudEvents, spans by OTLP."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from auditstream.core.clock import EPOCH
from auditstream.core.errors import RetryableError
from auditstream.demo.drafts import Draft
from auditstream.demo.sendings import Sending
from auditstream.demo.spans import request_of
from auditstream.emit.gateway_post import Answered, GatewayPost
from schemas.json_form import json_of

_AT_ONCE = 250
_TIMEOUT_S = 30.0


class Batches(ABC):
    """Posts what one service sends, a batch at a time; each is answered when Kafka has it.

    Args:
        url: Address of the gateway.
        key: Key of the service.

    Attributes:
        acknowledged: Events that all in-sync replicas have.
    """

    path: ClassVar[str] = "/v1/events"
    content_type: ClassVar[str]

    def __init__(self, url: str, key: str) -> None:
        self._post = GatewayPost(url, key, timeout_s=_TIMEOUT_S)
        self._waiting: list[Draft] = []
        self.acknowledged = 0

    def send(self, sending: Sending) -> None:
        """Hand one over; waits for an answer when the batch is full.

        Raises:
            RetryableError: The gateway does not answer in time, or did not accept one.
        """
        self._waiting.append(sending.draft)
        if len(self._waiting) == _AT_ONCE:
            self._flush()

    def finish(self) -> None:
        """Return once everything is acknowledged; raises as `send`."""
        if self._waiting:
            self._flush()

    def abandon(self) -> None:
        """Let go of the connection."""
        self._post.close()

    @abstractmethod
    def body_of(self, drafts: Sequence[Draft]) -> bytes:
        """Return a batch as a body."""

    def accepted(self, answered: Answered, count: int) -> int:
        """Return how many of a batch the gateway accepted."""
        return int(answered.json().get("accepted") or 0) if answered.status == 202 else 0

    def _flush(self) -> None:
        drafts, self._waiting = self._waiting, []
        answered = self._post.send(self.path, self.body_of(drafts), self.content_type)
        accepted = self.accepted(answered, len(drafts))
        if accepted != len(drafts):
            raise RetryableError(
                f"the gateway accepted {accepted} of {len(drafts)} events of {drafts[0]['source']}:"
                f" {answered.status} {answered.body[:500]!r}"
            )
        self.acknowledged += accepted


class EventLines(Batches):
    """Posts events as NDJSON."""

    content_type = "application/x-ndjson"

    def body_of(self, drafts: Sequence[Draft]) -> bytes:
        """Return a line an event."""
        return "\n".join(map(json_of, drafts)).encode()


class CloudEventBatches(Batches):
    """Posts CloudEvents."""

    content_type = "application/cloudevents-batch+json"

    def body_of(self, drafts: Sequence[Draft]) -> bytes:
        """Return a JSON array."""
        return f"[{','.join(map(_cloud_event, drafts))}]".encode()


class SpanBatches(Batches):
    """Exports spans as an instrumented application does: OTLP, protobuf over HTTP."""

    path = "/v1/traces"
    content_type = "application/x-protobuf"

    def body_of(self, drafts: Sequence[Draft]) -> bytes:
        """Return an export request."""
        return request_of(drafts).SerializeToString()

    def accepted(self, answered: Answered, count: int) -> int:
        """Return how many spans were not rejected; the answer names only those that were."""
        if answered.status != 200:
            return 0
        return count - ExportTraceServiceResponse.FromString(answered.body).partial_success.rejected_spans


def _cloud_event(draft: Mapping[str, Any]) -> str:
    data = dict(draft)
    at = EPOCH + timedelta(microseconds=data.pop("event_time"))
    context = {
        "specversion": "1.0",
        "id": data.pop("event_id"),
        "source": data.pop("source"),
        "type": f"io.auditstream.{data.pop('event_type')}.v1",
        "time": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
    }
    return f'{json.dumps(context)[:-1]},"data":{json_of(data)}}}'
