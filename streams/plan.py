"""The committed state of one partition and its form in a Kafka offset commit.

A partition is either *closed* (everything below the offset is durable, the next leaf gets this index) or has
one *open plan*: the segment `[lo, hi]` may be durable or not, and whoever owns the partition next writes it
again under the same token. Both are `(offset, metadata)` of an ordinary offset commit, which Kafka refuses
from a member of a generation that has passed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from auditstream.core.errors import InvariantError
from auditstream.core.ports import Lost, Plan

VERSION = 2
"""Newest version that is read: plans over lost offsets have it. Everything else is written as version 1,
which releases without such plans read, too."""
_PLAIN = 1
# Kafka refuses metadata above 4,096 bytes and Faust crashes on the refusal; ours stays far below.
METADATA_LIMIT_BYTES = 200


@dataclass(frozen=True, slots=True)
class Closed:
    """Everything below `next_offset` is durable; the next record gets leaf `next_index`."""

    next_offset: int
    next_index: int


State = Closed | Plan


def next_offset_of(state: State) -> int:
    """Return the offset to read from next: of an open plan, the first one that it covers."""
    return state.lo if isinstance(state, Plan) else state.next_offset


def to_commit(state: State) -> tuple[int, str]:
    """Return the state as `(offset, metadata)` of an offset commit."""
    if isinstance(state, Closed):
        return state.next_offset, _dump({"v": _PLAIN, "i": state.next_index})
    fields: dict[str, int | str] = {
        "v": _PLAIN,
        "h": state.hi,
        "i": state.first_index,
        "d": state.day.isoformat(),
        "r": state.reference_revision,
        "e": state.enricher_version,
    }
    if state.lost is not None:
        fields |= {"v": VERSION, "g": state.lost.reason, "t": state.lost.noticed_ms}
    return state.lo, _dump(fields)


def from_commit(offset: int, metadata: str) -> State | None:
    """Return the state that a commit holds, or None where it holds none of ours.

    A group that was reset by a tool, or never committed, has no metadata; then the store decides.

    Raises:
        InvariantError: The metadata was written by a newer version.
    """
    fields = _load(metadata)
    if offset < 0 or fields is None:
        return None
    if fields["v"] > VERSION:
        raise InvariantError(
            f"the committed plan has version {fields['v']}, this worker knows up to {VERSION}",
            hint="Run the newer release, or let it close its plans before going back.",
        )
    if "h" not in fields:
        return Closed(offset, fields["i"])
    return Plan(
        lo=offset,
        hi=fields["h"],
        first_index=fields["i"],
        day=date.fromisoformat(fields["d"]),
        reference_revision=fields["r"],
        enricher_version=fields["e"],
        lost=Lost(fields["g"], fields["t"]) if "g" in fields else None,
    )


def _dump(fields: dict[str, int | str]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _load(metadata: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(metadata)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) and isinstance(fields.get("v"), int) else None
