"""CloudEvents over HTTP to drafts: structured, batched and binary mode (CloudEvents HTTP binding 1.0.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from auditstream.core.errors import DecodeError
from auditstream.emit.cloud_events import CloudEvent, NotACloudEventError, event_of, from_headers, from_json
from auditstream.gateway.drafts import Draft, Refusal
from auditstream.gateway.json_bodies import of_json
from auditstream.gateway.problems import RefusedError
from schemas.strict_json import parse

_PREFIX = b"ce-"
_SPEC_VERSION = b"ce-specversion"
_STRUCTURED = b"application/cloudevents"


def is_binary(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request is in binary mode: the content type decides before the headers do (3)."""
    return _SPEC_VERSION in headers and not headers.get(b"content-type", b"").lower().startswith(_STRUCTURED)


def of_structured(
    body: bytes, *, is_batch: bool, events: int, depth: int, tenant_id: str, seen_s: float
) -> list[Draft]:
    """Return the drafts of one event in the JSON format, or of a batch of them.

    Args:
        body: JSON text.
        is_batch: Whether the content type says that it is a batch.
        events: Most events.
        depth: How deep an event may be nested.
        tenant_id: Tenant of who sends it.
        seen_s: When it was seen.

    Raises:
        RefusedError: The body is not JSON, not what the content type says, or has too many events.
    """
    if body.lstrip()[:1] != (b"[" if is_batch else b"{"):
        what = "a list of CloudEvents" if is_batch else "one CloudEvent"
        raise RefusedError("malformed", f"the body is not {what}, as its content type says")

    def draft_of(index: int, value: Mapping[str, Any]) -> Draft:
        try:
            return _draft(index, from_json(value), tenant_id, seen_s)
        except NotACloudEventError as error:
            return _refused(index, error)

    return of_json(body, events=events, depth=depth, draft_of=draft_of)


def of_binary(
    body: bytes, headers: Mapping[bytes, bytes], *, depth: int, tenant_id: str, seen_s: float
) -> list[Draft]:
    """Return the draft of an event whose attributes are headers and whose data is the body.

    Args:
        body: The data.
        headers: Of the request, by lower-case name.
        depth: How deep data may be nested.
        tenant_id: Tenant of who sends it.
        seen_s: When it was seen.
    """
    attributes = {
        name[len(_PREFIX) :].decode("latin-1"): unquote(value.decode("utf-8", "replace").strip())
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }
    media_type = headers.get(b"content-type", b"").decode("latin-1")
    if media_type:
        attributes["datacontenttype"] = media_type
    try:
        data = parse(body, depth=depth) if body and _is_json(media_type) else None
    except DecodeError as error:
        field = str(error.context["field"])
        return [Draft(0, None, Refusal("malformed", field or "data", f"data: {field} {error.message}"))]
    try:
        return [_draft(0, from_headers(attributes, data, len(body)), tenant_id, seen_s)]
    except NotACloudEventError as error:
        return [_refused(0, error)]


def _draft(index: int, cloud_event: CloudEvent, tenant_id: str, seen_s: float) -> Draft:
    return Draft(index, event_of(cloud_event, tenant_id=tenant_id, seen_s=seen_s))


def _refused(index: int, error: NotACloudEventError) -> Draft:
    detail = f"{error.field}: {error.reason}" if error.field else error.reason
    return Draft(index, None, Refusal("not_an_event", error.field, detail))


def _is_json(media_type: str) -> bool:
    kind = media_type.partition(";")[0].strip().lower()
    return not kind or kind == "application/json" or kind.endswith("+json")
