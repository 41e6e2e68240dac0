"""What happens in conversations, as narrow rows: what rules about sequences are looked up in.

Most events are no act, and an act keeps numbers where texts were: names are hashed, so that a hundred
thousand of them are a few megabytes. Hashes are compared within one process only, never stored.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

import polars as pl

from auditstream.core.event_types import CALL_TYPES


class Kind(IntEnum):
    """What an act is."""

    CALL = 0
    TOOL = 1
    STEP = 2
    DECISION = 3
    REVIEW = 4
    ROUTE = 5


class Mark(IntFlag):
    """What is notable of an act; 0 for most."""

    CHANGES = 1
    """A tool call that writes, destroys or reaches outside, and was not blocked."""
    DESTROYS = 2
    """A tool call that destroys, and was not blocked."""
    INJECTED = 4
    """A decision that saw an injection."""
    BLOCKS = 8
    """A decision that blocked what it judged."""
    APPROVES = 16
    """A review that lets an action go on."""
    MANDATED = 32
    """A call of a model that a policy must judge, and that was not blocked."""


COLUMNS = (
    "event_id", "event_type", "event_time", "tenant_id", "project_id", "agent_id", "agent_instance_id",
    "conversation_id", "trace_id", "causation_id", "outcome", "output_tokens", "tool_name",
    "tool_mcp_server", "tool_args_hmac", "tool_side_effect", "policy_subject_event_id", "policy_id",
    "policy_action", "policy_risk_category", "policy_risk_score",
    "review_subject_event_id", "review_decision", "routing_from_model", "routing_to_model",
)  # fmt: skip
"""Columns of events that acts are made of."""

INJECTION_SCORE = 0.8
"""Risk score from which a decision about an injection is a signal (detection catalogue, D07)."""

_INJECTION = "injection|jailbreak"
"""Categories as guardrails write them: `prompt_injection`, `indirect-injection`, `jailbreak`."""

_TYPES = {
    **dict.fromkeys(CALL_TYPES, Kind.CALL),
    "ai.tool_call": Kind.TOOL,
    "ai.agent.action": Kind.STEP,
    "ai.policy.decision": Kind.DECISION,
    "ai.human.review": Kind.REVIEW,
    "ai.routing": Kind.ROUTE,
}

TYPES = tuple(_TYPES)
"""Types of events that may be acts."""

_CHANGING = ("WRITE", "DESTRUCTIVE", "EXTERNAL")
_LETS_GO_ON = ("APPROVE", "OVERRIDE")

_SAME = (
    "tool_name", "tool_mcp_server", "tool_args_hmac", "policy_id", "routing_from_model", "routing_to_model",
)  # fmt: skip
"""What makes two acts of a kind the same."""

_SEED = 0

TEXTS = ("tenant", "project", "conversation_id", "run_id", "agent_id", "what")

SCHEMA: dict[str, pl.DataType] = {
    "index": pl.UInt64(),
    "time": pl.Int64(),
    "stamp": pl.Int64(),
    "kind": pl.UInt8(),
    "marks": pl.UInt8(),
    "conversation": pl.UInt64(),
    "run": pl.UInt64(),
    "agent": pl.UInt64(),
    "key": pl.UInt64(),
    "name": pl.UInt64(),
    "event": pl.UInt64(),
    "subject": pl.UInt64(),
    "cause": pl.UInt64(),
    "tokens": pl.Int64(),
    "event_id": pl.Binary(),
    **dict.fromkeys(TEXTS, pl.String()),
}
"""Columns of acts.

`index` is the leaf index, `time` the event time and `stamp` the broker's, in microseconds; an event time
that is later than the broker's counts as that, for then the producer's clock is ahead. `conversation`, `run`
and `agent` are hashes within the tenant, `key` that of what makes two acts the same (tool and arguments,
policy, models of a route), `name` that of the tool or policy, `event`, `subject` and `cause` of event ids.
The texts are null once they are not needed any more.
"""


def acts_of(events: pl.DataFrame, mandated: pl.Expr | None = None) -> pl.DataFrame:
    """Return the acts among events, in order: columns of `SCHEMA`.

    Args:
        events: `COLUMNS`, and `index` and `stamp` as of `SCHEMA`; an absent text is null or empty. Repeats
            and further reports of a call are left out by who calls.
        mandated: Which calls must be judged by a policy; none when None. Calls that need not, and that no
            agent made, are no acts.
    """
    kinds = _kinds(events["event_type"])
    if kinds is None:
        return pl.DataFrame(schema=SCHEMA)
    must = pl.lit(value=False) if mandated is None else (pl.col("event_type") == "ai.inference") & mandated
    rows = events.with_columns(kinds, must.fill_null(value=False).alias("must")).filter(
        pl.col("kind").is_not_null() & ((pl.col("kind") != Kind.CALL) | (_text("agent_id") != ""))
        | pl.col("must")
    )
    return rows.select(
        pl.col("index").cast(pl.UInt64),
        pl.min_horizontal(pl.col("event_time").to_physical(), "stamp").cast(pl.Int64).alias("time"),
        pl.col("stamp").cast(pl.Int64),
        "kind",
        _marks().cast(pl.UInt8).alias("marks"),
        _hash("tenant_id", _conversation()).alias("conversation"),
        _hash("tenant_id", _run()).alias("run"),
        _hash("tenant_id", _text("agent_id")).alias("agent"),
        _key().alias("key"),
        _what().hash(_SEED).alias("name"),
        pl.col("event_id").bin.encode("hex").hash(_SEED).alias("event"),
        _id_hash(_subject()).alias("subject"),
        _id_hash(_text("causation_id")).alias("cause"),
        pl.col("output_tokens").cast(pl.Int64).alias("tokens"),
        "event_id",
        pl.col("tenant_id").alias("tenant"),
        _text("project_id").alias("project"),
        _conversation().alias("conversation_id"),
        _run().alias("run_id"),
        _text("agent_id").alias("agent_id"),
        _what().alias("what"),
    )


def _kinds(types: pl.Series) -> pl.Series | None:
    """Return what each type of event is, or None when none of them is an act."""
    kinds = types.replace_strict(_TYPES, default=None, return_dtype=pl.UInt8).alias("kind")
    return None if kinds.null_count() == len(kinds) else kinds


def hash_of(name: str) -> int:
    """Return what `name` of an act is for a tool, policy or model."""
    return int(pl.select(pl.lit(name).hash(_SEED)).item())


def _text(name: str) -> pl.Expr:
    return pl.col(name).fill_null("")


def _hash(*parts: str | pl.Expr) -> pl.Expr:
    """Return a hash over several values together."""
    return pl.struct(*parts).hash(_SEED)


def _id_hash(text: pl.Expr) -> pl.Expr:
    """Return the hash of an event id as that of an event's own: of 32 hex digits; null for no id."""
    digits = text.str.replace_all("-", "", literal=True).str.to_lowercase()
    return pl.when(digits != "").then(digits.hash(_SEED))


def _subject() -> pl.Expr:
    judged, reviewed = _text("policy_subject_event_id"), _text("review_subject_event_id")
    return pl.when(judged != "").then(judged).otherwise(reviewed)


def _conversation() -> pl.Expr:
    """Return the conversation, else the trace: what keeps events in one partition."""
    return _first("conversation_id", "trace_id")


def _run() -> pl.Expr:
    """Return the running copy of the agent, else the conversation."""
    return _first("agent_instance_id", "conversation_id", "trace_id")


def _first(*names: str) -> pl.Expr:
    """Return the first text that is not empty; empty when all are."""
    return pl.coalesce(*(pl.when(_text(name) != "").then(name) for name in names), pl.lit(""))


def _key() -> pl.Expr:
    """Return what makes an act the same as another; null for a tool call that does not tell its arguments."""
    untold = (pl.col("kind") == Kind.TOOL) & (_text("tool_args_hmac") == "")
    return pl.when(~untold).then(_hash("kind", *map(_text, _SAME)))


def _what() -> pl.Expr:
    """Return the name of the tool or policy, or the model that a route leads to."""
    return _first("tool_name", "policy_id", "routing_to_model")


def _marks() -> pl.Expr:
    blocked = pl.col("outcome").eq_missing(pl.lit("BLOCKED"))
    effect = pl.when((pl.col("kind") == Kind.TOOL) & ~blocked).then(_text("tool_side_effect"))
    is_injection = _text("policy_risk_category").str.contains(_INJECTION) & (
        pl.col("policy_risk_score").fill_null(1.0) >= INJECTION_SCORE
    )
    found = {
        Mark.CHANGES: effect.is_in(_CHANGING),
        Mark.DESTROYS: effect == "DESTRUCTIVE",
        Mark.INJECTED: (pl.col("kind") == Kind.DECISION) & is_injection,
        Mark.BLOCKS: _text("policy_action") == "block",
        Mark.APPROVES: _text("review_decision").is_in(_LETS_GO_ON),
        Mark.MANDATED: pl.col("must") & ~blocked,
    }
    return pl.sum_horizontal(
        flag.fill_null(value=False).cast(pl.UInt8) * pl.lit(int(mark), pl.UInt8)
        for mark, flag in found.items()
    )
