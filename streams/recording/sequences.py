"""Rules about sequences, on a segment's events before they are inserted: what is seen becomes findings.

The ingest key keeps a conversation in one partition, so that its order is the log's. What is found follows
from the log alone, up to a window of leaves: after a restart the window is read back from the store, and a
replay finds the same under the same ids.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import polars as pl

from auditstream.core.finding_ids import finding_id
from auditstream.core.ports import Directory, History, LogId, Segment
from auditstream.detection import swaps, unpriced
from auditstream.detection.acts import COLUMNS
from auditstream.detection.injections import injections_to_actions
from auditstream.detection.loops import agent_loops
from auditstream.detection.sighting import Sighting
from auditstream.detection.undecided import Mandates, missing_decisions, overruled
from auditstream.detection.unreviewed import unreviewed_destruction
from auditstream.detection.window import WINDOW_LEAVES, ActWindow
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from streams.recording.known_before import KnownBefore
from streams.recording.mandatory_policies import MandatoryPolicies

VERSION = "2"
"""Version of the rules; it grows with every change of one."""

_MOST = 20
"""Findings of one segment, tenant and rule; the rest are one finding that counts them."""

_CERTAIN = 100

Key = tuple[str, ...]


class SequenceRules:
    """Applies the rules; any thread may ask, for a log one at a time.

    Args:
        history: What was recorded before.
        directory: Reference data: which policies must judge.
        window_leaves: How far back is looked.
    """

    def __init__(self, history: History, directory: Directory, *, window_leaves: int = WINDOW_LEAVES) -> None:
        self._history = history
        self._policies = MandatoryPolicies(directory)
        self._leaves = window_leaves
        self._windows: dict[LogId, ActWindow] = {}
        self._swaps = KnownBefore()
        self._unpriced = KnownBefore()
        self._lock = threading.Lock()

    def findings(self, segment: Segment, events: pl.DataFrame, positions: Sequence[int]) -> Iterator[Finding]:
        """Yield what the rules find with a segment, rule by rule.

        Args:
            segment: The segment.
            events: Its events: attributed, priced, and marked with `duplicate_of` and `same_call_as`.
            positions: Position in the segment of each.

        Raises:
            RetryableError: The store does not answer; the segment may be asked about again.
        """
        if not events.height:
            return
        counted = _counted(segment, events, positions)
        for _, found in groupby(self._seen(segment, counted), key=lambda each: each.rule):
            for sighting in _bounded(found, segment.id):
                yield _finding(sighting, segment.id)

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Forget the windows of other logs."""
        with self._lock:
            self._windows = {log: window for log, window in self._windows.items() if log in logs}

    def _seen(self, segment: Segment, events: pl.DataFrame) -> Iterator[Sighting]:
        mandates = self._policies.at(segment.plan.reference_revision, int(segment.timestamps_ms[-1]) * 1_000)
        window = self._window(segment, mandates)
        moment = window.take(events, segment.plan.first_index + len(segment), mandates.calls())
        yield from agent_loops(moment)
        yield from injections_to_actions(moment)
        yield from unreviewed_destruction(moment)
        yield from missing_decisions(moment, mandates)
        yield from overruled(events)
        yield from swaps.sightings(self._first_swaps(segment, swaps.swaps(events)))
        yield from unpriced.sightings(
            self._first_unpriced(segment, unpriced.unpriced(events)), segment.plan.day
        )

    def _window(self, segment: Segment, mandates: Mandates) -> ActWindow:
        """Return the window of everything below the segment, from the store when ours is another."""
        log, first_index = segment.log, segment.plan.first_index
        with self._lock:
            window = self._windows.get(log)
        if window is None or window.next_index != first_index:
            start = max(0, first_index - self._leaves)
            window = ActWindow(start, leaves=self._leaves)
            if first_index:
                rows = self._history.recent(log, COLUMNS, start, first_index)
                rows = rows.with_columns(_time(rows["event_time"], rows["stamp"]))
                window.take(rows, first_index, mandates.calls())
            with self._lock:
                self._windows[log] = window
        return window

    def _first_swaps(self, segment: Segment, pairs: pl.DataFrame) -> pl.DataFrame:
        """Return the pairs of models that the log did not have before the segment."""
        if pairs.is_empty():
            return pairs
        first_index = segment.plan.first_index

        def read(keys: list[Key]) -> dict[Key, int]:
            return self._history.first_swaps(segment.log, keys, first_index)

        keys = _keys(pairs, swaps.PAIR)
        return _where(pairs, self._swaps.firsts(segment.log, keys, pairs["index"], first_index, read))

    def _first_unpriced(self, segment: Segment, groups: pl.DataFrame) -> pl.DataFrame:
        """Return the groups without a price that the log did not have before on the segment's day."""
        if groups.is_empty():
            return groups
        first_index, day = segment.plan.first_index, segment.plan.day

        def read(keys: list[Key]) -> dict[Key, int]:
            names = [key[1:] for key in keys]
            found = self._history.first_unpriced(segment.log, day, names, first_index)
            return {(day.isoformat(), *key): index for key, index in found.items()}

        keys = [(day.isoformat(), *key) for key in _keys(groups, unpriced.WHAT)]
        return _where(groups, self._unpriced.firsts(segment.log, keys, groups["index"], first_index, read))


_READ = (
    *COLUMNS, "policy_mode", "policy_rule_id", "policy_verdict", "routing_to_model", "inference_provider",
    "inference_request_model", "inference_response_model", "cost_status", "unpriced_reason",
)  # fmt: skip
"""Columns of events that rules look at."""


def _counted(segment: Segment, events: pl.DataFrame, positions: Sequence[int]) -> pl.DataFrame:
    """Return the events that are no repeat and no further report of a call, with index, stamp and time."""
    stamps = np.asarray(segment.timestamps_ms, np.int64) * 1_000
    indexes = np.arange(len(segment), dtype=np.uint64) + np.uint64(segment.plan.first_index)
    if len(positions) < len(segment):
        places = np.asarray(positions)
        stamps, indexes = stamps[places], indexes[places]
    marks = ("duplicate_of", "same_call_as")
    stamp = pl.Series("stamp", stamps)
    placed = [pl.Series("index", indexes), stamp, _time(events["event_time"], stamp)]
    rows = pl.DataFrame([*map(events.get_column, (*_READ, *marks)), *placed])
    if any(rows[mark].null_count() < rows.height for mark in marks):
        rows = rows.filter(pl.all_horizontal(pl.col(mark).is_null() for mark in marks))
    return rows


def _time(event_time: pl.Series, stamp: pl.Series) -> pl.Series:
    """Return `time`: that of the event, or the broker's where the event's is later."""
    return pl.Series("time", np.minimum(event_time.to_physical().to_numpy(), stamp.to_numpy()))


def _keys(rows: pl.DataFrame, columns: Sequence[str]) -> list[Key]:
    return list(rows.select(pl.col(columns).fill_null("")).iter_rows())


def _where(rows: pl.DataFrame, kept: Sequence[bool]) -> pl.DataFrame:
    return rows.filter(pl.Series(kept, dtype=pl.Boolean))


def _bounded(found: Iterable[Sighting], segment_id: str) -> Iterator[Sighting]:
    """Yield at most so many sightings of a tenant; of the others one that counts them."""
    by_tenant: dict[str, list[Sighting]] = defaultdict(list)
    for each in found:
        by_tenant[each.tenant].append(each)
    for of_tenant in by_tenant.values():
        yield from of_tenant[:_MOST]
        rest = of_tenant[_MOST:]
        if rest:
            yield _rest(rest, segment_id)


def _rest(rest: Sequence[Sighting], segment_id: str) -> Sighting:
    return replace(
        rest[0],
        scope="rest",
        metric="several",
        title=f"{len(rest)} more of the same kind, as: {rest[0].title}",
        severity=max(each.severity for each in rest),
        anchor=segment_id,
        first_us=min(each.first_us for each in rest),
        last_us=max(each.last_us for each in rest),
        observed=float(len(rest)),
        expected=0.0,
    )


def _finding(seen: Sighting, segment_id: str) -> Finding:
    start, end = seen.window
    return Finding(
        finding_id=finding_id(seen.tenant, seen.scope, seen.metric, seen.rule, seen.anchor),
        tenant_id=seen.tenant,
        rule_id=seen.rule,
        detector_version=VERSION,
        title=seen.title,
        status=FindingStatus.NEW,
        severity=seen.severity,
        confidence=_CERTAIN,
        scope=seen.scope,
        metric=seen.metric,
        window_start=start,
        window_end=end,
        observed=seen.observed,
        expected=seen.expected,
        attacks=seen.attacks,
        related_events=seen.events,
        segment_id=segment_id,
    )
