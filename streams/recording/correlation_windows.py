"""What correlations look back at: the hits of each log's newest leaves, read from the store at a start."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

import polars as pl

from auditstream.core.ports import LogId
from auditstream.detection.rules.fields import added_columns
from auditstream.detection.rules.matching import Matcher, Rows
from auditstream.detection.rules.rule import Correlation, Rule, RuleSet
from auditstream.detection.rules.windows import MOST_HITS, Crossing, Hits, columns_of, crossings, hits_of

WINDOW_LEAVES = 200_000
"""How many of a log's newest leaves are looked back at: an hour at 55 events a second and partition. A span
that is longer is cut there, so that a worker that starts sees the same as one that was there."""

_CHUNK_LEAVES = 50_000
"""Leaves that are read at a time."""


class RecentEvents(Protocol):
    """The part of `core.ports.History` that is asked."""

    def recent(self, log: LogId, columns: Sequence[str], from_index: int, to_index: int) -> pl.DataFrame:
        """Return some columns of the events of a run of leaves, with `index` and `stamp`.

        Raises:
            RetryableError: The store does not answer.
        """
        ...


class CorrelationWindows:
    """Finds what correlations match; any thread may use it, each log by one at a time.

    Args:
        rules: The rules; those that a correlation counts are among them.
        history: What was recorded before.
        window_leaves: How far back is looked.
    """

    def __init__(self, rules: RuleSet, history: RecentEvents, *, window_leaves: int = WINDOW_LEAVES) -> None:
        self._correlations = rules.correlations
        counted = {name for each in rules.correlations for name in each.rules}
        self._counted = [rules.rules[name] for name in sorted(counted)]
        self._matcher = Matcher(self._counted)
        self._columns = sorted(_columns_of(self._matcher, rules.correlations))
        self._history = history
        self._window = window_leaves
        self._kept: dict[LogId, tuple[int, Hits]] = {}
        self._lock = threading.Lock()

    def crossings(
        self,
        log: LogId,
        first_index: int,
        next_index: int,
        events: pl.DataFrame,
        matches: Mapping[str, tuple[Rule, Rows]],
    ) -> Iterator[Crossing]:
        """Yield what a segment's events make together with those before them; then remember them.

        Args:
            log: The log.
            first_index: Leaf index of the segment's first record.
            next_index: Leaf index after its last one.
            events: Its events, with `index` and `stamp`.
            matches: By name, the rules that match, and rows of `events`.

        Raises:
            RetryableError: The store does not answer; nothing was remembered.
        """
        if not self._correlations:
            return
        new: Hits = {}
        if matches:
            first = events.get_column("same_call_as").is_null().to_numpy()  # a call told again is one call
            counted = {name: (rule, rows[first[rows]]) for name, (rule, rows) in matches.items()}
            new = hits_of(self._correlations, counted, events)
        old = self._before(log, first_index)
        yield from crossings(self._correlations, old, new)
        with self._lock:
            self._kept[log] = (next_index, _joined(old, new))

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Forget the hits of other logs."""
        with self._lock:
            self._kept = {log: kept for log, kept in self._kept.items() if log in logs}

    def _before(self, log: LogId, first_index: int) -> Hits:
        """Return the hits of the window below a leaf: ours if it goes on there, else those of the store."""
        start = max(0, first_index - self._window)
        with self._lock:
            next_index, kept = self._kept.get(log, (-1, {}))
        if next_index != first_index:
            kept = self._read(log, start, first_index) if first_index else {}
        return {
            name: hits if hits["index"][0] >= start else hits.filter(pl.col("index") >= start)
            for name, hits in kept.items()
            if hits["index"][-1] >= start
        }

    def _read(self, log: LogId, start: int, first_index: int) -> Hits:
        found: Hits = {}
        for low in range(start, first_index, _CHUNK_LEAVES):
            high = min(low + _CHUNK_LEAVES, first_index)
            events = self._history.recent(log, self._columns, low, high).with_columns(
                pl.lit(None, dtype=pl.UInt64).alias("duplicate_of")
            )
            matches = {rule.about.name: (rule, rows) for rule, rows in self._matcher.matches(events)}
            found = _joined(found, hits_of(self._correlations, matches, events))
        return found


def _joined(old: Hits, new: Hits) -> Hits:
    """Return old and new hits together, the newest of each correlation."""
    both = {name: pl.concat([old[name], hits]) if name in old else hits for name, hits in new.items()}
    return {name: hits.tail(MOST_HITS) for name, hits in {**old, **both}.items()}


def _columns_of(matcher: Matcher, correlations: Sequence[Correlation]) -> set[str]:
    """Return the columns that are read back; what is added while recording is not among them."""
    read = matcher.columns.union(*map(columns_of, correlations))
    return {*read} - added_columns().keys() - {"duplicate_of", "index", "stamp"}
