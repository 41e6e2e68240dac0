"""How long a lane may gather: long enough that the lanes together do not shower the store with inserts."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf


@dataclass(slots=True)
class Pacing:
    """The gathering delay and the turns, shared by the lanes of one worker.

    ClickHouse pays about 4 ms and one part an insert whatever its size, and merges fall behind when every
    lane inserts several times a second; so the delay grows with the number of lanes. Lanes that began
    together would also plan, build and insert together for ever, each slowing the others down; so each
    segment takes a turn, and turns are a lane's share of the delay apart.

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
    _last_turn_s: float = field(default=-inf, init=False)

    @property
    def delay_s(self) -> float:
        """The most seconds from the first gathered record to the plan."""
        return min(self.max_delay_s, max(self.min_delay_s, self.lanes / self.inserts_per_s))

    def take_turn(self, oldest_s: float) -> float:
        """Return when a segment is planned at the latest that has a first record, and takes its turn.

        Args:
            oldest_s: When the record arrived, by any steady clock that all lanes share.
        """
        at_most_s = oldest_s + self.delay_s
        at_least_s = oldest_s + max(self.min_delay_s, 1 / self.inserts_per_s)
        next_turn_s = self._last_turn_s + self.delay_s / self.lanes
        turn_s = min(at_most_s, max(at_least_s, next_turn_s))
        self._last_turn_s = max(self._last_turn_s, turn_s)
        return turn_s
