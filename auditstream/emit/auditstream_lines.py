"""Format `auditstream`: an AuditEvent a line, as JSON (`schemas.intake` says how JSON carries its types)."""

from __future__ import annotations

from collections.abc import Iterator

from auditstream.emit.json_line import object_of
from auditstream.emit.reading import BadLineError, Options, Reading, Refused, judged
from auditstream.emit.source import Line, Source


def read_auditstream(source: Source, options: Options) -> Iterator[Reading]:
    """Yield one reading a line; events that name no tenant get that of the options."""
    for line in source.lines():
        yield _reading(line, options)


def _reading(line: Line, options: Options) -> Reading:
    try:
        event = object_of(line.content)
    except BadLineError as bad:
        return Refused(line.number, bad.field, bad.reason)
    if options.tenant and event.get("tenant_id", "") == "":
        event["tenant_id"] = options.tenant
    return judged(line.number, event)
