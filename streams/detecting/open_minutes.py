"""Minutes that are not closed yet: the rows of deltas, to be added up when nothing more comes."""

from __future__ import annotations

import io
from collections import defaultdict

import polars as pl

from streams.detecting.delta import COUNTS, NAMES, ROW, SINCE, Row, frame_of

_MANY = 20_000
"""Rows of one minute that are added up before it closes: many segments bring the same keys."""


class OpenMinutes:
    """Rows by minute since 1970; sums are of whole numbers, so that the order of adding does not matter."""

    def __init__(self) -> None:
        self._rows: defaultdict[int, list[Row]] = defaultdict(list)
        self._summed: dict[int, pl.DataFrame] = {}

    def add(self, minute: int, rows: list[Row]) -> None:
        """Add rows to a minute."""
        waiting = self._rows[minute]
        waiting += rows
        if len(waiting) >= _MANY:
            self._sum_up(minute)

    def take(self, minute: int, until_us: int) -> tuple[pl.DataFrame, int]:
        """Return what a minute has, one row a key, sorted, and how many events came too late; forget both.

        Args:
            minute: The minute.
            until_us: Broker time after which a segment begins too late.
        """
        self._sum_up(minute)
        rows = self._summed.pop(minute)
        in_time = rows.filter(pl.col(SINCE) <= until_us)
        late = rows.filter(pl.col(SINCE) > until_us).select(pl.col("events").sum()).item()
        return summed(in_time, list(NAMES)), int(late)

    def minutes(self) -> list[int]:
        """Return the minutes that have rows, ascending."""
        return sorted(self._rows.keys() | self._summed.keys())

    def __len__(self) -> int:
        """Return how many rows are held."""
        return sum(map(len, self._rows.values())) + sum(each.height for each in self._summed.values())

    def state(self) -> bytes:
        """Return all rows, as Arrow's stream format."""
        for minute in list(self._rows):
            self._sum_up(minute)
        frames = [
            frame.select(pl.lit(minute).cast(pl.Int64).alias("minute"), *ROW)
            for minute, frame in sorted(self._summed.items())
        ]
        buffer = io.BytesIO()
        pl.concat([pl.DataFrame(schema={"minute": pl.Int64, **ROW}), *frames]).write_ipc_stream(buffer)
        return buffer.getvalue()

    def restore(self, state: bytes) -> None:
        """Take over what `state` returned."""
        self._rows.clear()
        rows = pl.read_ipc_stream(io.BytesIO(state))
        self._summed = {
            int(minute): frame.drop("minute")
            for (minute,), frame in rows.group_by("minute", maintain_order=True)
        }

    def _sum_up(self, minute: int) -> None:
        frames = [self._summed[minute]] if minute in self._summed else []
        if waiting := self._rows.pop(minute, None):
            frames.append(frame_of(waiting))
        self._summed[minute] = summed(pl.concat(frames), [SINCE, *NAMES])


def summed(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return rows added up by names, sorted by them."""
    return rows.group_by(names).agg(pl.col(COUNTS).sum()).sort(names)
