"""Drafts: events as the dicts that the Avro codec takes, with ids and times but no sequence number yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from auditstream.core.ids import uuid7
from auditstream.demo.calibration import TokenCounts
from auditstream.demo.cast import Company, Project, source_of
from auditstream.demo.spans import is_span, span_id_of

Draft = dict[str, Any]

SCHEMA_REV = "1.0.0"
_USERS_A_COMPANY = 400


@dataclass(slots=True)
class Conversation:
    """A conversation, or an agent's run, that is going on.

    Attributes:
        company: Tenant.
        project: Project of it.
        id: Conversation id.
        envelope: Fields that all of its events have.
        variant: Variant of the experiment; empty when not in it.
        free_at_us: When its next turn may begin, microseconds since the epoch.
        turns: How many turns it has had.
        steps: How many steps its agent has taken.
    """

    company: Company
    project: Project
    id: str
    envelope: Draft
    variant: str = ""
    free_at_us: int = 0
    turns: int = 0
    steps: int = 0


@dataclass(slots=True)
class Turn:
    """One turn of a conversation: one trace.

    Attributes:
        conversation: The conversation.
        now_us: How far the turn has come, microseconds since the epoch.
        trace_id: Trace of the turn.
        span_id: Span that the turn's actions are children of.
        drafts: What has happened in it.
    """

    conversation: Conversation
    now_us: int
    trace_id: str
    span_id: str
    drafts: list[Draft] = field(default_factory=list)


class Pen:
    """Writes drafts from one source of random numbers."""

    def __init__(self, random: Random, tokens: TokenCounts) -> None:
        self.random = random
        self.tokens = tokens

    def hex(self, bits: int) -> str:
        """Return a random number as lower-case hex digits."""
        return f"{self.random.getrandbits(bits) | 1:0{bits // 4}x}"

    def event_id(self, at_us: int) -> str:
        """Return a UUIDv7 of a time."""
        return str(uuid7(at_us // 1_000, self.random.randbytes(10)))

    def chance(self, share: float) -> bool:
        """Return true in a share of all cases."""
        return self.random.random() < share

    def around(self, median: float, sigma: float = 0.5) -> int:
        """Return a log-normal whole number."""
        return int(self.random.lognormvariate(0.0, sigma) * median)

    def conversation(self, company: Company, project: Project) -> Conversation:
        """Return a new conversation of a person, or of an agent, with a project."""
        id_ = f"conv-{self.hex(64)}"
        agent = project.agent
        envelope: Draft = {
            "schema_rev": SCHEMA_REV,
            "source": source_of(company, project),
            "source_instance": f"{project.id}-{self.random.randrange(2)}",
            "tenant_id": company.tenant if project.names_tenant else "",
            "feature_id": project.feature,
            "actor_type": "USER",
            "actor_id": f"user-{company.tenant}-{self.random.randrange(_USERS_A_COMPANY):03d}",
            "credential_id": project.credential,
            "session_id": f"session-{self.hex(48)}",
            "src_country": self.random.choice(company.countries),
            "conversation_id": id_,
        }
        if self.chance(0.8):  # the others are completed from the credential
            envelope |= {
                "project_id": project.id,
                "team_id": project.team,
                "cost_center": project.cost_center,
                "environment": project.environment,
            }
        if agent is not None:
            envelope |= {
                "agent_id": agent.id,
                "agent_name": agent.name,
                "agent_version": agent.version,
                "agent_framework": agent.framework,
                "agent_instance_id": f"run-{self.hex(32)}",
            }
        return Conversation(company, project, id_, envelope)

    def turn(self, conversation: Conversation, at_us: int) -> Turn:
        """Return a new turn that begins at a time."""
        return Turn(conversation, at_us, self.hex(128), self.hex(64))

    def write(self, turn: Turn, event_type: str, *, takes_us: int = 0, **fields: Any) -> Draft:
        """Add an event to a turn: it begins now, and the turn goes on when it has ended.

        Args:
            turn: The turn.
            event_type: As in the event contract.
            takes_us: Its length; 0 for an event without one.
            fields: Envelope fields and family records beyond those of the conversation.
        """
        draft: Draft = {
            **turn.conversation.envelope,
            "event_id": self.event_id(turn.now_us),
            "event_type": event_type,
            "event_time": turn.now_us,
            "outcome": "SUCCESS",
            "severity": 1,
            "trace_id": turn.trace_id,
            "span_id": self.hex(64),
            "parent_span_id": turn.span_id,
            **fields,
        }
        if is_span(turn.conversation.project.door, event_type):
            draft["event_id"] = span_id_of(draft)  # as the gateway will derive it, so that others may name it
        if takes_us:
            draft["duration_us"] = takes_us
            turn.now_us += takes_us
        turn.drafts.append(draft)
        return draft
