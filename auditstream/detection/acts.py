"""What happens in conversations, as narrow arrays: what rules about sequences look back at.

Most events are no act, and an act keeps numbers where texts were: names are hashed, so that a hundred
thousand acts are a few megabytes. Hashes are compared within one process only, never stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum, IntFlag
from functools import cache
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.core.event_types import CALL_TYPES
from schemas.byte_rows import rows_of
from schemas.sameness import says_one

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Kind(IntEnum):
    """What an act is."""

    NONE = 0
    CALL = 1
    TOOL = 2
    STEP = 3
    DECISION = 4
    REVIEW = 5


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
    FAILS = 64
    """A tool call that failed."""


COLUMNS = (
    "event_id", "event_type", "event_time", "tenant_id", "project_id", "agent_id", "agent_instance_id",
    "conversation_id", "trace_id", "causation_id", "outcome", "output_tokens", "tool_name",
    "tool_mcp_server", "tool_args_hmac", "tool_side_effect", "policy_subject_event_id", "policy_id",
    "policy_action", "policy_risk_category", "policy_risk_score", "review_subject_event_id",
    "review_decision",
)  # fmt: skip
"""Columns of events that acts are made of."""

INJECTION_SCORE = 0.8
"""Risk score from which a decision about an injection is a signal (detection catalogue, D07)."""

_INJECTION = "injection|jailbreak"
"""Categories as guardrails write them: `prompt_injection`, `indirect-injection`, `jailbreak`."""

_KINDS = {
    **dict.fromkeys(CALL_TYPES, Kind.CALL),
    "ai.tool_call": Kind.TOOL,
    "ai.agent.action": Kind.STEP,
    "ai.policy.decision": Kind.DECISION,
    "ai.human.review": Kind.REVIEW,
}
_CHANGING = ("WRITE", "DESTRUCTIVE", "EXTERNAL")
_LETS_GO_ON = ("APPROVE", "OVERRIDE")

_SEED = 0


@cache
def nothing() -> int:
    """Return the hash of an empty text: no id, no name."""
    # Asked for and not kept from the import on: it starts threads of polars, which a fork would lose.
    return int(pl.Series([""]).hash(_SEED)[0])


_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd
_ROTATED = np.uint64(31)

_ID = np.dtype("V16")


@dataclass(frozen=True, slots=True)
class Acts:
    """Acts in the order of a log, an entry each.

    Attributes:
        index: Leaf index.
        time: Event time in microseconds; the broker's where the event's is later, for then the producer's
            clock is ahead.
        stamp: Broker's time in microseconds.
        kind: `Kind`.
        marks: `Mark`s.
        conversation: Hash of tenant and conversation, else trace.
        run: Hash of tenant and running copy of the agent, else conversation.
        agent: Hash of tenant and agent.
        same: Hash of what makes two tool calls the same: run, tool, server and arguments; 0 where the call
            does not tell its arguments, and of other acts.
        name: Hash of the name of tool or policy.
        event: Hash of the event's id.
        subject: Hash of the id of the event that is judged or reviewed.
        cause: Hash of the id of the event that caused this one.
        tokens: Tokens that a call wrote, -1 where it does not say.
        event_id: The event's id, 16 bytes as printed.
    """

    index: Hashes
    time: Numbers
    stamp: Numbers
    kind: NDArray[np.uint8]
    marks: NDArray[np.uint8]
    conversation: Hashes
    run: Hashes
    agent: Hashes
    same: Hashes
    name: Hashes
    event: Hashes
    subject: Hashes
    cause: Hashes
    tokens: Numbers
    event_id: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.index)

    def where(self, chosen: Mask | slice | Numbers) -> Self:
        """Return some of the acts."""
        return type(self)(*(getattr(self, each.name)[chosen] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the acts of at least one part, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def of_kind(self, kind: Kind) -> Self:
        """Return the acts of one kind."""
        return self.where(self.kind == kind)

    def marked(self, marks: Mark) -> Self:
        """Return the acts that have one of the marks."""
        return self.where((self.marks & int(marks)) != 0)

    def ids(self) -> list[bytes]:
        """Return the events' ids."""
        return [each.tobytes() for each in self.event_id]


def acts_of(events: pl.DataFrame, mandated: pl.Expr | None = None) -> Acts:
    """Return the acts among events, in order.

    Args:
        events: `COLUMNS`, and `index`, `stamp` and `time` as of `Acts`; an absent text is null or empty.
            Repeats and further reports of a call are left out by who calls.
        mandated: Which calls must be judged by a policy; none when None. Calls that need not, and that no
            agent made, are no acts.
    """
    types = events["event_type"]
    if says_one(types):
        kinds = np.full(len(types), _KINDS.get(types.item(0), Kind.NONE), np.uint8)
    else:
        kinds = types.replace_strict(_KINDS, default=Kind.NONE, return_dtype=pl.UInt8).to_numpy()
    must = np.zeros(len(types), np.bool_)
    if mandated is not None:
        asked = events.select((pl.col("event_type") == "ai.inference") & mandated)
        must = asked.to_series().fill_null(value=False).to_numpy()
    is_act = kinds != Kind.NONE
    calls = kinds == Kind.CALL
    if calls.any():
        is_act &= ~calls | must | _is(events["agent_id"])
    if not is_act.any():
        return no_acts()
    if is_act.all():
        return _acts(events, kinds, must)
    return _acts(events.filter(pl.Series(is_act)), kinds[is_act], must[is_act])


def hash_of(name: str) -> int:
    """Return what `name` of an act is for a tool or policy."""
    return int(pl.Series([name]).hash(_SEED)[0])


def is_among(sought: Hashes, known: Hashes) -> Mask:
    """Return which of the hashes are among others."""
    if not len(sought) or not len(known):
        return np.zeros(len(sought), np.bool_)
    return pl.Series(sought).is_in(pl.Series(known).unique().implode()).to_numpy()


def _acts(events: pl.DataFrame, kinds: NDArray[np.uint8], must: Mask) -> Acts:
    is_tool, is_decision, is_review = (kinds == each for each in (Kind.TOOL, Kind.DECISION, Kind.REVIEW))
    tenant = _hash(events["tenant_id"])
    talk = _first(_hash(events["conversation_id"]), _hash(events["trace_id"]))
    run = _mixed(tenant, _first(_hash(events["agent_instance_id"]), talk))
    arguments, tool = _hash(events["tool_args_hmac"]), _hash(events["tool_name"])
    same = _mixed(_mixed(run, tool), _mixed(_hash(events["tool_mcp_server"]), arguments))
    return Acts(
        index=events["index"].to_numpy(),
        time=events["time"].to_numpy(),
        stamp=events["stamp"].to_numpy(),
        kind=kinds,
        marks=_marks(events, must, is_tool, is_decision, is_review),
        conversation=np.where(talk == nothing(), np.uint64(0), _mixed(tenant, talk)),
        run=run,
        agent=_mixed(tenant, _hash(events["agent_id"])),
        same=np.where(is_tool & (arguments != nothing()), same, np.uint64(0)),
        name=_first(tool, _hash(events["policy_id"])),
        event=events["event_id"].hash(_SEED).to_numpy(),
        subject=_first(_id(events["policy_subject_event_id"]), _id(events["review_subject_event_id"])),
        cause=_id(events["causation_id"]),
        tokens=events["output_tokens"].fill_null(-1).to_numpy(),
        event_id=rows_of(events["event_id"], _ID.itemsize).view(_ID).ravel(),
    )


def _marks(
    events: pl.DataFrame, must: Mask, is_tool: Mask, is_decision: Mask, is_review: Mask
) -> NDArray[np.uint8]:
    marks = np.zeros(len(must), np.uint8)
    went_on = (events["outcome"].fill_null("") != "BLOCKED").to_numpy()

    def mark(mark: Mark, which: Mask) -> None:
        marks[which] |= np.uint8(mark)

    if is_tool.any():
        effects = events["tool_side_effect"].fill_null("")
        mark(Mark.CHANGES, is_tool & went_on & effects.is_in(_CHANGING).to_numpy())
        mark(Mark.DESTROYS, is_tool & went_on & (effects == "DESTRUCTIVE").to_numpy())
        mark(Mark.FAILS, is_tool & (events["outcome"].fill_null("") == "FAILURE").to_numpy())
    if is_decision.any():
        category, score = events["policy_risk_category"].fill_null(""), events["policy_risk_score"]
        if (category != "").any():
            risky = score.fill_null(1.0) >= INJECTION_SCORE
            mark(Mark.INJECTED, is_decision & (category.str.contains(_INJECTION) & risky).to_numpy())
        mark(Mark.BLOCKS, is_decision & (events["policy_action"].fill_null("") == "block").to_numpy())
    if is_review.any():
        words = events["review_decision"].fill_null("")
        mark(Mark.APPROVES, is_review & words.is_in(_LETS_GO_ON).to_numpy())
    mark(Mark.MANDATED, must & went_on)
    return marks


def _is(texts: pl.Series) -> Mask:
    if texts.null_count() == len(texts):
        return np.zeros(len(texts), np.bool_)
    return (texts.fill_null("") != "").to_numpy()


def _hash(texts: pl.Series) -> Hashes:
    if texts.null_count() == len(texts):
        return np.full(len(texts), nothing(), np.uint64)
    if says_one(texts):
        return np.full(len(texts), texts.head(1).hash(_SEED).item(), np.uint64)
    return texts.fill_null("").hash(_SEED).to_numpy()


def _id(texts: pl.Series) -> Hashes:
    """Return the hashes of ids as of an event's own: of the bytes of 32 hex digits, however they are written.

    What is no such id has the hash of its text, which no event's own has.
    """
    hashes = _hash(texts)
    if texts.null_count() < len(texts):
        digits = texts.str.replace_all("-", "", literal=True)
        ids = digits.str.decode("hex", strict=False)
        is_id = (ids.bin.size() == _ID.itemsize).fill_null(value=False).to_numpy()
        hashes = np.where(is_id, ids.hash(_SEED).to_numpy(), hashes)
    return hashes


def _first(preferred: Hashes, other: Hashes) -> Hashes:
    return np.where(preferred == nothing(), other, preferred)


def _mixed(one: Hashes, other: Hashes) -> Hashes:
    mixed: Hashes = one * _MIX ^ (other >> _ROTATED | other << (np.uint64(64) - _ROTATED))
    return mixed


_EMPTY: dict[str, pl.DataType] = {
    **dict.fromkeys(COLUMNS, pl.String()),
    "event_id": pl.Binary(),
    "output_tokens": pl.Int64(),
    "policy_risk_score": pl.Float64(),
    "index": pl.UInt64(),
    "stamp": pl.Int64(),
    "time": pl.Int64(),
}


@cache
def no_acts() -> Acts:
    """Return none."""
    return _acts(pl.DataFrame(schema=_EMPTY), np.empty(0, np.uint8), np.empty(0, np.bool_))
