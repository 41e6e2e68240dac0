"""What happened lately beneath a key: who contributed to what a detector saw."""

from __future__ import annotations

from collections import deque

import polars as pl

from auditstream.detection.surroundings import MOST_CONTRIBUTORS, Evidence
from streams.detecting.delta import COUNTS, NAMES
from streams.detecting.scope_sums import SCOPES

_MINUTES = 30
"""Minutes that are remembered: two updates of an episode."""

_MOST_ROWS = 200_000
"""Rows of all of them, about 40 MB; the oldest minute goes first."""

_KINDS = (*SCOPES, "tool")


class RecentRows:
    """The rows of the minutes that were closed last; not in snapshots, for nothing is decided by them."""

    def __init__(self) -> None:
        self._minutes: deque[tuple[int, pl.DataFrame]] = deque()
        self._rows = 0

    def add(self, minute: int, rows: pl.DataFrame) -> None:
        """Remember a minute."""
        self._minutes.append((minute, rows.select(*NAMES, *COUNTS)))
        self._rows += rows.height
        while self._minutes and (self._rows > _MOST_ROWS or self._minutes[0][0] <= minute - _MINUTES):
            self._rows -= self._minutes.popleft()[1].height

    def evidence(self, tenant: str, scope: str, start: int, end: int) -> Evidence:
        """Return the largest contributors to a key between two minutes, by spend, else by events."""
        frames = [rows for minute, rows in self._minutes if start <= minute < end]
        if not frames:
            return Evidence()
        own, _, value = scope.partition("=")
        rows = pl.concat(frames).filter(pl.col("tenant") == tenant)
        if own:
            rows = rows.filter(pl.col(own) == value)
        measure = "spend" if rows.get_column("spend").sum() > 0 else "events"
        total = rows.get_column(measure).sum()
        if not total:
            return Evidence()
        shares: dict[str, float] = {}
        for kind in _KINDS:
            if kind == own:
                continue
            largest = (
                rows.filter(pl.col(kind) != "")
                .group_by(kind)
                .agg(pl.col(measure).sum())
                .sort(measure, kind, descending=[True, False])
                .head(MOST_CONTRIBUTORS)
            )
            shares |= {
                f"{kind}={name}": float(amount / total) for name, amount in largest.iter_rows() if amount > 0
            }
        return Evidence(contributors=shares)
