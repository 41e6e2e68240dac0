"""How long a lane may gather: long enough that the lanes together do not shower the store with inserts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pacing:
    """The gathering delay, shared by the lanes of one worker.

    ClickHouse pays about 4 ms and one part an insert whatever its size, and merges fall behind when every
    lane inserts several times a second; so the delay grows with the number of lanes.

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

    @property
    def delay_s(self) -> float:
        """Seconds from the first gathered record to the plan, when the segment does not fill earlier."""
        return min(self.max_delay_s, max(self.min_delay_s, self.lanes / self.inserts_per_s))
