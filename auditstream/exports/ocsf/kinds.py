"""Which OCSF class and activity each type of event is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auditstream.exports.ocsf.classes import (
    API_ACTIVITY,
    APPLICATION_LIFECYCLE,
    AUTHENTICATION,
    BASE_EVENT,
    DATA_SECURITY_FINDING,
    DATASTORE_ACTIVITY,
    DETECTION_FINDING,
    ENTITY_MANAGEMENT,
    INCIDENT_FINDING,
    INVENTORY,
    USER_ACCESS,
    OcsfClass,
)
from auditstream.exports.records import Record

OTHER = 99
"""`activity_id` of what OCSF has no number for."""

_WORDS = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a type of event is in OCSF.

    Attributes:
        ocsf_class: Its class.
        activity: Returns the number of a record's activity, one of the class's.
        said: How the activity is found, for the page.
    """

    ocsf_class: OcsfClass
    activity: Callable[[Record], int]
    said: str


def _always(number: int) -> Callable[[Record], int]:
    return lambda _: number


def _by_words(column: str, words: Mapping[str, int], otherwise: int) -> Callable[[Record], int]:
    """Return what finds an activity by the first known word in a column's text, as `role_revoked`."""

    def activity(record: Record) -> int:
        found = _WORDS.findall(re.sub(r"([a-z])([A-Z])", r"\1_\2", str(record.get(column, ""))).lower())
        return next(
            (number for word in found for stem, number in words.items() if word.startswith(stem)), otherwise
        )

    return activity


def _of_change(record: Record) -> int:
    """Return Create, Update or Delete, by which state of the object the event names."""
    before, after = record.get("change_before_hash"), record.get("change_after_hash")
    if after and not before:
        return 1
    return 4 if before and not after else 3


_SIGN_INS = {"logoff": 2, "logout": 2, "signout": 2, "logon": 1, "login": 1, "signin": 1}
_LIVES = {
    "creat": 1, "add": 1, "issue": 1, "import": 1, "delet": 4, "destroy": 4, "revok": 4, "remov": 4,
    "deactivat": 11, "activat": 10, "enabl": 8, "disabl": 9, "suspend": 12, "resum": 13, "rotat": 3,
    "updat": 3,
}  # fmt: skip
_GRANTS = {
    "revok": 2, "remov": 2, "delet": 2, "detach": 2, "unassign": 2, "grant": 1, "assign": 1, "add": 1,
    "attach": 1, "creat": 1,
}  # fmt: skip
_MEMORY = {"creat": 6, "upsert": 2, "updat": 2, "search": 4, "delet": 7}
_FINDING = {"RESOLVED": 3, "NEW": 1}


def _of_finding(record: Record) -> int:
    return _FINDING.get(str(record.get("finding_status")), 2)


_CALL = Kind(API_ACTIVITY, _always(OTHER), "99 Other")
_CHANGE = Kind(
    ENTITY_MANAGEMENT,
    _of_change,
    "1 Create without `change_before_hash`, 4 Delete without `change_after_hash`, else 3 Update",
)
_FOUND = "1 Create of `finding_status` NEW, 3 Close of RESOLVED, else 2 Update"

OTHER_TYPES = Kind(BASE_EVENT, _always(OTHER), "99 Other")
"""Types that OCSF has no class for."""

BREACH = Kind(DETECTION_FINDING, _always(1), "1 Create")
"""A budget of which all is spent; below that, a budget's event is a base event."""

KINDS: Mapping[str, Kind] = {
    "ai.inference": _CALL,
    "ai.embedding": _CALL,
    "ai.retrieval": Kind(DATASTORE_ACTIVITY, _always(4), "4 Query"),
    "ai.memory": Kind(
        DATASTORE_ACTIVITY,
        _by_words("inference_operation", _MEMORY, 4),
        "by `inference_operation`: 6 Create, 2 Update, 4 Query, 7 Delete; 4 Query where it says nothing",
    ),
    "ai.tool_call": _CALL,
    "ai.agent.action": _CALL,
    "ai.agent.lifecycle": _CHANGE,
    "ai.policy.decision": _CALL,
    "ai.human.review": _CALL,
    "ai.evaluation": OTHER_TYPES,
    "ai.rate_limit": _CALL,
    "ai.routing": _CALL,
    "ai.prompt.version": _CHANGE,
    "ai.experiment.assignment": OTHER_TYPES,
    "ai.auth": Kind(
        AUTHENTICATION,
        _by_words("access_activity", _SIGN_INS, OTHER),
        "by `access_activity`: 1 Logon, 2 Logoff, else 99 Other",
    ),
    "ai.key.lifecycle": Kind(
        ENTITY_MANAGEMENT,
        _by_words("access_activity", _LIVES, OTHER),
        "by `access_activity`: 1 Create, 3 Update, 4 Delete, 8 Enable, 9 Disable, 10 Activate, "
        "11 Deactivate, 12 Suspend, 13 Resume, else 99 Other",
    ),
    "ai.access.grant": Kind(
        USER_ACCESS,
        _by_words("access_activity", _GRANTS, OTHER),
        "by `access_activity`: 1 Assign Privileges, 2 Revoke Privileges, else 99 Other",
    ),
    "ai.config.change": _CHANGE,
    "ai.budget": OTHER_TYPES,
    "ai.cost.operational": OTHER_TYPES,
    "ai.discovery": Kind(INVENTORY, _always(1), "1 Log"),
    "ai.data_access": Kind(DATASTORE_ACTIVITY, _always(4), "4 Query"),
    "ai.data_finding": Kind(DATA_SECURITY_FINDING, _always(1), "1 Create"),
    "ai.finding": Kind(DETECTION_FINDING, _of_finding, _FOUND),
    "ai.incident": Kind(INCIDENT_FINDING, _of_finding, _FOUND),
    "ai.source.heartbeat": Kind(APPLICATION_LIFECYCLE, _always(OTHER), "99 Other"),
}
"""Every type of the catalogue. A type that is not in it is a base event."""


def kind_of(record: Record) -> Kind:
    """Return what a record is in OCSF."""
    if record["event_type"] == "ai.budget" and record.get("budget_threshold_pct", 0) >= 100:
        return BREACH
    return KINDS.get(record["event_type"], OTHER_TYPES)
