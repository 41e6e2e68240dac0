"""One call, one cost: a provider's response that several events report is counted and charged once.

A span of an instrumentation, the SDK and a gateway can all report one call, under event ids of their own.
They name the same response: events of one tenant with the same provider and response id are one call. The
first of them in log order that counts tokens (or brings a cost) counts; later ones stay, as events of their
own, with `same_call_as` and without a cost. An event that counts nothing is never the first: its call would
have no cost. Nothing is looked at but the rows, so that a replay settles the same.

Only within a log: events that went to different partitions, because only one names a conversation, are not
found here.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from auditstream.core.event_types import CALL_TYPES
from auditstream.core.ids import call_key
from auditstream.core.ports import History, LogId, Segment
from auditstream.pricing.lines import AMOUNTS
from streams.recording.repeats import WINDOW_LEAVES, RepeatIndex

_ROW = "row"
_COUNTS = "counts"


class SameCallMarker:
    """Finds further reports of a call.

    Args:
        history: What was recorded before.
        window_leaves: How far back is looked.
    """

    def __init__(self, history: History, *, window_leaves: int = WINDOW_LEAVES) -> None:
        self._history = history
        self._index = RepeatIndex(self._firsts, history.calls_at, window_leaves=window_leaves)

    def mark(self, segment: Segment, events: pl.DataFrame, positions: list[int]) -> pl.Series:
        """Return `same_call_as` for each event: the leaf index of the call's first report, or null.

        Args:
            segment: The segment.
            events: Its events: attributed, priced, and marked with `duplicate_of`.
            positions: Position in the segment of each event.

        Raises:
            RetryableError: The store does not answer; nothing was remembered.
        """
        calls = (
            events.with_row_index(_ROW)
            .filter(_is_call())
            .select(
                _ROW, "tenant_id", "inference_provider", "inference_response_id", _counts().alias(_COUNTS)
            )
        )
        keys = [call_key(*names) for names in calls.select(pl.exclude(_ROW, _COUNTS)).iter_rows()]
        rows = calls.get_column(_ROW).to_list()
        found = self._index.mark(
            segment, keys, [positions[row] for row in rows], calls.get_column(_COUNTS).to_list()
        )
        marks: list[int | None] = [None] * events.height
        for row, mark in zip(rows, found, strict=True):
            marks[row] = mark
        return pl.Series("same_call_as", marks, dtype=pl.UInt64)

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Forget what was remembered of other logs."""
        self._index.keep_only(logs)

    def _firsts(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        return self._history.first_calls(log, from_index, to_index).rename({"call_key": "key"})


_AMOUNTS = (*(f"cost_{name}" for name in AMOUNTS), "computed_cost", "cost_difference")
_SAID = ("cost_currency", "price_basis", "computed_currency", "unpriced_reason", "unpriced_meter")


def settled(events: pl.DataFrame) -> pl.DataFrame:
    """Return the events with the cost of each call where it is first reported, and nowhere else."""
    again = pl.col("same_call_as").is_not_null()
    if events.get_column("same_call_as").null_count() == events.height:
        return events
    costs = events.schema["costs"]
    return events.with_columns(
        pl.when(again).then(pl.lit([], dtype=costs)).otherwise("costs").alias("costs"),
        pl.when(again).then(pl.lit("none")).otherwise("cost_status").alias("cost_status"),
        *(pl.when(again).then(pl.lit("")).otherwise(name).alias(name) for name in _SAID),
        *(pl.when(~again).then(name).alias(name) for name in _AMOUNTS),
    )


def _is_call() -> pl.Expr:
    named = (pl.col(name) != "" for name in ("inference_provider", "inference_response_id"))
    return pl.all_horizontal(
        pl.col("event_type").is_in(CALL_TYPES), pl.col("duplicate_of").is_null(), *named
    ).fill_null(value=False)


def _counts() -> pl.Expr:
    """Return whether an event says what its call used; the store's history asks the same of its rows."""
    return (
        pl.col("input_tokens").is_not_null()
        | pl.col("output_tokens").is_not_null()
        | (pl.col("cost_status") == "priced")
    )
