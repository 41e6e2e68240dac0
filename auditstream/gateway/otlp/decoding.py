"""Requests decoded from protobuf or JSON, after the OTLP specification 1.10.

OTLP's JSON is protobuf's JSON mapping with two differences: trace and span ids are hex instead of base64, and
enumerations are numbers. Unknown fields are ignored, 64-bit integers may be strings or numbers, and field
names may also be given as in the schema (`trace_id`), which costs nothing and loses nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError, Message

from auditstream.core.errors import DecodeError as NotJsonError
from auditstream.core.errors import RequestError
from auditstream.gateway.otlp.signals import Encoding, Signal
from schemas.strict_json import parse

_SPEC = "https://opentelemetry.io/docs/specs/otlp/"
_ID_FIELDS = ("traceId", "trace_id", "spanId", "span_id", "parentSpanId", "parent_span_id")
_HOLDERS = (
    ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs"),
    ("scopeSpans", "scope_spans", "scopeLogs", "scope_logs"),
    ("spans", "logRecords", "log_records"),
)
"""Names of the lists that lead from a request down to what has ids, level by level."""


def decode(signal: Signal, body: bytes, encoding: Encoding, *, depth: int = 128) -> Message:
    """Return the request that a body holds.

    An id that is not hex does not fail the request: the item that has it is refused by itself.

    Args:
        signal: What kind of request it is.
        body: The body, decompressed; its size is the caller's to limit.
        encoding: How it is encoded.
        depth: How deep JSON may be nested; protobuf has a limit of its own, 100 messages.

    Raises:
        RequestError: It is no such request; the message says where it breaks off, as far as that is known.
    """
    if encoding is Encoding.JSON:
        return _from_json(signal, body, depth)
    try:
        request: Message = signal.request.FromString(body)
    except DecodeError as error:
        raise _refused(f"is not a protobuf {signal.request.__name__}: {error}") from None
    return request


def _from_json(signal: Signal, body: bytes, depth: int) -> Message:
    try:
        document = parse(body, depth=depth)
    except NotJsonError as error:
        name = error.context["field"]
        raise _refused(f"{name!r:.64} {error.message}" if name else error.message) from None
    if not isinstance(document, dict):
        raise _refused("is not a JSON object")
    for holder in _with_ids(document, 0):
        _ids_to_base64(holder)
    try:
        request: Message = ParseDict(document, signal.request(), ignore_unknown_fields=True)
    except (ParseError, ValueError, TypeError, RecursionError) as error:
        raise _refused(f"is not OTLP JSON: {error}") from None
    return request


def _with_ids(holder: Any, level: int) -> Iterator[dict[str, Any]]:
    """Yield the spans and log records of a request, and the links of the spans."""
    if not isinstance(holder, dict):
        return
    if level == len(_HOLDERS):
        yield holder
        yield from (link for link in _list(holder.get("links")) if isinstance(link, dict))
        return
    for name in _HOLDERS[level]:
        for member in _list(holder.get(name)):
            yield from _with_ids(member, level + 1)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _ids_to_base64(holder: dict[str, Any]) -> None:
    for name in _ID_FIELDS:
        value = holder.get(name)
        if isinstance(value, str):
            holder[name] = base64.b64encode(_id_bytes(value)).decode()


def _id_bytes(text: str) -> bytes:
    """Return the bytes of a hex id; of anything else its text, whose length then tells that it is no id."""
    try:
        return bytes.fromhex(text) if text.isalnum() else text.encode(errors="replace")
    except ValueError:
        return text.encode(errors="replace")


def _refused(what: str) -> RequestError:
    return RequestError(f"body: {what:.300}", hint=f"The formats are described at {_SPEC}.", field="body")
