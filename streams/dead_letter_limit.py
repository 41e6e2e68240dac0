"""When dead letters stop being normal: a bad deploy must not drain a topic into the dead-letter topic.

After Arroyo's `DlqLimit`: a ratio and a count in a row, by partition. Past either the partition is paused; it
is tried again with a small segment after a while, and goes on at full size once that one is mostly events.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditstream.core.ports import Block, Trip

# Records that must have been seen before the ratio means anything.
_ENOUGH = 1_000
# Records of the segment with which a paused partition is tried again.
PROBE_ROWS = 100


@dataclass(slots=True)
class DeadLetterLimit:
    """Counts one partition's dead letters.

    Attributes:
        max_ratio: Share of the newest records that may be dead letters.
        max_in_a_row: How many dead letters may come without an event between them.
        tripped: Whether the partition is past a limit.
    """

    max_ratio: float
    max_in_a_row: int
    tripped: bool = False
    _records: float = 0.0
    _rejected: float = 0.0
    _in_a_row: int = 0
    _trip: Trip | None = None

    def note(self, block: Block) -> None:
        """Count a block that was written; decides whether the partition is past a limit now."""
        was_tripped = self.tripped
        if was_tripped:  # the probe's own ratio decides
            self._records = self._rejected = self._in_a_row = 0
        self._records += len(block)
        self._rejected += block.dead_letters
        self._in_a_row = _run_at_the_end(block, self._in_a_row)
        enough = self._records >= (PROBE_ROWS if was_tripped else _ENOUGH)
        over = enough and self._rejected > self.max_ratio * self._records
        self.tripped = over or self._in_a_row >= self.max_in_a_row
        if self.tripped and not was_tripped:
            self._trip = self._trip_at(block, over=over)
        if self._records > 2 * _ENOUGH:  # forget slowly, so that old health does not hide a new fault
            self._records, self._rejected = self._records / 2, self._rejected / 2

    def take_trip(self) -> Trip | None:
        """Return the trip that nobody was told of yet, once; a probe that fails goes on with an old one."""
        trip, self._trip = self._trip, None
        return trip

    def _trip_at(self, block: Block, *, over: bool) -> Trip:
        if over:
            return Trip("ratio", self._rejected / self._records, self.max_ratio, block)
        return Trip("run", self._in_a_row, self.max_in_a_row, block)


def _run_at_the_end(block: Block, before: int) -> int:
    """Return how many dead letters come last without an event between them, earlier blocks included."""
    if block.dead_letters == len(block):
        return before + len(block)
    if not block.dead_letters:
        return 0
    last_event = block.frame.get_column("leaf_kind").eq(0).arg_true()[-1]
    return len(block) - 1 - int(last_event)
