"""Where spans and records come from: resource and scope, which many of them share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from auditstream.gateway.otlp import kinds
from auditstream.gateway.otlp.completion import complete
from auditstream.gateway.otlp.contents import Hmac
from auditstream.gateway.otlp.gathering import Gathered, bounded, nested
from auditstream.gateway.otlp.values import attributes_of


@dataclass(frozen=True, slots=True)
class Options:
    """What a tenant's requests are read with.

    Attributes:
        content_hmac: Keyed HMAC of content, with the tenant's key; without it content leaves its size only.
        pass_content: Whether content goes on as the attributes `content.input` and `content.output`, for a
            stage that seals it and takes it out; for tenants that chose to keep content.
    """

    content_hmac: Hmac | None = None
    pass_content: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Resource and scope of some spans or records.

    Attributes:
        resource: Attributes of the resource.
        scope: What we keep of the scope, by name.
        options: What the request is read with.
    """

    resource: dict[str, Any]
    scope: dict[str, str]
    options: Options = field(default_factory=Options)

    @classmethod
    def of(cls, resource: Any, scope: Any, schema_url: str, options: Options) -> Origin:
        """Return the origin of what a scope holds.

        Args:
            resource: Resource message.
            scope: InstrumentationScope message.
            schema_url: Schema that the scope's names follow, if it says so.
            options: What the request is read with.
        """
        named = {
            "otel.scope.name": scope.name,
            "otel.scope.version": scope.version,
            "otel.schema_url": schema_url,
        }
        kept = {name: value[:256] for name, value in named.items() if value}
        return cls(attributes_of(resource.attributes), kept, options)


def event_from(
    origin: Origin, gathered: Gathered, *, operation: str, name: str, failed: bool
) -> dict[str, Any]:
    """Return an event's fields, all but its id, time and place in the trace.

    Args:
        origin: Where it comes from; its resource is taken here, after the span's own attributes.
        gathered: The span's attributes and content.
        operation: Operation of a model call.
        name: Name of the span or event.
        failed: Whether it ended in an error.
    """
    gathered.take(origin.resource, resource=True)
    fields = gathered.fields()
    measured = gathered.contents.fields(gathered.event_type, origin.options.content_hmac)
    measured = {path: value for path, value in measured.items() if _belongs(path, gathered.event_type)}
    event = nested({**fields, **measured})
    event["event_type"] = gathered.event_type
    kept = gathered.kept
    complete(event, kept, operation=operation, name=name, failed=failed)
    own = dict(origin.scope)
    if origin.options.pass_content:
        own |= gathered.contents.passed_on()
    event["attributes"] = bounded(kept, own)
    return event


def _belongs(path: str, event_type: str) -> bool:
    family, dot, _ = path.partition(".")
    return not dot or family in kinds.FAMILIES[event_type]
