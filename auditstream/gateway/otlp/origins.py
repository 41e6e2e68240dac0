"""Where spans and records come from: resource and scope, which many of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditstream.gateway.otlp.completion import complete
from auditstream.gateway.otlp.gathering import Gathered, bounded, nested
from auditstream.gateway.otlp.values import attributes_of


@dataclass(frozen=True, slots=True)
class Origin:
    """Resource and scope of some spans or records.

    Attributes:
        resource: Attributes of the resource.
        scope: What we keep of the scope, by name.
    """

    resource: dict[str, Any]
    scope: dict[str, str]

    @classmethod
    def of(cls, resource: Any, scope: Any, schema_url: str) -> Origin:
        """Return the origin of what a scope holds.

        Args:
            resource: Resource message.
            scope: InstrumentationScope message.
            schema_url: Schema that the scope's names follow, if it says so.
        """
        named = {
            "otel.scope.name": scope.name,
            "otel.scope.version": scope.version,
            "otel.schema_url": schema_url,
        }
        kept = {name: value[:256] for name, value in named.items() if value}
        return cls(attributes_of(resource.attributes), kept)


def event_from(
    origin: Origin, gathered: Gathered, *, operation: str, name: str, failed: bool
) -> dict[str, Any]:
    """Return an event's fields, all but its id, time and place in the trace.

    Content is in the attributes `content.*`, for the privacy stage to measure and take out.

    Args:
        origin: Where it comes from; its resource is taken here, after the span's own attributes.
        gathered: The span's attributes and content.
        operation: Operation of a model call.
        name: Name of the span or event.
        failed: Whether it ended in an error.
    """
    gathered.take(origin.resource, resource=True)
    event = nested(gathered.fields())
    event["event_type"] = gathered.event_type
    kept = gathered.kept
    complete(event, kept, operation=operation, name=name, failed=failed)
    event["attributes"] = bounded(kept, origin.scope | gathered.contents.attributes(gathered.event_type))
    return event
