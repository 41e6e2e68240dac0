"""CloudEvents 1.0.2 to AuditEvents: attributes to the envelope, data to the families.

A type `<reverse DNS>.ai.<family>.v1` is one of ours: its data is the fields of an AuditEvent, and what the
attributes say fills in what the data does not. Any other type is kept as it is: of its data only the size is
recorded, for data may be content, and extensions that the contract has no field for become attributes.

A CloudEvent is one event by `source` and `id`: an id that is no UUID becomes one that is derived from both,
so that a repeat is a repeat. Source of the rules: cloudevents/spec, `spec.md` and `formats/json-format.md`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from auditstream.core.ids import uuid7

SPEC_VERSION = "1.0"
_REQUIRED = ("specversion", "id", "source", "type")
_OPTIONAL = ("datacontenttype", "dataschema", "subject", "time")
_DATA = ("data", "data_base64")
_NAME = re.compile(r"[a-z0-9]+")
_OURS = re.compile(r"(?:[a-z0-9-]+\.)*?(ai\.[a-z0-9_.]+)\.v1")
_MEDIA_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+(\s*;.*)?", re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_INTEGERS = range(-(2**31), 2**31)
_EVENT_FIELD = "event_id"

_ACTORS = {
    "user": "USER",
    "app_user": "USER",
    "service_account": "SERVICE",
    "api_key": "API_KEY",
    "system": "SYSTEM",
}
"""Extension `authtype` (CloudEvents Auth Context)."""

_OCSF_BY_SEVERITY = ((12, 1), (16, 3), (20, 4), (24, 6))
"""Extension `severitynumber`, OpenTelemetry's, up to which number OCSF's severity holds."""


class NotACloudEventError(Exception):
    """What a CloudEvent may not be.

    Attributes:
        field: Attribute at fault; empty for the event as a whole.
        reason: What is wrong with it.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """A CloudEvent, checked against the specification.

    Attributes:
        attributes: Context attributes that have a value, extensions among them; text, integers, booleans.
        data: Its data as JSON has it; None when there is none, or it came as bytes.
        data_size: Bytes of its data.
    """

    attributes: Mapping[str, Any]
    data: Any = None
    data_size: int = 0


def from_json(value: Mapping[str, Any]) -> CloudEvent:
    """Return the event of the JSON format.

    Raises:
        NotACloudEventError: It breaks a rule of the specification; names the attribute.
    """
    attributes = {}
    for name, item in value.items():
        if name in _DATA or item is None:
            continue
        _check_attribute(name, item)
        attributes[name] = item
    _check_context(attributes)
    if "data" in value and "data_base64" in value:
        raise NotACloudEventError("data_base64", "is given beside data")
    if value.get("data_base64") is not None:
        return CloudEvent(attributes, None, len(_bytes(value["data_base64"])))
    data = value.get("data")
    return CloudEvent(attributes, data, 0 if data is None else len(_text(data).encode(errors="replace")))


def from_headers(headers: Mapping[str, str], data: Any, data_size: int) -> CloudEvent:
    """Return the event of the HTTP binding's binary mode.

    Args:
        headers: Attributes by name, without `ce-`; `datacontenttype` is the header Content-Type.
        data: The body as JSON data, None when it is no JSON.
        data_size: Bytes of the body.

    Raises:
        NotACloudEventError: It breaks a rule of the specification; names the attribute.
    """
    for name in headers:
        _check_attribute(name, headers[name])
    _check_context(headers)
    return CloudEvent(headers, data, data_size)


def event_of(cloud_event: CloudEvent, *, tenant_id: str, seen_s: float) -> dict[str, Any]:
    """Return the AuditEvent's fields of a CloudEvent.

    Args:
        cloud_event: The event.
        tenant_id: Tenant of who sends it: events of two tenants are never the same one.
        seen_s: When it was seen, for one that says no time.

    Raises:
        NotACloudEventError: Its data contradicts its attributes, or is no object.
    """
    attributes = dict(cloud_event.attributes)
    found = _OURS.fullmatch(attributes["type"])
    event: dict[str, Any] = {}
    if found is not None:
        if cloud_event.data is not None and not isinstance(cloud_event.data, Mapping):
            raise NotACloudEventError("data", "is not an object with the fields of an AuditEvent")
        event = dict(cloud_event.data or {})
    event_type = found[1] if found is not None else attributes["type"]
    _agree(event, "event_type", event_type, "type")
    _agree(event, "source", attributes["source"], "source")
    event.setdefault("event_time", attributes.get("time") or _stamp(seen_s))
    given = event.setdefault(_EVENT_FIELD, str(event_id_of(attributes, tenant_id)))
    id_ = _uuid(attributes["id"])
    if id_ is not None and _uuid(given) not in {None, id_}:
        raise NotACloudEventError("id", f"is not the {_EVENT_FIELD} of the data")
    if id_ is None:
        event.setdefault("idempotency_key", attributes["id"])
    for name in (*_REQUIRED, "time"):
        attributes.pop(name, None)
    if found is None and cloud_event.data_size:
        event.setdefault("content_bytes", cloud_event.data_size)
    _fill(event, attributes, is_ours=found is not None)
    return event


def event_id_of(attributes: Mapping[str, Any], tenant_id: str) -> UUID:
    """Return the id of a CloudEvent as ours: its own where it is a UUID, else one derived from it.

    The derived one is a UUIDv7 of the event's time; without a time a UUIDv8, so that nobody reads a time
    there.
    """
    own = _uuid(attributes["id"])
    if own is not None:
        return own
    name = "\0".join((tenant_id, attributes["source"], attributes["id"]))
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).digest()
    if "time" in attributes:
        unix_ms = int(_moment(attributes["time"]).timestamp() * 1_000)
        if unix_ms >= 0:
            return uuid7(unix_ms, digest)
    number = int.from_bytes(digest[:16], "big") & ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=number | 0x8 << 76 | 0x2 << 62)


def _fill(event: dict[str, Any], attributes: dict[str, Any], *, is_ours: bool) -> None:
    """Take over what the data does not say; what has no field goes into `attributes`."""
    for name, (field, convert) in _FIELDS.items():
        if name in attributes:
            value = convert(attributes[name])
            if value is not None:
                event.setdefault(field, value)
                del attributes[name]
    traced = _TRACEPARENT.fullmatch(str(attributes.get("traceparent", "")))
    if traced is not None:
        event.setdefault("trace_id", traced[1])
        event.setdefault("span_id", traced[2])
        del attributes["traceparent"]
    if is_ours and "subject" in attributes:  # what our own messages put there
        event.setdefault("conversation_id", attributes.pop("subject"))
    kept = {name: _text(value) for name, value in attributes.items()}
    own = event.get("attributes")
    if kept and (own is None or isinstance(own, Mapping)):
        event["attributes"] = {**kept, **(own or {})}


def _severity(value: Any) -> int | None:
    number = _integer(value)
    if number is None or not 1 <= number <= 24:
        return None
    return next(severity for upto, severity in _OCSF_BY_SEVERITY if number <= upto)


def _integer(value: Any) -> int | None:
    text = str(value)
    return int(text) if not isinstance(value, bool) and re.fullmatch(r"-?[0-9]{1,18}", text) else None


_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "recordedtime": ("observed_time", lambda value: value if _TIME.fullmatch(str(value)) else None),
    "sequence": ("source_seq", _integer),
    "authtype": ("actor_type", lambda value: _ACTORS.get(str(value))),
    "authid": ("actor_id", str),
    "correlationid": ("conversation_id", str),
    "causationid": ("causation_id", str),
    "severitynumber": ("severity", _severity),
    "dataref": ("content_ref", str),
    "dataclassification": ("data_classes", lambda value: [str(value)]),
}
"""Extensions that the envelope has a field for, and how they become its value; None leaves them be."""


def _check_attribute(name: str, value: Any) -> None:
    if not _NAME.fullmatch(name):
        raise NotACloudEventError(name, "is no attribute name: a-z and 0-9 only")
    if isinstance(value, bool | str):
        return
    if not isinstance(value, int):
        raise NotACloudEventError(name, "is neither text nor an integer nor a boolean")
    if value not in _INTEGERS:
        raise NotACloudEventError(name, "does not fit 32 bits")


def _check_context(attributes: Mapping[str, Any]) -> None:
    for name in _REQUIRED:
        if name not in attributes:
            raise NotACloudEventError(name, "is required")
    for name in (*_REQUIRED, *_OPTIONAL):
        value = attributes.get(name)
        if value is not None and not isinstance(value, str):
            raise NotACloudEventError(name, "is not text")
        if value == "":
            raise NotACloudEventError(name, "is empty")
    if attributes["specversion"] != SPEC_VERSION:
        raise NotACloudEventError("specversion", f"is not {SPEC_VERSION}")
    media_type = attributes.get("datacontenttype")
    if media_type is not None and not _MEDIA_TYPE.fullmatch(media_type):
        raise NotACloudEventError("datacontenttype", "is no media type")
    if "time" in attributes:
        _moment(attributes["time"])


def _moment(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise NotACloudEventError("time", "is not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise NotACloudEventError("time", "is no time that there is") from None


def _agree(event: dict[str, Any], field: str, value: str, attribute: str) -> None:
    if event.setdefault(field, value) != value:
        raise NotACloudEventError(attribute, f"is not the {field} of the data")


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise NotACloudEventError("data_base64", "is not text")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise NotACloudEventError("data_base64", "is not base64") from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _stamp(seen_s: float) -> str:
    return datetime.fromtimestamp(seen_s, UTC).isoformat()
