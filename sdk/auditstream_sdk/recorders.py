"""A recorder for each kind of event: what both clients have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from auditstream_sdk.recording import Kind

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from auditstream_sdk import fields as of

R_co = TypeVar("R_co", covariant=True)

KINDS: dict[str, Kind] = {
    "inference": Kind("ai.inference", "inference"),
    "embedding": Kind("ai.embedding", "inference"),
    "retrieval": Kind("ai.retrieval", "retrieval"),
    "memory": Kind("ai.memory", "retrieval"),
    "tool_call": Kind("ai.tool_call", "tool"),
    "agent_action": Kind("ai.agent.action", "agent_step"),
    "agent_lifecycle": Kind("ai.agent.lifecycle", "change"),
    "policy_decision": Kind("ai.policy.decision", "policy"),
    "human_review": Kind("ai.human.review", "review"),
    "evaluation": Kind("ai.evaluation", "evaluation"),
    "rate_limit": Kind("ai.rate_limit", "limit"),
    "routing": Kind("ai.routing", "routing"),
    "prompt_version": Kind("ai.prompt.version", "change"),
    "experiment_assignment": Kind("ai.experiment.assignment", "experiment"),
    "auth": Kind("ai.auth", "access"),
    "key_lifecycle": Kind("ai.key.lifecycle", "access"),
    "access_grant": Kind("ai.access.grant", "access"),
    "config_change": Kind("ai.config.change", "change"),
    "budget": Kind("ai.budget", "budget"),
    "operational_cost": Kind("ai.cost.operational", "costs"),
    "discovery": Kind("ai.discovery", "discovery"),
    "data_access": Kind("ai.data_access", "data_access"),
    "data_finding": Kind("ai.data_finding", "policy"),
    "finding": Kind("ai.finding", "finding"),
    "incident": Kind("ai.incident", "finding"),
}
"""Each recorder by name; `ai.source.heartbeat` is recorded by the client itself."""

_INFERENCE = KINDS["inference"]
_EMBEDDING = KINDS["embedding"]
_RETRIEVAL = KINDS["retrieval"]
_MEMORY = KINDS["memory"]
_TOOL_CALL = KINDS["tool_call"]
_AGENT_ACTION = KINDS["agent_action"]
_AGENT_LIFECYCLE = KINDS["agent_lifecycle"]
_POLICY_DECISION = KINDS["policy_decision"]
_HUMAN_REVIEW = KINDS["human_review"]
_EVALUATION = KINDS["evaluation"]
_RATE_LIMIT = KINDS["rate_limit"]
_ROUTING = KINDS["routing"]
_PROMPT_VERSION = KINDS["prompt_version"]
_EXPERIMENT_ASSIGNMENT = KINDS["experiment_assignment"]
_AUTH = KINDS["auth"]
_KEY_LIFECYCLE = KINDS["key_lifecycle"]
_ACCESS_GRANT = KINDS["access_grant"]
_CONFIG_CHANGE = KINDS["config_change"]
_BUDGET = KINDS["budget"]
_OPERATIONAL_COST = KINDS["operational_cost"]
_DISCOVERY = KINDS["discovery"]
_DATA_ACCESS = KINDS["data_access"]
_DATA_FINDING = KINDS["data_finding"]
_FINDING = KINDS["finding"]
_INCIDENT = KINDS["incident"]


class Recorders(Generic[R_co]):
    """One method a kind of event, which takes fields of its family and of the envelope.

    What each returns is a context manager and a decorator; `.record()` records it as a point in time.
    A field that neither family nor envelope has is a TypeError.
    """

    def _recording(self, kind: Kind, fields: Mapping[str, Any]) -> R_co:
        raise NotImplementedError

    def inference(self, **fields: Unpack[of.InferenceFields]) -> R_co:
        """Record a call of a model; `call.usage()` adds its tokens."""
        return self._recording(_INFERENCE, fields)

    def embedding(self, **fields: Unpack[of.InferenceFields]) -> R_co:
        """Record a call of an embedding model; `call.usage()` adds its tokens."""
        return self._recording(_EMBEDDING, fields)

    def retrieval(self, **fields: Unpack[of.RetrievalFields]) -> R_co:
        """Record a query of a vector store or data source."""
        return self._recording(_RETRIEVAL, fields)

    def memory(self, **fields: Unpack[of.RetrievalFields]) -> R_co:
        """Record a read or change of an agent's memory."""
        return self._recording(_MEMORY, fields)

    def tool_call(self, **fields: Unpack[of.ToolFields]) -> R_co:
        """Record a tool call, by MCP or otherwise."""
        return self._recording(_TOOL_CALL, fields)

    def agent_action(self, **fields: Unpack[of.AgentStepFields]) -> R_co:
        """Record a step of an agent's run."""
        return self._recording(_AGENT_ACTION, fields)

    def agent_lifecycle(self, **fields: Unpack[of.ChangeFields]) -> R_co:
        """Record that an agent was made, changed, switched on or off, or removed."""
        return self._recording(_AGENT_LIFECYCLE, fields)

    def policy_decision(self, **fields: Unpack[of.PolicyFields]) -> R_co:
        """Record a decision of a guardrail or policy."""
        return self._recording(_POLICY_DECISION, fields)

    def human_review(self, **fields: Unpack[of.ReviewFields]) -> R_co:
        """Record a step of a human review."""
        return self._recording(_HUMAN_REVIEW, fields)

    def evaluation(self, **fields: Unpack[of.EvaluationFields]) -> R_co:
        """Record a score of an output."""
        return self._recording(_EVALUATION, fields)

    def rate_limit(self, **fields: Unpack[of.LimitFields]) -> R_co:
        """Record an answer of a rate limiter."""
        return self._recording(_RATE_LIMIT, fields)

    def routing(self, **fields: Unpack[of.RoutingFields]) -> R_co:
        """Record a decision of a router: fallback, retry, cache or canary."""
        return self._recording(_ROUTING, fields)

    def prompt_version(self, **fields: Unpack[of.ChangeFields]) -> R_co:
        """Record a new version of a managed prompt."""
        return self._recording(_PROMPT_VERSION, fields)

    def experiment_assignment(self, **fields: Unpack[of.ExperimentFields]) -> R_co:
        """Record an assignment to a variant."""
        return self._recording(_EXPERIMENT_ASSIGNMENT, fields)

    def auth(self, **fields: Unpack[of.AccessFields]) -> R_co:
        """Record a sign-in or sign-out."""
        return self._recording(_AUTH, fields)

    def key_lifecycle(self, **fields: Unpack[of.AccessFields]) -> R_co:
        """Record that a credential was made, rotated, revoked or expired."""
        return self._recording(_KEY_LIFECYCLE, fields)

    def access_grant(self, **fields: Unpack[of.AccessFields]) -> R_co:
        """Record that access was granted or taken away."""
        return self._recording(_ACCESS_GRANT, fields)

    def config_change(self, **fields: Unpack[of.ChangeFields]) -> R_co:
        """Record a change of a policy, route, price book or other governed object."""
        return self._recording(_CONFIG_CHANGE, fields)

    def budget(self, **fields: Unpack[of.BudgetFields]) -> R_co:
        """Record that a budget crossed a threshold."""
        return self._recording(_BUDGET, fields)

    def operational_cost(self, **fields: Unpack[of.CostFields]) -> R_co:
        """Record a line of cost beside tokens, as of GPUs or storage; `call.cost()` adds lines."""
        return self._recording(_OPERATIONAL_COST, fields)

    def discovery(self, **fields: Unpack[of.DiscoveryFields]) -> R_co:
        """Record an agent, model or server that nobody had registered."""
        return self._recording(_DISCOVERY, fields)

    def data_access(self, **fields: Unpack[of.DataAccessFields]) -> R_co:
        """Record a query or export of the audit history itself."""
        return self._recording(_DATA_ACCESS, fields)

    def data_finding(self, **fields: Unpack[of.PolicyFields]) -> R_co:
        """Record a hit of a data classifier."""
        return self._recording(_DATA_FINDING, fields)

    def finding(self, **fields: Unpack[of.FindingFields]) -> R_co:
        """Record a detector's finding."""
        return self._recording(_FINDING, fields)

    def incident(self, **fields: Unpack[of.FindingFields]) -> R_co:
        """Record an incident."""
        return self._recording(_INCIDENT, fields)
