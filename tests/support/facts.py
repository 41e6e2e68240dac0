"""Reference data for tests: facts to snapshots, and a directory over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl

from auditstream.reference.fact import Fact
from auditstream.reference.kinds import KINDS, Entry, empty_frame, frame_of, kind_of
from auditstream.reference.snapshot import Snapshot

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    """Return midnight of a day, counted from the first of January."""
    return JANUARY + timedelta(days=number)


def snapshot_of(revisions: Mapping[int, Sequence[Fact]]) -> Snapshot:
    """Return a snapshot of facts by the revision that brought them."""
    frames: dict[str, list[pl.DataFrame]] = defaultdict(list)
    for revision, facts in revisions.items():
        for fact in facts:
            kind = kind_of(type(fact))
            frames[kind.name].append(
                frame_of(kind, [Entry(fact, "test")], revision=revision, recorded_at=JANUARY, actor="test")
            )
    tables = {name: pl.concat([empty_frame(kind), *frames[name]]) for name, kind in KINDS.items()}
    return Snapshot(max(revisions, default=0), tables)


class FixedDirectory:
    """A directory over one history of revisions."""

    def __init__(self, revisions: Mapping[int, Sequence[Fact]]) -> None:
        self._upto = cache(snapshot_of(revisions).upto)

    def intervals(self, kind: str, revision: int) -> pl.DataFrame:
        return self._upto(revision).intervals(kind)
