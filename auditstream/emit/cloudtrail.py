"""Format `cloudtrail`: records of AWS CloudTrail, one a line, or files as CloudTrail delivers them.

A record is an event of the cloud that the AI runs in. All of it is kept in `attributes`, by dotted path,
where rules of Sigma's log source `aws/cloudtrail` find it; what the envelope has a field for is there too.
Calls of models on Bedrock are `ai.inference`; CloudTrail does not know their tokens. What one identity does
is one conversation, so that it stays in order in one partition.

Source: "CloudTrail record contents" and "CloudTrail userIdentity element", AWS CloudTrail User Guide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from auditstream.core.record_sources import CLOUDTRAIL_SOURCE
from auditstream.emit.bedrock_invocation import OPERATIONS
from auditstream.emit.json_line import object_of
from auditstream.emit.reading import BadLineError, Options, Reading, Refused, judged
from auditstream.emit.record_values import address, given, record_id, required_text, required_time
from auditstream.emit.source import Source
from schemas.attribute_paths import attributes_of

_PERSONS = frozenset(
    {"IAMUser", "Root", "FederatedUser", "SAMLUser", "WebIdentityUser", "IdentityCenterUser"}
)
_SERVICES = frozenset({"AssumedRole", "Role", "AWSAccount"})
_DENIED = ("AccessDenied", "Unauthorized", "NotAuthorized", "Forbidden")
_AI = ("bedrock", "sagemaker")
_KEYS = ("AccessKey", "LoginProfile", "ServiceSpecificCredential", "SigningCertificate", "SSHPublicKey")
_GRANTS = (
    "Attach", "Detach", "Put", "AddUser", "RemoveUser", "UpdateAssumeRolePolicy", "CreateUser", "CreateRole",
)  # fmt: skip


def read_cloudtrail(source: Source, options: Options) -> Iterator[Reading]:
    """Yield one reading a record; a line may be a record, or `{"Records": […]}`."""
    for line in source.lines():
        try:
            records = _records(object_of(line.content))
        except BadLineError as bad:
            yield Refused(line.number, bad.field, bad.reason)
            continue
        for number, record in enumerate(records):
            try:
                event = event_of(record, source.file_hash + f"{line.number}/{number}".encode())
            except BadLineError as bad:
                yield Refused(line.number, bad.field, bad.reason)
                continue
            yield judged(line.number, event | {"tenant_id": options.tenant})


def _records(line: dict[str, Any]) -> list[Any]:
    if line.keys() != {"Records"}:
        return [line]
    if not isinstance(line["Records"], list):
        raise BadLineError("Records", "is not a list")
    return line["Records"]


def event_of(record: Any, place: bytes) -> dict[str, Any]:
    """Return a record as an event, for `schemas.intake`.

    Args:
        record: The record.
        place: Where it was, for the id of one that has none.

    Raises:
        BadLineError: It is no record, or has no name or time.
    """
    if not isinstance(record, Mapping):
        raise BadLineError("record", "is not a JSON object")
    time, name, service = (
        required_time(record, "eventTime"),
        required_text(record, "eventName"),
        required_text(record, "eventSource"),
    )
    identity = record.get("userIdentity")
    identity = identity if isinstance(identity, Mapping) else {}
    account = record.get("recipientAccountId") or identity.get("accountId") or ""
    event: dict[str, Any] = {
        "event_id": record_id(str(record.get("eventID") or ""), CLOUDTRAIL_SOURCE, time, place),
        "event_type": _event_type(service, name, record),
        "event_time": time,
        "source": f"{CLOUDTRAIL_SOURCE}{account}:{record.get('awsRegion') or ''}",
        "actor_type": _actor_type(identity),
        "outcome": _outcome(record),
        "attributes": attributes_of(record),
        **given("actor_id", identity.get("arn"), identity.get("principalId"), identity.get("invokedBy")),
        **given("conversation_id", identity.get("arn"), identity.get("principalId")),
        **given("credential_id", identity.get("accessKeyId")),
        **given("error_type", record.get("errorCode")),
        **given("user_agent", record.get("userAgent")),
        **given("idempotency_key", record.get("requestID")),
        **address(record.get("sourceIPAddress")),
    }
    return event | _family(event["event_type"], service, name, record, event.get("actor_id"))


def _event_type(service: str, name: str, record: Mapping[str, Any]) -> str:
    host = service.partition(".")[0]
    if host in {"bedrock", "bedrock-runtime"} and name in OPERATIONS:
        return "ai.inference"
    if host == "signin" or (host == "sts" and name.startswith("AssumeRole")):
        return "ai.auth"
    if host == "iam" and any(each in name for each in _KEYS):
        return "ai.key.lifecycle"
    if host == "iam" and name.startswith(_GRANTS):
        return "ai.access.grant"
    if host.startswith(_AI) and record.get("readOnly") is False:
        return "ai.config.change"
    return "cloud.api_call"


def _family(
    event_type: str, service: str, name: str, record: Mapping[str, Any], actor: str | None
) -> dict[str, Any]:
    asked = record.get("requestParameters")
    asked = asked if isinstance(asked, Mapping) else {}
    match event_type:
        case "ai.inference":
            inference = {
                "operation": OPERATIONS[name],
                "provider": "aws.bedrock",
                **given("request_model", asked.get("modelId")),
                **given("region", record.get("awsRegion")),
            }
            return {"inference": inference}
        case "ai.auth" | "ai.key.lifecycle" | "ai.access.grant":
            names = ("userName", "roleName", "groupName", "roleArn", "accessKeyId")
            subject = given("subject_id", *(asked.get(each) for each in names), actor)
            return {"access": {**subject, "activity": name}} if subject else {}
        case "ai.config.change":
            ids = [value for key, value in asked.items() if key.endswith(("Identifier", "Id", "Arn", "Name"))]
            object_id = given("object_id", *ids)
            return {"change": {"object_type": service.partition(".")[0], "object_id": name, **object_id}}
        case _:
            return {}


def _actor_type(identity: Mapping[str, Any]) -> str:
    kind = identity.get("type")
    if kind in _PERSONS:
        return "USER"
    if kind in _SERVICES:
        return "SERVICE"
    return "SYSTEM" if kind == "AWSService" else "UNKNOWN"


def _outcome(record: Mapping[str, Any]) -> str:
    error = record.get("errorCode")
    if isinstance(error, str) and error:
        return "BLOCKED" if any(each in error for each in _DENIED) else "FAILURE"
    answer = record.get("responseElements")
    refused = isinstance(answer, Mapping) and answer.get("ConsoleLogin") == "Failure"
    return "FAILURE" if refused else "SUCCESS"
