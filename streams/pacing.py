"""How long a lane may gather: long enough that the lanes together do not shower the store with inserts."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from math import inf


@dataclass(slots=True)
class Pacing:
    """The gathering delay and the turns, shared by the lanes of one worker.

    ClickHouse pays about 4 ms and one part an insert whatever its size, and merges fall behind when every
    lane inserts several times a second; so the delay grows with the number of lanes. Lanes that began
    together would also plan, build and insert together for ever, each slowing the others down; so each
    segment takes a turn, and turns are a busy lane's share of the delay apart.

    Attributes:
        min_delay_s: Never wait less than this.
        max_delay_s: Never wait longer.
        inserts_per_s: Aim of all lanes of the worker together.
        lanes: How many lanes there are now.
    """

    min_delay_s: float = 0.25
    max_delay_s: float = 5.0
    inserts_per_s: float = 2.0
    lanes: int = 1
    _turns_s: dict[Hashable, float] = field(default_factory=dict, init=False)

    def begin(self, lanes: int) -> None:
        """Begin anew for so many lanes: the turns of earlier ones mean nothing any more."""
        self.lanes = max(1, lanes)
        self._turns_s.clear()

    @property
    def delay_s(self) -> float:
        """The most seconds from the first gathered record to the plan."""
        return self._delay_s(self.lanes)

    def take_turn(self, lane: Hashable, oldest_s: float) -> float:
        """Return when a segment is planned at the latest that has a first record, and takes its turn.

        Args:
            lane: Whose segment it is. A turn that is still ahead, because the lane's last segment was full
                before, serves the next one: such a lane must not push the turns of the others back.
            oldest_s: When the record arrived, by any steady clock that all lanes share.
        """
        at_most_s = oldest_s + self.delay_s
        at_least_s = oldest_s + max(self.min_delay_s, 1 / self.inserts_per_s)
        turn_s = self._turns_s.get(lane, -inf)
        if not at_least_s <= turn_s <= at_most_s:
            turn_s = self._turns_s[lane] = min(at_most_s, max(at_least_s, self._next_turn_s(lane, oldest_s)))
        return turn_s

    def _next_turn_s(self, lane: Hashable, now_s: float) -> float:
        """Return the turn behind all others; lanes without one for long leave theirs to the busy ones."""
        long_ago_s = now_s - 2 * self.delay_s
        busy = 1 + sum(turn_s > long_ago_s for name, turn_s in self._turns_s.items() if name != lane)
        return max(self._turns_s.values(), default=-inf) + self._delay_s(busy) / busy

    def _delay_s(self, lanes: int) -> float:
        return min(self.max_delay_s, max(self.min_delay_s, lanes / self.inserts_per_s))
