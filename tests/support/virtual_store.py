"""A store of rows in virtual time that behaves as ClickHouse was measured to: `auditstream.core.ports.Sink`.

Tokens are remembered for the newest inserts into the table only, those of other workers' logs included; how
many such foreign inserts there are a second can be set. A request may be delayed, refused, lost, applied
late, applied and then answered with an error. The lease is checked by the store's own clock when the request
arrives; the block is written a while after that, at once or not at all.
"""

from __future__ import annotations

import collections
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from auditstream.core.errors import LeaseExpiredError, StoreBusyError, StoreTimeoutError
from auditstream.core.ports import Block, LogId, Lost, Plan, StoredRange, offsets_of
from tests.support.virtual_time import OnItsWayError, VirtualTime

Rows = list[tuple[int, int]]  # (offset, leaf index)
Answer = Callable[[Any], None]


@dataclass(slots=True)
class StoreFaults:
    """How often a request meets what, as probabilities.

    Attributes:
        delayed: The request arrives up to `longest_delay_s` late.
        refused: Refused, nothing applied.
        lost: Never arrives.
        answer_lost: Applied, but the client sees a timeout.
        cut: Applied, but the client sees an error at once.
        half_done: Applied to the table and not to its view; the client sees an error at once.
        slow: The write takes up to the store's own bound, and sometimes longer, when it is given up.
    """

    delayed: float = 0.0
    refused: float = 0.0
    lost: float = 0.0
    answer_lost: float = 0.0
    cut: float = 0.0
    half_done: float = 0.0
    slow: float = 0.0
    longest_delay_s: float = 8.0


@dataclass(frozen=True, slots=True)
class _Leaves:
    """What the store keeps of a block's frame: to make a frame would take a seventh of a run."""

    rows: Rows
    day: date
    lost: Lost | None

    @property
    def height(self) -> int:
        return len(self.rows)


def leaves(
    segment_id: str, offsets: Iterable[int], indexes: Iterable[int], day: date, lost: Lost | None = None
) -> Block:
    """Return a block for `VirtualStore`; a gap's one leaf has what is known of the loss."""
    kept = _Leaves(list(zip(offsets, indexes, strict=True)), day, lost)
    return Block(segment_id, kept)  # type: ignore[arg-type]  # a frame of which nobody asks more


@dataclass(slots=True)
class _Written:
    token: str
    number: int
    rows: Rows
    day: date
    lost: Lost | None = None
    in_view: bool = False


class VirtualStore:
    """What is durable, whatever happens to workers.

    Attributes:
        window: Of how many of the newest inserts the token is remembered.
        rows: Offset and index of every row, by log, in the order of writing.
        gaps: First and last offset of every gap leaf, by log; its row is among `rows`.
        misused: Tokens that were sent with other rows than the first time: a silent loss in ClickHouse.
        down_until: Every request is refused before this time.
        checks_lease: False for a negative control.
        written: How many blocks were written.
        dropped: How many blocks were dropped because their token was remembered.
        late: How many were refused because their lease had run out.
        healed: How many the view got from a replay only.
    """

    def __init__(
        self,
        time: VirtualTime,
        rng: random.Random,
        *,
        window: int = 1000,
        foreign_per_s: float = 0.0,
        epoch_s: float = 0.0,
        faults: StoreFaults | None = None,
    ) -> None:
        self.time = time
        self.rng = rng
        self.window = window
        self.faults = faults or StoreFaults()
        self.rows: dict[str, Rows] = collections.defaultdict(list)
        self.gaps: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
        self.misused: list[str] = []
        self.down_until = 0.0
        self.checks_lease = True
        self.written = self.dropped = self.late = self.healed = 0
        self._epoch_s = epoch_s
        self._segments: dict[str, list[_Written]] = collections.defaultdict(list)
        self._foreign_per_s = foreign_per_s
        self._tokens: dict[str, int] = {}
        self._first: dict[str, tuple[Rows, date]] = {}

    def clock_s(self) -> float:
        """Return the store's own time."""
        return self._epoch_s + self.time.now

    def insert(self, block: Block, insert_by_s: float, timeout_s: float, answer: Answer) -> None:
        """Carry an insert that was sent just now."""
        # The client gives up at its own bound, whatever becomes of the request.
        self.time.after(timeout_s, answer, StoreTimeoutError("no answer in time"))
        if self.rng.random() >= self.faults.lost:
            self.time.after(self._way(), self._arrive, block, insert_by_s, timeout_s, answer)

    def read(self, question: Callable[[], Any], timeout_s: float, answer: Answer) -> None:
        """Carry a read that was sent just now."""
        self.time.after(timeout_s, answer, StoreTimeoutError("no answer in time"))
        if self.rng.random() >= self.faults.lost:
            self.time.after(self._way(), self._answer_read, question, answer)

    def stored(self, log: str, from_offset: int) -> StoredRange:
        """Return what is stored of a log at or above an offset, as of now."""
        rows = [row for row in self.rows[log] if row[0] >= from_offset]
        if not rows:
            return StoredRange(0)
        indexes = [index for _, index in rows]
        first = min(rows)
        segment = next(segment for segment in self._segments[log] if first in segment.rows)
        later = self._inserts() - segment.number
        return StoredRange(len(rows), min(indexes), max(indexes), max(rows)[0], later)

    def last_plan(self, log: str) -> Plan | None:
        """Return the plan of the segment with a log's highest leaf, as of now."""
        last = max(self._segments[log], key=lambda segment: segment.rows[-1][1], default=None)
        if last is None:
            return None
        return Plan(*offsets_of(last.token), last.rows[0][1], last.day, lost=last.lost)

    def missed_by_view(self) -> list[str]:
        """Return the tokens of the segments that the view lacks."""
        return [each.token for log in self._segments.values() for each in log if not each.in_view]

    def gaps_of_plans(self) -> int:
        """Return how many gap leaves stand for offsets that were planned already."""
        written = [each for log in self._segments.values() for each in log if each.lost is not None]
        return sum(each.lost.reason == "never_written" for each in written if each.lost is not None)

    def forgotten(self) -> int:
        """Return how many tokens are no longer remembered."""
        return sum(self._inserts() - number >= self.window for number in self._tokens.values())

    def _way(self) -> float:
        if self.rng.random() < self.faults.delayed:
            return self.rng.uniform(0.0, self.faults.longest_delay_s)
        return self.rng.uniform(0.001, 0.02)

    def _busy(self) -> bool:
        return self.time.now < self.down_until or self.rng.random() < self.faults.refused

    def _answer_read(self, question: Callable[[], Any], answer: Answer) -> None:
        self.time.after(self._way(), answer, StoreBusyError("down") if self._busy() else question())

    def _arrive(self, block: Block, insert_by_s: float, timeout_s: float, answer: Answer) -> None:
        if self._busy():
            self.time.after(self._way(), answer, StoreBusyError("refused for now"))
            return
        if self.checks_lease and self.clock_s() >= insert_by_s:
            self.late += 1
            self.time.after(self._way(), answer, LeaseExpiredError(block.segment_id))
            return
        takes = self.rng.uniform(0.0, 1.2 * timeout_s) if self.rng.random() < self.faults.slow else 0.005
        if takes < timeout_s:
            self.time.after(takes, self._write, block, answer)

    def _write(self, block: Block, answer: Answer) -> None:
        kept = cast("_Leaves", block.frame)
        rows, day = kept.rows, kept.day
        if self._first.setdefault(block.segment_id, (rows, day)) != (rows, day):
            self.misused.append(block.segment_id)
        if self._inserts() - self._tokens.get(block.segment_id, -self.window) < self.window:
            self.dropped += 1
        else:
            self._keep(block.segment_id, kept)
        if self.rng.random() < self.faults.half_done:
            self.time.after(self._way(), answer, StoreTimeoutError("the view failed"))
            return
        self._show(block.segment_id)
        luck = self.rng.random()
        if luck < self.faults.cut:
            self.time.after(self._way(), answer, StoreTimeoutError("connection cut after the write"))
        elif luck >= self.faults.cut + self.faults.answer_lost:
            self.time.after(self._way(), answer, None)

    def _show(self, token: str) -> None:
        """Let the view have a block, once."""
        written = next(each for each in self._segments[token.rpartition("/")[0]] if each.token == token)
        self.healed += not written.in_view and written.number < self._inserts()
        written.in_view = True

    def _keep(self, token: str, kept: _Leaves) -> None:
        log = token.rpartition("/")[0]
        if kept.lost is not None:
            self.gaps[log].append(offsets_of(token))
        self.written += 1
        self.rows[log] += kept.rows
        self._tokens[token] = self._inserts()
        self._segments[log].append(_Written(token, self._inserts(), kept.rows, kept.day, kept.lost))

    def _inserts(self) -> int:
        """Return how many inserts into the table there were, foreign ones included."""
        return self.written + int(self.time.now * self._foreign_per_s)


class StoreClient:
    """One worker's view of the store: implements `auditstream.core.ports.Sink` on a `VirtualExecutor`."""

    def __init__(self, store: VirtualStore, *, timeout_s: float) -> None:
        self._store = store
        self._timeout_s = timeout_s

    def insert(self, block: Block, *, insert_by_s: float, timeout_s: float) -> None:
        raise OnItsWayError(lambda answer: self._store.insert(block, insert_by_s, timeout_s, answer))

    def stored(self, log: LogId, from_offset: int) -> StoredRange:
        store = self._store
        raise OnItsWayError(
            lambda answer: store.read(lambda: store.stored(str(log), from_offset), self._timeout_s, answer)
        )

    def last_plan(self, log: LogId) -> Plan | None:
        store = self._store
        raise OnItsWayError(
            lambda answer: store.read(lambda: store.last_plan(str(log)), self._timeout_s, answer)
        )

    def views_lacking(self, segment_id: str) -> list[str]:
        store = self._store

        def lacking() -> list[str]:
            return ["view"] if segment_id in store.missed_by_view() else []

        raise OnItsWayError(lambda answer: store.read(lacking, self._timeout_s, answer))

    def token_window(self) -> int:
        store = self._store
        raise OnItsWayError(lambda answer: store.read(lambda: store.window, self._timeout_s, answer))
