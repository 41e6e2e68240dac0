"""The recorder: one segment in, one block out, the same every time."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import polars as pl

from auditstream.core.ports import Block, Segment
from auditstream.ledger.leaves import NO_EVENT_ID
from schemas.columnar import abandoned_decodes
from streams.recording.dead_letters import dead_letters, rejection_columns
from streams.recording.decoded import Decoded
from streams.recording.duplicates import DuplicateMarker
from streams.recording.provenance import provenance


class Decoder(Protocol):
    """Decodes the records of a segment."""

    def decode(self, segment: Segment) -> Decoded:
        """Return the segment's events and rejections; together they are all of its records.

        Raises:
            RetryableError: The registry does not answer.
        """
        ...


class SegmentRecorder:
    """Builds blocks for `events`; implements `core.ports.Recorder`.

    Args:
        decoder: Decodes values.
        marker: Finds repeats of events that were recorded before.
        dead_letter_topic: Where the bytes of rejected records go.
    """

    def __init__(self, decoder: Decoder, marker: DuplicateMarker, *, dead_letter_topic: str) -> None:
        self._decoder = decoder
        self._marker = marker
        self._dead_letter_topic = dead_letter_topic

    def build(self, segment: Segment) -> Block:
        """Return the segment's block, one row a record.

        Raises:
            RetryableError: The registry or the store does not answer; the segment waits.
        """
        decoded = self._decoder.decode(segment)
        marks = self._marker.mark(segment, decoded)
        decoded = replace(decoded, events=decoded.events.with_columns(marks))
        columns = [_spread(decoded, len(segment)), provenance(segment, decoded)]
        if decoded.rejections:
            columns.append(rejection_columns(segment, decoded))
        return Block(
            segment_id=segment.id,
            frame=pl.concat(columns, how="horizontal"),
            outbound=list(dead_letters(segment, decoded, self._dead_letter_topic)),
            dead_letters=len(decoded.rejections),
            duplicates=len(marks) - marks.null_count(),
        )

    def worn_out(self) -> str | None:
        """Return why the process should be replaced: decodes that were abandoned keep cores busy."""
        abandoned = abandoned_decodes()
        return f"{abandoned} decodes were abandoned, each keeps a core busy" if abandoned else None


def _spread(decoded: Decoded, count: int) -> pl.DataFrame:
    """Return the events' columns with an empty row where a record is not an event."""
    if not decoded.rejections:
        return decoded.events
    row_of: list[int | None] = [None] * count
    for row, position in enumerate(decoded.positions):
        row_of[position] = row
    spread = decoded.events.select(pl.all().gather(pl.Series(row_of, dtype=pl.UInt32)))
    return spread.with_columns(pl.col("event_id").fill_null(NO_EVENT_ID))
