"""An event as one sentence: who did what to what, for whom, with which end. What is not known is not said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditstream.console.formats import length, plain
from auditstream.console.kinds import kind_of

Row = Mapping[str, Any]

_ENDS = {
    "SUCCESS": "It succeeded",
    "FAILURE": "It failed",
    "BLOCKED": "It was blocked",
    "PARTIAL": "It succeeded in part",
}


def summary(row: Row) -> str:
    """Return the sentence of an event, from its row of table `events`."""
    said = _SAID.get(_text(row, "event_type"), _other)(row)
    told = [f"{_who(row)} {said}".strip() + "."]
    if end := _end(row):
        told.append(end)
    sentence = " ".join(told)
    return sentence[:1].upper() + sentence[1:]


def _who(row: Row) -> str:
    agent = _text(row, "agent_name") or _text(row, "agent_id")
    actor = _text(row, "actor_id") or _text(row, "credential_id")
    if agent and actor and actor != agent:
        return f"agent {agent}, for {_actor_word(row)}{actor},"
    if agent:
        return f"agent {agent}"
    return f"{_actor_word(row)}{actor}" if actor else _text(row, "source") or "somebody"


def _actor_word(row: Row) -> str:
    words = {"USER": "user ", "SERVICE": "service ", "API_KEY": "key ", "SYSTEM": "system "}
    return words.get(_text(row, "actor_type"), "")


def _end(row: Row) -> str:
    end = _ENDS.get(_text(row, "outcome"), "")
    if not end:
        return ""
    if row.get("duration_us"):
        end += f" after {length(row['duration_us'])}"
    error = _text(row, "error_type")
    if error and _text(row, "outcome") != "SUCCESS":
        end += f": {error}"
    elif row.get("http_status") and _text(row, "outcome") == "FAILURE":
        end += f" with HTTP {row['http_status']}"
    return end + "."


def _inference(row: Row) -> str:
    model = _text(row, "inference_response_model") or _text(row, "inference_request_model") or "a model"
    provider = _text(row, "inference_provider")
    said = f"called {model}" + (f" of {provider}" if provider else "")
    tokens = [
        f"{row[name]:,} tokens {word}"
        for name, word in (("input_tokens", "in"), ("output_tokens", "out"))
        if row.get(name) is not None
    ]
    return said + (f": {', '.join(tokens)}" if tokens else "")


def _tool(row: Row) -> str:
    tool, server = _text(row, "tool_name") or "a tool", _text(row, "tool_mcp_server")
    effects = {
        "WRITE": ", which writes",
        "DESTRUCTIVE": ", which destroys",
        "EXTERNAL": ", which acts outside",
    }
    said = f"used tool {tool}" + (f" of {server}" if server else "")
    return said + effects.get(_text(row, "tool_side_effect"), "")


def _retrieval(row: Row) -> str:
    source = _text(row, "retrieval_data_source_id") or _text(row, "retrieval_store_id") or "a store"
    hits = row.get("retrieval_hits")
    return f"searched {source}" + (f" and found {hits:,}" if hits is not None else "")


def _step(row: Row) -> str:
    peer = _text(row, "agent_step_peer_agent_id")
    said = (
        f"took step {row['agent_step_index']}" if row.get("agent_step_index") is not None else "took a step"
    )
    return said + (f" with agent {peer}" if peer else "")


def _policy(row: Row) -> str:
    verdict, policy = _text(row, "policy_verdict").lower() or "no verdict", _text(row, "policy_id")
    said = f"was checked by policy {policy or 'unnamed'}: {verdict}"
    if category := _text(row, "policy_risk_category"):
        said += f", for {category}"
    return said + (" (only noted)" if _text(row, "policy_mode") == "MONITOR" else "")


def _review(row: Row) -> str:
    decisions = {
        "REQUESTED": "asked for a review", "APPROVE": "approved", "REJECT": "rejected",
        "OVERRIDE": "overrode the verdict", "ESCALATE": "escalated", "EXPIRED": "let the review expire",
    }  # fmt: skip
    said = decisions.get(_text(row, "review_decision"), "reviewed")
    reviewer = _text(row, "review_reviewer_id")
    return said + (f"; reviewer {reviewer}" if reviewer else "")


def _evaluation(row: Row) -> str:
    score, label = row.get("evaluation_score"), _text(row, "evaluation_label")
    said = f"was scored for {_text(row, 'evaluation_name') or 'quality'}"
    return said + (f": {score:g}" if score is not None else "") + (f" ({label})" if label else "")


def _limit(row: Row) -> str:
    scope = _text(row, "limit_scope")
    return f"met limit {_text(row, 'limit_name') or 'unnamed'}" + (f" of the {scope}" if scope else "")


def _routing(row: Row) -> str:
    before, after = _text(row, "routing_from_model"), _text(row, "routing_to_model")
    reason = _text(row, "routing_reason")
    said = f"was routed{f' from {before}' if before else ''} to {after or 'a model'}"
    return said + (f" because of {reason}" if reason else "")


def _experiment(row: Row) -> str:
    variant, key = _text(row, "experiment_variant"), _text(row, "experiment_key")
    return f"got variant {variant or 'unnamed'} of {key or 'an experiment'}"


def _access(row: Row) -> str:
    return f"{_text(row, 'access_activity') or 'access'} for {_text(row, 'access_subject_id') or 'itself'}"


def _change(row: Row) -> str:
    kind, name = _text(row, "change_object_type") or "something", _text(row, "change_object_id")
    ticket = _text(row, "change_ticket")
    return f"changed {kind} {name}".rstrip() + (f" under {ticket}" if ticket else "")


def _budget(row: Row) -> str:
    said = f"budget {_text(row, 'budget_id') or 'unnamed'}"
    if row.get("budget_spent") is not None and row.get("budget_limit") is not None:
        currency = _text(row, "budget_currency")
        said += f" stands at {row['budget_spent']:,.2f} of {row['budget_limit']:,.2f} {currency}".rstrip()
    return f"reports that {said}"


def _discovery(row: Row) -> str:
    kind, name = _text(row, "discovery_asset_type") or "asset", _text(row, "discovery_asset_id")
    return f"uses an unregistered {kind}" + (f": {name}" if name else "")


def _data_access(row: Row) -> str:
    rows, tables = row.get("data_access_rows"), plain(row.get("data_access_tables")) or "the record"
    said = f"read {tables}" + (f", {rows:,} rows" if rows else "")
    destination = _text(row, "data_access_destination")
    return said + (f", to {destination}" if destination else "")


def _finding(row: Row) -> str:
    title = _text(row, "finding_title") or _text(row, "finding_rule_id")
    return "told of a finding" + (f": {title.rstrip('.')}" if title else "")


def _heartbeat(row: Row) -> str:
    dropped = row.get("heartbeat_dropped") or 0
    return "said that it lives" + (f", having dropped {dropped:,} events" if dropped else "")


def _operational(row: Row) -> str:
    return "reported a cost that no call has"


def _other(row: Row) -> str:
    return kind_of(_text(row, "event_type")).words.lower()


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


_SAID: Mapping[str, Callable[[Row], str]] = {
    "ai.inference": _inference,
    "ai.embedding": _inference,
    "ai.retrieval": _retrieval,
    "ai.memory": _retrieval,
    "ai.tool_call": _tool,
    "ai.agent.action": _step,
    "ai.policy.decision": _policy,
    "ai.human.review": _review,
    "ai.evaluation": _evaluation,
    "ai.rate_limit": _limit,
    "ai.routing": _routing,
    "ai.experiment.assignment": _experiment,
    "ai.auth": _access,
    "ai.key.lifecycle": _access,
    "ai.access.grant": _access,
    "ai.config.change": _change,
    "ai.prompt.version": _change,
    "ai.agent.lifecycle": _change,
    "ai.budget": _budget,
    "ai.discovery": _discovery,
    "ai.data_access": _data_access,
    "ai.data_finding": _policy,
    "ai.finding": _finding,
    "ai.incident": _finding,
    "ai.source.heartbeat": _heartbeat,
    "ai.cost.operational": _operational,
}
