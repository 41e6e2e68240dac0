"""What holds for everything recorded in a block: carried by contextvars, so tasks inherit it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from auditstream_sdk.fields import ENVELOPE_NAMES

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from auditstream_sdk.fields import ContextFields

_NOTHING: Mapping[str, Any] = {}
CURRENT: ContextVar[Mapping[str, Any]] = ContextVar("auditstream_sdk_context", default=_NOTHING)
"""Envelope fields of the block; never changed in place."""

_ID_LENGTHS = (32, 16)  # hex digits of W3C trace and span ids


@contextmanager
def audit_context(**fields: Unpack[ContextFields]) -> Iterator[None]:
    """Put envelope fields on every event recorded inside; blocks nest, the inner one wins.

    Args:
        fields: Envelope fields, as `conversation_id`, `project_id`. `actor` is short for `actor_id`, and says
            that `actor_type` is USER unless it is given. `attributes` add up.

    Raises:
        TypeError: No such field.
    """
    token = CURRENT.set(merged(CURRENT.get(), checked(fields)))
    try:
        yield
    finally:
        CURRENT.reset(token)


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return envelope fields under their own names.

    Raises:
        TypeError: No such field.
    """
    found = dict(fields)
    if "actor" in found:
        found["actor_id"] = found.pop("actor")
        found.setdefault("actor_type", "USER")
    for name in found:
        if name not in ENVELOPE_NAMES:
            raise TypeError(
                f"{name}: events have no such field; put what they have none for into attributes="
            )
    return found


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return fields with others over them; attributes of both."""
    if not below:
        return above
    if "attributes" in below and "attributes" in above:
        return {**below, **above, "attributes": {**below["attributes"], **above["attributes"]}}
    return {**below, **above}


def active_span() -> tuple[str, str] | None:
    """Return trace and span id of the active OpenTelemetry span, None without one.

    OpenTelemetry is looked up, never imported: a process that did not load it has no active span.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    try:
        context = trace.get_current_span().get_span_context()
        trace_id, span_id = context.trace_id, context.span_id
    except Exception:  # noqa: BLE001  half-imported, or of another make: then there is no span to name
        return None
    if not trace_id or not span_id:
        return None
    return f"{trace_id:032x}", f"{span_id:016x}"
