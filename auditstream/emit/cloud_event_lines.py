"""Format `cloudevents`: a CloudEvent a line, in the JSON format."""

from __future__ import annotations

import time
from collections.abc import Iterator

from auditstream.emit.cloud_events import NotACloudEventError, event_of, from_json
from auditstream.emit.json_line import object_of
from auditstream.emit.reading import BadLineError, Options, Reading, Refused, judged
from auditstream.emit.source import Line, Source


def read_cloud_events(source: Source, options: Options) -> Iterator[Reading]:
    """Yield one reading a line; events that name no tenant get that of the options."""
    for line in source.lines():
        yield _reading(line, options)


def _reading(line: Line, options: Options) -> Reading:
    try:
        cloud_event = from_json(object_of(line.content))
        event = event_of(cloud_event, tenant_id=options.tenant, seen_s=time.time())
    except BadLineError as bad:
        return Refused(line.number, bad.field, bad.reason)
    except NotACloudEventError as bad:
        return Refused(line.number, bad.field or "event", bad.reason)
    if options.tenant and event.get("tenant_id", "") == "":
        event["tenant_id"] = options.tenant
    return judged(line.number, event)
