"""The closed vocabularies of the contract; vocabularies that vendors extend are plain strings instead."""

from __future__ import annotations

from enum import StrEnum


class Vocabulary(StrEnum):
    """An Avro enum: a symbol that this version does not know reads as UNKNOWN, the schema's default."""

    @classmethod
    def _missing_(cls, value: object) -> Vocabulary | None:
        return cls.__members__.get("UNKNOWN") if isinstance(value, str) else None


class ActorType(Vocabulary):
    """What kind of principal acted."""

    UNKNOWN = "UNKNOWN"
    USER = "USER"
    SERVICE = "SERVICE"
    API_KEY = "API_KEY"
    AGENT = "AGENT"
    SYSTEM = "SYSTEM"


class Outcome(Vocabulary):
    """How the action ended."""

    UNKNOWN = "UNKNOWN"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    BLOCKED = "BLOCKED"
    PARTIAL = "PARTIAL"


class UsageSource(Vocabulary):
    """Who counted the tokens."""

    UNKNOWN = "UNKNOWN"
    PROVIDER = "PROVIDER"
    ESTIMATED = "ESTIMATED"
    NONE = "NONE"


class CostSource(Vocabulary):
    """Who priced the line."""

    UNKNOWN = "UNKNOWN"
    PROVIDER = "PROVIDER"
    LOCAL = "LOCAL"
    UNPRICED = "UNPRICED"


class SideEffect(Vocabulary):
    """What a tool call may change in the world."""

    UNKNOWN = "UNKNOWN"
    READ = "READ"
    WRITE = "WRITE"
    DESTRUCTIVE = "DESTRUCTIVE"
    EXTERNAL = "EXTERNAL"


class PolicyMode(Vocabulary):
    """Whether the policy's verdict was enforced or only noted."""

    UNKNOWN = "UNKNOWN"
    ENFORCE = "ENFORCE"
    MONITOR = "MONITOR"


class ReviewDecision(Vocabulary):
    """Where a human review stands."""

    UNKNOWN = "UNKNOWN"
    REQUESTED = "REQUESTED"
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    OVERRIDE = "OVERRIDE"
    ESCALATE = "ESCALATE"
    EXPIRED = "EXPIRED"


class FindingStatus(Vocabulary):
    """Where a finding stands in its life."""

    UNKNOWN = "UNKNOWN"
    NEW = "NEW"
    IN_PROGRESS = "IN_PROGRESS"
    SUPPRESSED = "SUPPRESSED"
    RESOLVED = "RESOLVED"


class SignalKind(Vocabulary):
    """What the signal watches."""

    UNKNOWN = "UNKNOWN"
    BUDGET = "BUDGET"
    SLO = "SLO"


class SignalState(Vocabulary):
    """What a gateway is asked to do with further requests of the scope."""

    UNKNOWN = "UNKNOWN"
    ALLOW = "ALLOW"
    THROTTLE = "THROTTLE"
    FALLBACK = "FALLBACK"
    BLOCK = "BLOCK"
