"""A record as a CloudEvent (1.0.2) in the JSON format: attributes from the envelope, the event as its data.

`emit --format cloudevents` reads it back to the same event. Source: cloudevents/spec, `spec.md`,
`formats/json-format.md` and the extensions in `extensions/`.
"""

from __future__ import annotations

from typing import Any

from auditstream.core.event_types import CLOUD_EVENT_PREFIX
from auditstream.core.values import as_json
from auditstream.exports.records import Record, datum_of


def cloud_event_of(record: Record) -> dict[str, Any]:
    """Return the CloudEvent of a record: required attributes, extensions where there is a value, and data."""
    datum = as_json(datum_of(record))
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": datum["event_id"],
        "source": datum["source"],
        "type": f"{CLOUD_EVENT_PREFIX}{datum['event_type']}.v1",
        "time": datum["event_time"],
    }
    if "conversation_id" in datum:
        event["subject"] = datum["conversation_id"]
    if "observed_time" in datum:
        event["recordedtime"] = datum["observed_time"]
    if "source_seq" in datum:
        event["sequence"] = str(datum["source_seq"])
    if "trace_id" in datum and "span_id" in datum:
        event["traceparent"] = f"00-{datum['trace_id']}-{datum['span_id']}-01"
    return {**event, "data": datum}
