"""When small parcels of messages leave: at ticks, so that one request carries those of all partitions.

A request costs as much as some ten events. Ticks are further apart where many messages come, so that each
request carries more.
"""

from __future__ import annotations

SHORT_S, LONG_S = 0.005, 0.02
"""Time between ticks, with few messages and with many."""

MANY_A_SECOND = 500


class Ticks:
    """Ticks of one producer; times are those of its event loop, in seconds."""

    def __init__(self) -> None:
        self._length_s = SHORT_S
        self._count = 0
        self._since_s = 0.0

    def count(self, messages: int, now_s: float) -> None:
        """Count messages that were handed over."""
        self._count += messages
        if now_s - self._since_s >= 1.0:
            self._length_s = LONG_S if self._count > MANY_A_SECOND else SHORT_S
            self._count, self._since_s = 0, now_s

    def wait_s(self, now_s: float) -> float:
        """Return how long it is to the next tick."""
        return self._length_s - now_s % self._length_s
