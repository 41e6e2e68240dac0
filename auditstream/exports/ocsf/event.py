"""A record as an OCSF event: the class's columns as attributes, everything else in `unmapped`.

Nothing that the record says is lost: a column without a rule, or with a value that its rule cannot take,
stays under its own name in `unmapped`, and so does what an attribute says less exactly. Costs are there too,
for OCSF has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditstream.exports.ocsf.classes import OcsfClass
from auditstream.exports.ocsf.envelope import SEVERITIES, TAGS
from auditstream.exports.ocsf.kinds import OTHER, kind_of
from auditstream.exports.ocsf.rules import milliseconds, put
from auditstream.exports.records import Record

OCSF_VERSION = "1.8.0"
"""Version of the schema that events are written in."""

_MODEL_UNKNOWN = "unknown"


def ocsf_of(record: Record) -> dict[str, Any]:
    """Return the OCSF event of a record.

    Args:
        record: With `event_id`, `event_type`, `event_time` and `source`, as every recorded event has.
    """
    kind = kind_of(record)
    ocsf_class, activity = kind.ocsf_class, kind.activity(record)
    event: dict[str, Any] = {
        "class_uid": ocsf_class.uid,
        "class_name": ocsf_class.name,
        "category_uid": ocsf_class.category_uid,
        "category_name": ocsf_class.category,
        "activity_id": activity,
        "activity_name": ocsf_class.activities[activity] if activity != OTHER else record["event_type"],
        "type_uid": ocsf_class.uid * 100 + activity,
        "type_name": f"{ocsf_class.name}: {ocsf_class.activities[activity]}",
        "metadata": {"version": OCSF_VERSION, "profiles": list(ocsf_class.profiles)},
    }
    left = _apply(ocsf_class, record, event)
    _tag(record, event, left)
    _complete(ocsf_class, record, event)
    if left:
        event.setdefault("unmapped", {}).update(left)
    return event


def _apply(ocsf_class: OcsfClass, record: Record, event: dict[str, Any]) -> dict[str, Any]:
    """Set the attributes of the class's rules, and return what stays."""
    mapped = set()
    for rule in ocsf_class.rules:
        if rule.column in record:
            value = rule.value(record[rule.column])
            if value is not None and put(event, rule.path, value) and rule.exact:
                mapped.add(rule.column)
    return {name: value for name, value in record.items() if name not in mapped}


def _tag(record: Record, event: dict[str, Any], left: dict[str, Any]) -> None:
    tags = [{"name": name, "value": record[name]} for name in TAGS if name in record]
    if tags:
        event["metadata"]["tags"] = tags
    for name in TAGS:
        left.pop(name, None)


def _complete(ocsf_class: OcsfClass, record: Record, event: dict[str, Any]) -> None:
    """Give what the class requires and the record has no column for."""
    put(event, "severity_id", 0)
    put(event, "severity", SEVERITIES[0])
    if "actor" in event:
        _complete_actor(record, event["actor"])
    if "src_endpoint" in event:
        put(event, "src_endpoint.svc_name", record["source"])  # an ASN or a country names no endpoint
    completion = _COMPLETIONS.get(ocsf_class.uid)
    if completion is not None:
        completion(record, event)


def _complete_actor(record: Record, actor: dict[str, Any]) -> None:
    user = actor.get("user")
    if user is not None and "uid" not in user:
        # OCSF asks for an id, and a keyed hash, or a credential, is all that is known of who it was.
        user["uid"] = user.get("uid_alt") or user.get("credential_uid") or "unknown"
    if "app_uid" not in actor:
        actor.setdefault("app_name", record["source"])


def _request(record: Record, event: dict[str, Any]) -> None:
    """Complete an event with a client and an actor that both must be there."""
    put(event, "src_endpoint.svc_name", record["source"])
    if "actor" not in event:
        event["actor"] = {"app_name": record["source"]}


def _call(record: Record, event: dict[str, Any]) -> None:
    _request(record, event)
    put(event, "api.operation", record["event_type"])
    _complete_model(record, event)
    resource = event.get("resources", [{}])[0]
    if resource and "name" not in resource and "uid" not in resource:
        resource["name"] = record["source"]
    trace = event.get("trace")
    if trace is not None:
        _complete_trace(record, event, trace)


def _complete_model(record: Record, event: dict[str, Any]) -> None:
    model, message = event.get("ai_model"), event.get("message_context")
    if model is not None:
        model.setdefault("name", _MODEL_UNKNOWN)
        model.setdefault("ai_provider", _MODEL_UNKNOWN)
    if message is not None:
        application = message.setdefault("application", {"name": record["source"]})
        if "uid" not in application:
            application.setdefault("name", record["source"])
        if "prompt_tokens" in message and "completion_tokens" in message:
            message["total_tokens"] = message["prompt_tokens"] + message["completion_tokens"]


def _complete_trace(record: Record, event: dict[str, Any], trace: dict[str, Any]) -> None:
    span = trace.get("span")
    if "uid" not in trace or (span is not None and "uid" not in span):
        left = event.setdefault("unmapped", {})
        left.update(
            {name: record[name] for name in ("trace_id", "span_id", "parent_span_id") if name in record}
        )
        del event["trace"]
    elif span is not None:
        start = milliseconds(record["event_time"])
        span["start_time"], span["end_time"] = start, start + event.get("duration", 0)


def _datastore(record: Record, event: dict[str, Any]) -> None:
    _request(record, event)
    _complete_model(record, event)
    if "database" in event:
        event["database"]["type_id"] = 7 if record["event_type"] == "ai.memory" else 99
    if "databucket" in event:
        event["databucket"]["type_id"] = 99
    if not {"database", "databucket", "table"} & event.keys():
        event["database"] = {"name": record["source"], "type_id": 99}
    if "query_info" in event:
        # The text itself is not recorded, so that what was looked for is not told of to everybody.
        event["query_info"]["query_string"] = ""
        put(event, "query_info.uid", record["event_id"])


def _sign_in(record: Record, event: dict[str, Any]) -> None:
    _user(record, event)
    event["service"] = {"name": record["source"]}


def _user(record: Record, event: dict[str, Any]) -> None:
    put(event, "user.uid", record.get("actor_id") or record.get("actor_hash") or "unknown")


def _grant(record: Record, event: dict[str, Any]) -> None:
    _user(record, event)
    put(event, "privileges", [])


def _entity(record: Record, event: dict[str, Any]) -> None:
    put(event, "entity.uid", record["event_type"])
    put(event, "entity.type", "credential" if record["event_type"] == "ai.key.lifecycle" else "object")


def _finding(record: Record, event: dict[str, Any]) -> None:
    put(event, "finding_info.uid", record["event_id"])
    put(event, "finding_info.title", record["event_type"])
    if "analytic" in event["finding_info"]:
        event["finding_info"]["analytic"]["type_id"] = 1
    put(event, "status_id", 1)


def _incident(record: Record, event: dict[str, Any]) -> None:
    put(event, "finding_info_list[].uid", record["event_id"])
    put(event, "finding_info_list[].title", record["event_type"])
    info = event["finding_info_list"][0]
    if "analytic" in info:
        info["analytic"]["type_id"] = 1
    put(event, "status_id", 0)
    put(event, "assignee_group.name", "unassigned")


def _asset(record: Record, event: dict[str, Any]) -> None:
    put(event, "resources[].name", record.get("discovery_asset_id", record["source"]))


def _application(record: Record, event: dict[str, Any]) -> None:
    put(event, "app.name", record["source"])


_COMPLETIONS: Mapping[int, Callable[[Record, dict[str, Any]], None]] = {
    6003: _call,
    6005: _datastore,
    3002: _sign_in,
    3004: _entity,
    3005: _grant,
    2004: _finding,
    2005: _incident,
    2006: _finding,
    5023: _asset,
    6002: _application,
}
"""By class, what it requires beside its rules."""
