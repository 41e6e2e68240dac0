"""ClickHouse as far as delivery depends on it: tokens with a window, deadlines, a view behind a table.

Each rule was measured on ClickHouse 26: a token is remembered with its table partition; a block into one
table partition is atomic, several are not; a view has its own window of tokens, and a block that the table
drops still reaches a view that missed it; when a view fails, the table keeps the block; two blocks without
tokens are one when their bytes are equal, and attempts under different leases differ.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple


class LateInsertError(Exception):
    """The store's clock is past the insert's deadline; nothing was applied."""


class Leaf(NamedTuple):
    """One row.

    Attributes:
        offset: Kafka offset of the record.
        leaf_index: Index in the partition's log.
        day: Table partition.
    """

    offset: int
    leaf_index: int
    day: int


@dataclass(slots=True, eq=False)
class Insert:
    """One insert request on its way or at work.

    Attributes:
        partition: Kafka partition of the rows.
        segment: What the rows say about their segment; given back by `highest`.
        rows: The block.
        token: Deduplication token; None for none.
        insert_by: Store time after which the rows must be refused.
        stop_at: Store time at which the query is stopped, set on arrival.
        todo: What is left to do, set on arrival: one day's rows each, then the view.
    """

    partition: int
    segment: Hashable
    rows: tuple[Leaf, ...]
    token: Hashable | None
    insert_by: int
    stop_at: int | None = None
    todo: list[int | None] = field(default_factory=list)


class Held(NamedTuple):
    """What the store holds of a partition at or above an offset.

    Attributes:
        rows: Number of rows.
        first_index: Lowest index, -1 without rows.
        last_offset: Highest offset, -1 without rows.
        later_inserts: Inserts into the table after the first of these rows.
        in_view: Whether the view has counted each of these rows once.
    """

    rows: int
    first_index: int = -1
    last_offset: int = -1
    later_inserts: int = 0
    in_view: bool = True


class ModelStore:
    """A table of leaves with one view that counts them.

    Attributes:
        rows: Every row of the table by Kafka partition, in order of arrival.
        view: How often the view has counted each (partition, offset).
        inserts: Blocks that were added to the table so far.
    """

    def __init__(
        self,
        now: Callable[[], int],
        *,
        window: int,
        view_window: int,
        max_execution: int,
        checks_deadline: bool = True,
    ) -> None:
        """Make an empty store.

        Args:
            now: The store's clock.
            window: How many of the newest inserts have their tokens remembered.
            view_window: The same for the view.
            max_execution: How long a query may run.
            checks_deadline: Whether late inserts are refused.
        """
        self.rows: dict[int, list[Leaf]] = {}
        self.view: Counter[tuple[int, int]] = Counter()
        self.inserts = 0
        self._now = now
        self._max_execution = max_execution
        self._checks_deadline = checks_deadline
        self._tokens: deque[Hashable] = deque(maxlen=window)
        self._view_tokens: deque[Hashable] = deque(maxlen=view_window)
        self._numbers: dict[tuple[int, int], int] = {}  # of the insert that brought (partition, offset) first
        self._segments: dict[int, dict[int, Hashable]] = {}  # by partition and last offset

    def insert(self, insert: Insert) -> None:
        """Do a whole insert at once; raises what `begin` raises."""
        self.begin(insert)
        while insert.todo:
            self.advance(insert)

    def begin(self, insert: Insert) -> None:
        """Take an insert in: check its deadline and list what is to do.

        Raises:
            LateInsertError: The deadline has passed; a known token makes no difference.
        """
        if self._checks_deadline and insert.insert_by <= self._now():
            raise LateInsertError(f"deadline {insert.insert_by}, now {self._now()}")
        insert.stop_at = self._now() + self._max_execution
        insert.todo = [*sorted({row.day for row in insert.rows}), None]

    def advance(self, insert: Insert) -> bool:
        """Do the next thing of an insert: the rows of one day, or the view. Return whether rows were added.

        Raises:
            TimeoutError: The query has run for too long; what is done stays done, the rest is dropped.
        """
        if insert.stop_at is not None and self._now() > insert.stop_at:
            insert.todo.clear()
            raise TimeoutError("max_execution_time")
        day = insert.todo.pop(0)
        if day is None:
            self._count_in_view(insert)
            return False
        return self._add_rows(insert, day)

    def held(self, partition: int, from_offset: int) -> Held:
        """Return what the table holds of a partition at or above an offset."""
        rows = [row for row in self.rows.get(partition, ()) if row.offset >= from_offset]
        if not rows:
            return Held(0)
        return Held(
            rows=len(rows),
            first_index=min(row.leaf_index for row in rows),
            last_offset=max(row.offset for row in rows),
            later_inserts=self.inserts - min(self._numbers[partition, row.offset] for row in rows),
            in_view=all(self.view[partition, row.offset] == 1 for row in rows),
        )

    def highest(self, partition: int) -> Hashable | None:
        """Return the segment of the row with the highest offset of a partition; None without rows."""
        segments = self._segments.get(partition)
        return segments[max(segments)] if segments else None

    def segments(self, partition: int) -> list[Hashable]:
        """Return what the rows of a partition say about their segments."""
        return list(self._segments.get(partition, {}).values())

    def mend_view(self, partition: int) -> None:
        """Count each row of a partition once, as an operator's rebuild does."""
        for row in self.rows.get(partition, ()):
            self.view[partition, row.offset] = 1

    def _add_rows(self, insert: Insert, day: int) -> bool:
        key = (day, _token(insert))
        if key in self._tokens:
            return False
        self._tokens.append(key)
        self.inserts += 1
        rows = [row for row in insert.rows if row.day == day]
        self.rows.setdefault(insert.partition, []).extend(rows)
        self._segments.setdefault(insert.partition, {})[rows[-1].offset] = insert.segment
        for row in rows:
            self._numbers.setdefault((insert.partition, row.offset), self.inserts)
        return True

    def _count_in_view(self, insert: Insert) -> None:
        key = _token(insert)
        if key in self._view_tokens:
            return
        self._view_tokens.append(key)
        self.view.update((insert.partition, row.offset) for row in insert.rows)


def _token(insert: Insert) -> Hashable:
    bytes_of_block = (insert.partition, insert.rows, insert.insert_by)
    return bytes_of_block if insert.token is None else insert.token
