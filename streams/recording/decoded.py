"""What decoding makes of a segment: events as columns, and what could not become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from auditstream.core.errors import RejectError

_UNSTORABLE = "unstorable"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one record is not an event.

    Attributes:
        reason: One stable word, for counting.
        detail: What exactly was wrong, for people.
    """

    reason: str
    detail: str

    @classmethod
    def of(cls, error: RejectError) -> Rejection:
        """Return the rejection that an error describes."""
        return cls(error.reason, error.message)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A segment's records, decoded.

    Attributes:
        events: One row an event, in segment order; columns as in `schemas.flatten.FRAME_SCHEMA`.
        positions: Position in the segment of each row of `events`.
        rejections: By position, every record that is not an event.
        schema_ids: By position, the writer schema that the record names; empty where it names none.
    """

    events: pl.DataFrame
    positions: Sequence[int]
    rejections: Mapping[int, Rejection]
    schema_ids: Sequence[str]

    def without(self, refused: Mapping[int, str]) -> Decoded:
        """Return the same with some events rejected, because the store does not take them.

        Args:
            refused: By position, what the store said; positions that are no events do not count.
        """
        if not refused:
            return self
        kept = [position not in refused for position in self.positions]
        rejected = {
            position: Rejection(_UNSTORABLE, refused[position])
            for position in self.positions
            if position in refused
        }
        return replace(
            self,
            events=self.events.filter(pl.Series(kept, dtype=pl.Boolean)),
            positions=[position for position, keep in zip(self.positions, kept, strict=True) if keep],
            rejections={**self.rejections, **rejected},
        )
