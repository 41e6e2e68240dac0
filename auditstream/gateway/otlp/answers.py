"""Answers as OTLP/HTTP says: Export…ServiceResponse with `partial_success`, google.rpc.Status for errors.

An answer has the encoding of its request. `partial_success` is set only when something was rejected: what
is no event by nature (an HTTP span, a message) is left out without a word, as a warning in every answer would
fill the log of every exporter. Clients send again after 429, 502, 503 and 504, and after no other error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from auditstream.gateway.drafts import Refusal
from auditstream.gateway.otlp.signals import METRICS, Encoding, Signal

_CODES = {
    400: code_pb2.INVALID_ARGUMENT,
    401: code_pb2.UNAUTHENTICATED,
    403: code_pb2.PERMISSION_DENIED,
    404: code_pb2.NOT_FOUND,
    413: code_pb2.INVALID_ARGUMENT,
    415: code_pb2.INVALID_ARGUMENT,
    422: code_pb2.INVALID_ARGUMENT,
    429: code_pb2.RESOURCE_EXHAUSTED,
    502: code_pb2.UNAVAILABLE,
    503: code_pb2.UNAVAILABLE,
    504: code_pb2.DEADLINE_EXCEEDED,
}
_NAMED_REASONS = 3
_LONGEST_MESSAGE = 1000
_NO_METRICS = (
    "auditstream records events, not metrics: send traces and logs here, and metrics elsewhere"
    " (OTEL_METRICS_EXPORTER=none, or OTEL_EXPORTER_OTLP_METRICS_ENDPOINT)"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: HTTP status.
        content_type: Media type of the body.
        body: The encoded message.
    """

    status: int
    content_type: str
    body: bytes


def exported(
    signal: Signal, refused: Sequence[tuple[int, Refusal]], total: int, encoding: Encoding
) -> Answer:
    """Return the answer to a request that was taken, in whole or in part.

    Args:
        signal: Kind of the request.
        refused: What was refused: index of the item in the request, and why.
        total: How many items the request has.
        encoding: Encoding of the request.
    """
    rejected = len({index for index, _ in refused})
    if not rejected:
        return _answer(200, signal.response(), encoding)
    reasons = "; ".join(_reason(signal, index, refusal) for index, refusal in refused[:_NAMED_REASONS])
    more = f"; and {len(refused) - _NAMED_REASONS} more" if len(refused) > _NAMED_REASONS else ""
    message = f"{rejected} of {total} {signal.item}s rejected: {reasons}{more}"
    return _partial(signal, rejected, message, encoding)


def metrics_rejected(request: Message, encoding: Encoding) -> Answer:
    """Return the answer to metrics: all rejected, and said why; exporters do not send them again."""
    rejected = METRICS.count(request)
    if not rejected:
        return _answer(200, METRICS.response(), encoding)
    return _partial(METRICS, rejected, _NO_METRICS, encoding)


def failed(status: int, message: str, encoding: Encoding) -> Answer:
    """Return the answer to a request of which nothing was taken, as google.rpc.Status.

    Args:
        status: HTTP status, 4xx or 5xx.
        message: What is wrong, for a person.
        encoding: Encoding of the request; protobuf where it has none.
    """
    code = _CODES.get(status, code_pb2.INTERNAL if status >= 500 else code_pb2.INVALID_ARGUMENT)
    return _answer(status, Status(code=code, message=message[:_LONGEST_MESSAGE]), encoding)


def _reason(signal: Signal, index: int, refusal: Refusal) -> str:
    return f"{signal.item} {index}: {refusal.detail} ({refusal.code})"


def _partial(signal: Signal, rejected: int, message: str, encoding: Encoding) -> Answer:
    response: Any = signal.response()
    setattr(response.partial_success, signal.rejected, rejected)
    response.partial_success.error_message = message[:_LONGEST_MESSAGE]
    return _answer(200, response, encoding)


def _answer(status: int, message: Message, encoding: Encoding) -> Answer:
    if encoding is Encoding.JSON:
        body = MessageToJson(message, indent=None).encode()
    else:
        body = message.SerializeToString()
    return Answer(status, encoding.value, body)
